"""Which windows ArtifactUNet and the CNN read where a head on forensic statistics decides.

Enters: the head's scores of a batch of windows. Leaves: the places of those that need a look. The
networks cost four times what the statistics do, and change no verdict; this module loads neither,
so that the command line can check its options at once.
"""

import numpy as np
from numpy.typing import NDArray

ALL, FLAGGED, NONE = "all", "flagged", "none"
EVIDENCE = (FLAGGED, ALL, NONE)

GROUP = 4
"""Windows side by side of which the strongest is read; batches hold a multiple of it."""


def to_look_at(p_ai: NDArray[np.float32], threshold_ai: float, evidence: str) -> NDArray[np.intp]:
    """Which windows of a batch the networks read.

    Args:
      p_ai: by the head, ``[segments]``.
      threshold_ai: from which a window looks generated.
      evidence: ``all``, ``none``, or ``flagged``: of each ``GROUP`` side by side the strongest,
        if it looks generated.

    Returns:
      Places, int ``[chosen]``, rising.
    """
    if evidence == ALL:
        return np.arange(len(p_ai))
    if evidence != FLAGGED:
        return np.empty(0, np.intp)
    firsts = range(0, len(p_ai), GROUP)
    strongest = [first + int(np.argmax(p_ai[first : first + GROUP])) for first in firsts]
    return np.array([one for one in strongest if p_ai[one] >= threshold_ai], np.intp)
