"""Drop rows that an earlier run has audited.

Enters: :class:`~transforms.records.ManifestRow`. Leaves: those still to do; the others are
counted as ``skipped``. What counts as audited is the caller's to say.
"""

from collections.abc import Callable, Iterator

import apache_beam as beam
from apache_beam.metrics import Metrics

from transforms.records import ManifestRow
from transforms.stage import NAMESPACE, StageMetrics


def never_audited(row: ManifestRow) -> bool:
    """The rule of a first audit: every row is still to do."""
    del row
    return False


class DropAuditedDoFn(beam.DoFn):
    """Filters rows by a rule."""

    def __init__(self, is_audited: Callable[[ManifestRow], bool] = never_audited) -> None:
        self._is_audited = is_audited
        self._metrics = StageMetrics("drop_audited")
        self._skipped = Metrics.counter(NAMESPACE, "skipped")

    def process(self, row: ManifestRow) -> Iterator[ManifestRow]:
        """Yield the row unless it is done."""
        with self._metrics.timed():
            audited = self._is_audited(row)
        if audited:
            self._skipped.inc()
        else:
            yield row
