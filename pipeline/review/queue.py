"""Which tracks people are asked about, and in which order.

Enters: rows of ``tracks/`` and the decisions so far. Leaves: the queue: the clearest first, each
content once, and what comes before and after a track.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from artifactnet.pipeline.review.decisions import Decision, fingerprint


class Asked(NamedTuple):
    """One track of the queue; ``decision`` is ``None`` while nobody has decided."""

    row: Mapping[str, Any]
    decision: Decision | None

    @property
    def fingerprint(self) -> str:
        """Of its content."""
        return fingerprint(self.row)


class Queue:
    """The tracks of a review.

    Args:
      rows: of ``tracks/``.
      decisions: by fingerprint; kept up to date by ``decide``.
      verdicts: which of the detector's are reviewed.
    """

    def __init__(
        self,
        rows: Iterable[Mapping[str, Any]],
        decisions: Mapping[str, Decision],
        verdicts: tuple[str, ...],
    ) -> None:
        chosen = [row for row in rows if row["verdict"] in verdicts]
        chosen.sort(key=lambda row: (-row["p_ai"], row["track_id"]))
        self._rows = {fingerprint(row): row for row in reversed(chosen)}
        self._order = list(reversed(self._rows))
        self._decisions = dict(decisions)

    def __len__(self) -> int:
        """Contents in the queue."""
        return len(self._order)

    def __iter__(self):  # type: ignore[no-untyped-def]
        """Every track of the queue, in order."""
        return (self[one] for one in self._order)

    def __contains__(self, name: object) -> bool:
        """Whether there is a content of this fingerprint."""
        return name in self._rows

    def __getitem__(self, name: str) -> Asked:
        """The track of a fingerprint."""
        return Asked(self._rows[name], self._decisions.get(name))

    @property
    def decided(self) -> int:
        """Contents that were decided."""
        return sum(name in self._decisions for name in self._order)

    def decide(self, decision: Decision) -> None:
        """Take note of a decision."""
        self._decisions[decision.fingerprint] = decision

    def next_open(self, after: str = "") -> str:
        """The next content without a decision, from the start once the end is reached; or empty."""
        place = self._order.index(after) + 1 if after in self._rows else 0
        around = self._order[place:] + self._order[:place]
        return next((name for name in around if name not in self._decisions), "")

    def beside(self, name: str) -> tuple[str, str]:
        """What stands before and after a content; empty at the ends."""
        place = self._order.index(name)
        before = self._order[place - 1] if place else ""
        after = self._order[place + 1] if place + 1 < len(self._order) else ""
        return before, after
