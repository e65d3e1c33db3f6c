"""Innocent explanations of a score, each measured against human music whose sound is as extreme.

Enters: the facts of a track's sound, and the reference. Leaves: what is measured, and whether it
explains the score. The question to each: of the human tracks that are nearest in bandwidth, level
or clipping, how many are called ai? Few, surely: it does not explain. Many, surely: it explains.
Between the two, or with too few such tracks, nobody can tell.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from artifactnet.models.config import ArtifactNetConfig
from artifactnet.pipeline.evidence.reference import Rate, Reference

EXPLAINS, EXPLAINS_NOT, CANNOT_TELL = "explains", "does not explain", "cannot tell"
TOLERATED = 0.05
"""Share of human tracks called ai from which a condition is an explanation."""


class Explanation(NamedTuple):
    """One innocent explanation.

    Attributes:
      name: of it.
      measured: value and unit, as text.
      says: ``explains``, ``does not explain`` or ``cannot tell``.
      why: a sentence.
    """

    name: str
    measured: str
    says: str
    why: str


class _Condition(NamedTuple):
    name: str
    fact: str
    above: bool
    text: str


CONDITIONS = (
    _Condition("low bit rate", "bit_rate", False, "{:.0f} kbit/s"),
    _Condition(
        "narrow bandwidth, or a transcoded source", "bandwidth_hz", False, "sound up to {:.0f} Hz"
    ),
    _Condition("channels in antiphase", "channel_correlation", False, "correlation {:.2f}"),
    _Condition("clipping", "at_peak", True, "{:.2%} of the samples at the peak"),
    _Condition("limiting", "crest_db", False, "peak {:.1f} dB over the mean"),
    _Condition("a quiet recording", "level_db", False, "RMS {:.1f} dB of full scale"),
    _Condition("a voice alone", "p_voice", True, "P(voice alone) {:.2f}"),
)
UNMEASURED = (
    ("pitch or tempo shift", "a shift leaves no measure of its own here"),
    ("noise reduction", "its traces are like a decoder's, and nothing here tells them apart"),
    ("a neural codec, voice changer or stem separator", "they end in decoders like a generator's"),
)


def judged(found: Rate) -> str:
    """What a rate of false alarms among alike human tracks says."""
    if not found.enough:
        return CANNOT_TELL
    if found.upper <= TOLERATED:
        return EXPLAINS_NOT
    return EXPLAINS if found.lower >= TOLERATED else CANNOT_TELL


def _explanation(
    condition: _Condition,
    value: float | None,
    reference: Reference | None,
    config: ArtifactNetConfig,
) -> Explanation:
    if value == math.inf and condition.fact == "bit_rate":
        return Explanation(
            condition.name, "lossless", EXPLAINS_NOT, "the file is not coded lossily"
        )
    if value is None or not math.isfinite(value):
        if condition.fact == "channel_correlation":
            return Explanation(condition.name, "one channel", EXPLAINS_NOT, "nothing can cancel")
        return Explanation(condition.name, "not measured", CANNOT_TELL, "there is no such figure")
    measured = condition.text.format(value)
    if reference is None:
        return Explanation(condition.name, measured, CANNOT_TELL, "no known music to compare with")
    alike = reference.human_rate_near(condition.fact, value, condition.above, config)
    called = f"{alike.seen} {'is' if alike.seen == 1 else 'are'} called ai"
    why = (
        f"of the {alike.tracks} human tracks nearest in this, {called}, so between "
        f"{alike.lower:.1%} and {alike.upper:.1%} of all such"
        if alike.enough
        else f"only {alike.tracks} human tracks that were tested are as extreme"
    )
    return Explanation(condition.name, measured, judged(alike), why)


def explanations(
    facts: Mapping[str, Any], reference: Reference | None, config: ArtifactNetConfig
) -> tuple[Explanation, ...]:
    """Every explanation, for a track of which ``facts`` are known by their columns' names."""
    return (
        *(_explanation(one, facts.get(one.fact), reference, config) for one in CONDITIONS),
        *(Explanation(name, "-", CANNOT_TELL, why) for name, why in UNMEASURED),
    )
