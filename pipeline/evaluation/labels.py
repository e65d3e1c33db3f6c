"""What manifests call the two classes.

Enters: the text of a column ``label``. Leaves: ``ai``, ``real``, or nothing.
"""

AI, REAL = "ai", "real"
WORDS = {
    AI: ("ai", "fake", "generated", "machine", "synthetic", "spoof", "1"),
    REAL: ("real", "human", "bonafide", "bona-fide", "authentic", "0"),
}
"""Numbers answer whether a track is generated."""
_MEANINGS = {word: label for label, words in WORDS.items() for word in words}


def known_label(text: object) -> str | None:
    """``ai`` or ``real`` for what a manifest says, ``None`` for anything else."""
    if isinstance(text, float) and text.is_integer():
        text = int(text)
    return _MEANINGS.get(str(text).strip().lower())


def words() -> str:
    """The words that are understood, for a message."""
    return "; ".join(f"{label}: {', '.join(some)}" for label, some in WORDS.items())
