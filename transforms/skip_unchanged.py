"""Skip the rows that an earlier audit has done and that would come out the same.

Enters: ``ManifestRow`` items, and the tables that earlier audits left in the output. Leaves: every
row, with the identity of its content, as one to audit or one to skip. A row is skipped when its
latest result was made of the same content by the same model and configuration. Of rows with one
``track_id`` the first stays; the others are failures.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

import apache_beam as beam
from apache_beam.typehints.decorators import no_annotations

from artifactnet.transforms.elements.errors import (
    AudioForbiddenError,
    AudioNotFoundError,
    AuditError,
    DuplicateTrackError,
)
from artifactnet.transforms.elements.output_schema import RunFacts
from artifactnet.transforms.elements.records import ManifestRow, StageFailure
from artifactnet.transforms.elements.row_key import MANIFEST_STAGE, place_key, row_key
from artifactnet.transforms.elements.stage import StageMetrics
from artifactnet.transforms.read_manifest import failed_row, line_key
from artifactnet.transforms.storage.files import read_table
from artifactnet.transforms.storage.fingerprint import content_id
from artifactnet.transforms.storage.object_store import S3Access

STAGE = "identify"
LASTING = {AudioNotFoundError: "absent", AudioForbiddenError: "forbidden"}
"""Failures that are looked at again every time, but reported once."""

TRACK_COLUMNS = ["track_id", "run_id", "content_id", "model_id", "config_id"]
ERROR_COLUMNS = [*TRACK_COLUMNS, "manifest", "line", "stage", "error_class"]


class EarlierResult(NamedTuple):
    """One row of ``tracks/`` or ``errors/``.

    Attributes:
      place: of the line, for one that made no track; empty for a track.
      run_id: of the run that wrote it; the latest counts.
      content_id: what it was about.
      alike: the model and the configuration were those of now.
    """

    place: str
    run_id: str
    content_id: str
    alike: bool


class ReadEarlierDoFn(beam.DoFn):
    """Reads one file of ``tracks/`` or ``errors/``."""

    def __init__(self, run: RunFacts) -> None:
        self._run = run
        self._metrics = StageMetrics("earlier_results")

    def process(self, address: str) -> Iterator[tuple[str, EarlierResult]]:
        """Yield key and result of every row.

        Raises:
          ValueError: the file is damaged.
        """
        columns = TRACK_COLUMNS if "/tracks/" in address else ERROR_COLUMNS
        with self._metrics.timed():
            table = read_table(address, columns)
        if set(table.column_names).issuperset(columns):  # else of a version without them
            for row in table.to_pylist():
                yield self._result(row)

    def _result(self, row: dict) -> tuple[str, EarlierResult]:
        alike = (row["model_id"], row["config_id"]) == (self._run.model_id, self._run.config_id)
        key = row_key(row["track_id"], row.get("stage"), row.get("manifest"), row.get("line"))
        place = key if row.get("stage") == MANIFEST_STAGE else ""
        # A duplicate is looked up among the rows of its track_id, where the first one stands too.
        if row.get("error_class") == DuplicateTrackError.__name__:
            key = row["track_id"]
        return key, EarlierResult(place, row["run_id"], row["content_id"], alike)


class ReadEarlier(beam.PTransform):
    """Keys and results out of the tables at ``addresses``."""

    def __init__(self, addresses: tuple[str, ...], run: RunFacts) -> None:
        super().__init__()
        self._addresses = addresses
        self._run = run

    def expand(self, begin: beam.pvalue.PBegin) -> beam.PCollection[tuple[str, EarlierResult]]:
        """Read, spread over the workers."""
        return (
            begin
            | "EarlierTables" >> beam.Create(list(self._addresses))
            | "SpreadTables" >> beam.Reshuffle()
            | "Read"
            >> beam.ParDo(ReadEarlierDoFn(self._run)).with_output_types(tuple[str, EarlierResult])
        )


class CheckedRow(NamedTuple):
    """A row, and whether an earlier audit has done it."""

    row: ManifestRow
    done: bool


class SplitRows(NamedTuple):
    """The two outputs of ``SkipUnchanged``: rows to audit, and those that are skipped."""

    rows: beam.PCollection[ManifestRow]
    skipped: beam.PCollection[ManifestRow]


def identified(row: ManifestRow, access: S3Access, job: str) -> ManifestRow:
    """``row`` with the identity of its content, or with the failure to find it."""
    try:
        return replace(row, content_id=content_id(row, access, job))
    except AuditError as error:
        problem = StageFailure(STAGE, type(error).__name__, str(error))
        return replace(row, failure=problem, content_id=LASTING.get(type(error), ""))


def latest_results(earlier: Iterable[EarlierResult]) -> dict[str, EarlierResult]:
    """The newest result of each place; only that one counts, whatever was found before."""
    newest: dict[str, EarlierResult] = {}
    for result in earlier:
        known = newest.get(result.place)
        if known is None or known.run_id < result.run_id:
            newest[result.place] = result
    return newest


def is_unchanged(row: ManifestRow, latest: dict[str, EarlierResult]) -> bool:
    """Whether the latest result of ``row`` is of the same content, model and configuration."""
    of_line = row.failure is not None and row.failure.stage == MANIFEST_STAGE
    known = latest.get(place_key(row.manifest, row.line) if of_line else "")
    return bool(known and row.content_id and known.alike and known.content_id == row.content_id)


def _place(row: ManifestRow) -> tuple[str, int]:
    return row.manifest, row.line


class SkipUnchangedDoFn(beam.DoFn):
    """Checks the rows of one key.

    Args:
      access: to S3.
      run_id: of the run.
    """

    def __init__(self, access: S3Access, run_id: str) -> None:
        self._access = access
        self._run_id = run_id
        self._metrics = StageMetrics(STAGE)

    def process(self, group: tuple[str, dict[str, Iterable]]) -> Iterator[CheckedRow]:
        """Yield every row; the rows of a group are only streamed."""
        rows, earlier = group[1]["rows"], group[1]["earlier"]
        first = min(rows, key=_place, default=None)
        latest = latest_results(earlier)
        for row in rows:  # none where a track was audited and then left the catalogue
            with self._metrics.timed():
                checked = self._checked(row, first or row)
            if checked.failure:
                self._metrics.failures.inc()
            yield CheckedRow(checked, is_unchanged(checked, latest))

    def _checked(self, row: ManifestRow, first: ManifestRow) -> ManifestRow:
        if row.failure:
            return row
        if _place(row) == _place(first):
            return identified(row, self._access, self._run_id)
        message = (
            f"{row.manifest} line {row.line}: track_id {row.track_id!r} is taken by "
            f"{first.manifest} line {first.line}"
        )
        return failed_row(row, DuplicateTrackError(), message)


class SkipUnchanged(beam.PTransform):
    """Parts the rows to audit from those to skip: one shuffle of rows.

    Takes ``{"rows": PCollection[ManifestRow], "earlier": PCollection[tuple[str, EarlierResult]]}``.
    """

    def __init__(self, access: S3Access, run_id: str) -> None:
        super().__init__()
        self._access = access
        self._run_id = run_id

    @no_annotations  # of transforms with two outputs, Beam knows no type
    def expand(self, inputs: dict[str, beam.PCollection]) -> SplitRows:
        """Group by key, check, part."""
        keyed = inputs["rows"] | "KeyByLine" >> beam.WithKeys(line_key).with_output_types(
            tuple[str, ManifestRow]
        )
        checked = (
            {"rows": keyed, "earlier": inputs["earlier"]}
            | "GroupByLine" >> beam.CoGroupByKey()
            | "Check" >> beam.ParDo(SkipUnchangedDoFn(self._access, self._run_id))
        )
        # Two filters and no tagged outputs: not every runner keeps those apart.
        rows = checked | "ToDo" >> beam.Filter(lambda one: not one.done)
        skipped = checked | "Done" >> beam.Filter(lambda one: one.done)
        return SplitRows(
            rows | "RowsToDo" >> beam.Map(lambda one: one.row).with_output_types(ManifestRow),
            skipped | "RowsDone" >> beam.Map(lambda one: one.row).with_output_types(ManifestRow),
        )
