"""What the groups of forensic statistics and the bands of the spectrum mean, in a musician's words.

Enters: names. Leaves: sentences' parts for a page.
"""

GROUP_WORDS = {
    "fine_correlation": "patterns that repeat between neighbouring pitches and moments",
    "short_correlation": "patterns that repeat between neighbouring moments of single attacks",
    "fine_distribution": "fine detail that is spread too evenly, or too unevenly",
    "phase": "how the waves of neighbouring pitches and moments line up",
    "comodulation": "parts of the spectrum that flutter together",
    "image": "a part of the spectrum that is a copy or mirror of another",
    "hull": "narrow lines that stand out of the average spectrum",
    "hull_spacing": "narrow lines at equal distances, as the up-sampling of a decoder leaves them",
    "hull_position": "narrow lines at fixed pitches that are no notes",
    "cyclic": "a faint pulse at the frame rate of a decoder",
    "modulation": "how fast the loudness of each part of the spectrum flickers",
    "tonal": "how steadily single tones hold their pitch, phase and level, and what lies between",
}
"""Of each group in ``models/statistics/forensic_statistics.py``, what it listens to."""

BAND_WORDS = (
    (250, "bass"),
    (1000, "low voices and harmony"),
    (4000, "voices and melody"),
    (8000, "consonants and attacks"),
    (13_000, "cymbals and breath"),
    (40_000, "air"),
)
"""Up to so many Hz: what is heard there."""


def band_words(low_hz: float, high_hz: float) -> str:
    """What is heard between two frequencies."""
    middle = (low_hz * high_hz) ** 0.5
    return next(words for limit, words in BAND_WORDS if middle <= limit)
