"""Which parts of a track look generated: a generated intro, a real voice over a generated bed.

Enters: P(AI) of a track's windows and where they lie. Leaves: parts. Between a human and a
generated state the track may change at any window, at a price; the cheapest path through both
(Viterbi 1967) is what the windows say together, and a part counts when its evidence is more than
what human tracks reach by chance.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from artifactnet.models.pooling import MEAN, bounded_logits, pooled


@dataclass(frozen=True)
class PartRule:
    """When a run of windows is a part.

    Attributes:
      offset: logit at which a window speaks for neither state.
      change: logits that a change of state costs.
      evidence: sum of the logits above ``offset`` that a part needs.
      windows: that it needs.
    """

    offset: float = 1.0
    change: float = 4.0
    evidence: float = 9.0
    windows: int = 2


class Part(NamedTuple):
    """A part that looks generated.

    Attributes:
      start: seconds from the start of the track.
      end: seconds.
      p_ai: of its windows, pooled.
    """

    start: float
    end: float
    p_ai: float


class Parts(NamedTuple):
    """Parts of a track, and P(AI) of the windows outside of them; ``None`` where there are none."""

    found: tuple[Part, ...]
    rest_p_ai: float | None
    rest_windows: int


def generated_windows(logits: NDArray[np.float64], rule: PartRule) -> NDArray[np.bool_]:
    """Which windows lie in the generated state of the best path, bool ``[windows]``.

    Args:
      logits: ``[windows]``, in the order of the track.
      rule: offset and price of a change.
    """
    gains = logits - rule.offset
    best = np.array([0.0, gains[0]])
    came_from = np.zeros((len(gains), 2), np.intp)
    for at, gain in enumerate(gains[1:], start=1):
        change = best[::-1] - rule.change
        stays = best >= change
        came_from[at] = np.where(stays, (0, 1), (1, 0))
        best = np.where(stays, best, change) + np.array((0.0, gain))
    state = int(best[1] > best[0])
    path = np.zeros(len(gains), bool)
    for at in range(len(gains) - 1, -1, -1):
        path[at] = state
        state = int(came_from[at, state])
    return path


def find_parts(
    starts: Sequence[float],
    p_ai: Sequence[float],
    window_seconds: float,
    duration: float,
    rule: PartRule = PartRule(),
) -> Parts:
    """Parts of a track that look generated.

    Args:
      starts: of its windows, seconds, ascending.
      p_ai: of each.
      window_seconds: length of a window.
      duration: of the track in seconds.
      rule: when a run is a part.

    Returns:
      Parts, from half-way after the window before to half-way before the window behind, since
      nothing is known of what lies between windows.
    """
    scores = np.asarray(p_ai, np.float64)
    logits = bounded_logits(scores)
    inside = generated_windows(logits, rule)
    edges = np.flatnonzero(np.diff(np.r_[False, inside, False].astype(int))).reshape(-1, 2)
    found = []
    rest = np.ones(len(scores), bool)
    for first, last in edges:
        strong = float((logits[first:last] - rule.offset).sum()) >= rule.evidence
        if not strong or last - first < rule.windows:
            continue
        rest[first:last] = False
        begin = 0.0 if first == 0 else (starts[first - 1] + window_seconds + starts[first]) / 2
        after = starts[last - 1] + window_seconds
        end = duration if last == len(scores) else (after + starts[last]) / 2
        score = pooled(scores[first:last], MEAN)
        found.append(Part(round(float(begin), 3), round(float(end), 3), score))
    outside = pooled(scores[rest], MEAN) if rest.any() else None
    return Parts(tuple(found), outside, int(rest.sum()))
