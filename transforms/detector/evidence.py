"""Which windows ArtifactUNet and the CNN read where a head on forensic statistics decides.

Enters: the head's scores of a batch of windows. Leaves: the places of those that need a look. The
networks cost four times what the statistics do, and change no verdict; this module loads neither,
so that the command line can check its options at once.
"""

from collections.abc import Sequence

ALL, FLAGGED, NONE = "all", "flagged", "none"
EVIDENCE = (FLAGGED, ALL, NONE)

GROUP = 4
"""Windows side by side of which the strongest is read; batches hold a multiple of it."""


def to_look_at(p_ai: Sequence[float], threshold_ai: float, evidence: str) -> list[int]:
    """Which windows of a batch the networks read.

    Args:
      p_ai: by the head, of each window.
      threshold_ai: from which a window looks generated.
      evidence: ``all``, ``none``, or ``flagged``: of each ``GROUP`` side by side the strongest,
        if it looks generated.

    Returns:
      Their places, rising.
    """
    if evidence == ALL:
        return list(range(len(p_ai)))
    if evidence != FLAGGED:
        return []
    groups = (range(first, len(p_ai))[:GROUP] for first in range(0, len(p_ai), GROUP))
    strongest = (max(group, key=lambda place: p_ai[place]) for group in groups)
    return [place for place in strongest if p_ai[place] >= threshold_ai]
