"""Settle which rows are to be audited.

Enters: :class:`~transforms.records.ManifestRow`, and what earlier audits have done. Leaves:
every line, with the identity of its content, as one that is still to do or one that was
audited before. Of lines with one ``track_id`` the first stays, the others are failures.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

import apache_beam as beam
from apache_beam.typehints.decorators import no_annotations

from transforms.audio_errors import (
    AudioForbiddenError,
    AudioNotFoundError,
    AuditError,
    DuplicateTrackError,
)
from transforms.content_identity import content_id
from transforms.earlier_results import EarlierResult
from transforms.object_store import S3Access
from transforms.read_manifest import STAGE as MANIFEST
from transforms.read_manifest import failed_row, line_key
from transforms.records import ManifestRow, StageFailure
from transforms.stage import StageMetrics

STAGE = "identify"
LASTING = {AudioNotFoundError: "absent", AudioForbiddenError: "forbidden"}
"""Failures that are looked at again every time, but reported once."""


class SettledRow(NamedTuple):
    """A line, and whether an earlier audit has done it."""

    row: ManifestRow
    done: bool


class SettledRows(NamedTuple):
    """The two outputs of :class:`SettleRows`: rows to audit, and those that are skipped."""

    rows: beam.PCollection[ManifestRow]
    skipped: beam.PCollection[ManifestRow]


def identified(row: ManifestRow, access: S3Access, job: str) -> ManifestRow:
    """``row`` with the identity of its content, or with the failure to find it."""
    try:
        return replace(row, content_id=content_id(row, access, job))
    except AuditError as error:
        problem = StageFailure(STAGE, type(error).__name__, str(error))
        return replace(row, failure=problem, content_id=LASTING.get(type(error), ""))


class SettleRowsDoFn(beam.DoFn):
    """Settles the lines of one key.

    Args:
      access: to S3.
      run_id: of the run.
    """

    def __init__(self, access: S3Access, run_id: str) -> None:
        self._access = access
        self._run_id = run_id
        self._metrics = StageMetrics(STAGE)

    def process(self, group: tuple[str, dict[str, Iterable]]) -> Iterator[SettledRow]:
        """Yield every line; the lines of a group are only streamed."""
        rows, earlier = group[1]["rows"], group[1]["earlier"]
        first = min(rows, key=_place, default=None)
        latest = _latest(earlier)
        for row in rows:  # none where a track was audited and then left the catalogue
            with self._metrics.timed():
                settled = self._settled(row, first or row)
            if settled.failure:
                self._metrics.failures.inc()
            yield SettledRow(settled, _is_done(settled, latest))

    def _settled(self, row: ManifestRow, first: ManifestRow) -> ManifestRow:
        if row.failure:
            return row
        if _place(row) == _place(first):
            return identified(row, self._access, self._run_id)
        message = (
            f"{row.manifest} line {row.line}: track_id {row.track_id!r} is taken by "
            f"{first.manifest} line {first.line}"
        )
        return failed_row(row, DuplicateTrackError(), message)


def _latest(earlier: Iterable[EarlierResult]) -> dict[str, EarlierResult]:
    """The newest result of each place; only that one counts, whatever was found before."""
    newest: dict[str, EarlierResult] = {}
    for result in earlier:
        known = newest.get(result.place)
        if known is None or known.run_id < result.run_id:
            newest[result.place] = result
    return newest


def _is_done(row: ManifestRow, latest: dict[str, EarlierResult]) -> bool:
    of_line = row.failure is not None and row.failure.stage == MANIFEST
    known = latest.get(f"{row.manifest}\n{row.line}" if of_line else "")
    return bool(known and row.content_id and known.alike and known.content_id == row.content_id)


def _place(row: ManifestRow) -> tuple[str, int]:
    return row.manifest, row.line


class SettleRows(beam.PTransform):
    """Settles all lines: one shuffle of rows.

    Takes ``{"rows": PCollection[ManifestRow], "earlier": PCollection[tuple[str, EarlierResult]]}``.
    """

    def __init__(self, access: S3Access, run_id: str) -> None:
        super().__init__()
        self._access = access
        self._run_id = run_id

    @no_annotations  # of transforms with two outputs, Beam knows no type
    def expand(self, inputs: dict[str, beam.PCollection]) -> SettledRows:
        """Group by key, settle, part."""
        keyed = inputs["rows"] | "KeyByLine" >> beam.WithKeys(line_key).with_output_types(
            tuple[str, ManifestRow]
        )
        settled = (
            {"rows": keyed, "earlier": inputs["earlier"]}
            | "GroupByLine" >> beam.CoGroupByKey()
            | "Settle" >> beam.ParDo(SettleRowsDoFn(self._access, self._run_id))
        )
        # Two filters and no tagged outputs: not every runner keeps those apart.
        rows = settled | "ToDo" >> beam.Filter(lambda one: not one.done)
        skipped = settled | "Done" >> beam.Filter(lambda one: one.done)
        return SettledRows(
            rows | "RowsToDo" >> beam.Map(lambda one: one.row).with_output_types(ManifestRow),
            skipped | "RowsDone" >> beam.Map(lambda one: one.row).with_output_types(ManifestRow),
        )
