"""Skip the rows that an earlier audit has done and that would come out the same.

Enters: ``ManifestRow`` items, and the tables that earlier audits left in the output; both in packs
by the bucket of their key. Leaves: the rows to audit, with the identity of their content, in packs
by shard, and how many are skipped. A row is skipped when its latest result was made of the same
content by the same model and configuration. Of rows with one ``track_id`` the first stays; the
others are failures.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

import apache_beam as beam
from apache_beam.typehints.decorators import no_annotations

from artifactnet.transforms.assign_shards import bucket_count, shard_key
from artifactnet.transforms.elements.errors import (
    AudioForbiddenError,
    AudioNotFoundError,
    AuditError,
    DuplicateTrackError,
)
from artifactnet.transforms.elements.output_schema import RunFacts
from artifactnet.transforms.elements.packs import Pack, packed, unpacked
from artifactnet.transforms.elements.records import ManifestRow, StageFailure
from artifactnet.transforms.elements.row_key import (
    MANIFEST_STAGE,
    bucket_of,
    place_key,
    row_key,
)
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
      failed: it is an error.
    """

    place: str
    run_id: str
    content_id: str
    alike: bool
    failed: bool = False


def _folder(address: str) -> str:
    return address.replace("\\", "/").split("/")[-2]


class ReadEarlierDoFn(beam.DoFn):
    """Reads one file of ``tracks/`` or ``errors/``.

    Args:
      run: of now.
      buckets: how many there are.
    """

    def __init__(self, run: RunFacts, buckets: int = 1) -> None:
        self._run = run
        self._buckets = buckets
        self._metrics = StageMetrics("earlier_results")

    def process(self, address: str) -> Iterator[tuple[int, Pack]]:
        """Yield keys and results in packs, each with its bucket."""
        return packed(
            (bucket_of(key, self._buckets), (key, result)) for key, result in self.results(address)
        )

    def results(self, address: str) -> Iterator[tuple[str, EarlierResult]]:
        """Yield key and result of every row.

        Raises:
          ValueError: the file is damaged.
        """
        columns = TRACK_COLUMNS if _folder(address) == "tracks" else ERROR_COLUMNS
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
        failed = "error_class" in row
        return key, EarlierResult(place, row["run_id"], row["content_id"], alike, failed)


class ReadEarlier(beam.PTransform):
    """Keys and results out of the tables at ``addresses``, in packs by bucket."""

    def __init__(self, addresses: tuple[str, ...], run: RunFacts, buckets: int) -> None:
        super().__init__()
        self._addresses = addresses
        self._read = ReadEarlierDoFn(run, buckets)

    def expand(self, begin: beam.pvalue.PBegin) -> beam.PCollection[tuple[int, Pack]]:
        """Read, spread over the workers."""
        return (
            begin
            | "EarlierTables" >> beam.Create(list(self._addresses))
            | "SpreadTables" >> beam.Reshuffle()
            | "Read" >> beam.ParDo(self._read).with_output_types(tuple[int, Pack])
        )


class CheckedRows(NamedTuple):
    """Rows of one bucket that were looked at.

    Attributes:
      shard: key of their shard; empty where they are skipped.
      rows: to audit; of those that are skipped, how many.
      errors: of those that are skipped, how many have an error for a result.
    """

    shard: str
    rows: Pack
    errors: int = 0


class SplitRows(NamedTuple):
    """The two outputs of ``SkipUnchanged``.

    Attributes:
      rows: to audit, by shard.
      skipped: numbers of rows that are skipped, by what they are called in the counts.
    """

    rows: beam.PCollection[tuple[str, Pack]]
    skipped: beam.PCollection[tuple[str, int]]


def identified(row: ManifestRow, access: S3Access, job: str) -> ManifestRow:
    """``row`` with the identity of its content, or with the failure to find it."""
    try:
        return replace(row, content_id=content_id(row, access, job))
    except AuditError as error:
        problem = StageFailure(STAGE, type(error).__name__, str(error))
        return replace(row, failure=problem, content_id=LASTING.get(type(error), ""))


Latest = dict[tuple[str, str], EarlierResult]
"""The newest result of each key and place."""


def latest_results(earlier: Iterable[tuple[str, EarlierResult]]) -> Latest:
    """The newest result of each key and place; only that one counts, whatever was found before."""
    newest: Latest = {}
    for key, result in earlier:
        known = newest.get((key, result.place))
        if known is None or known.run_id < result.run_id:
            newest[key, result.place] = result
    return newest


def standing_result(row: ManifestRow, key: str, latest: Latest) -> EarlierResult | None:
    """The latest result of ``row``, if it is of the same content, model and configuration.

    ``key`` is that of its line, whatever was found since.
    """
    of_line = row.failure is not None and row.failure.stage == MANIFEST_STAGE
    known = latest.get((key, place_key(row.manifest, row.line, row.track_id) if of_line else ""))
    same = known and row.content_id and known.alike and known.content_id == row.content_id
    return known if same else None


Place = tuple[str, int]


def _place(row: ManifestRow) -> Place:
    return row.manifest, row.line


def first_places(rows: Iterable[ManifestRow]) -> dict[str, Place]:
    """Where each key stands first."""
    first: dict[str, Place] = {}
    for row in rows:
        key = line_key(row)
        first[key] = min(first.get(key, _place(row)), _place(row))
    return first


class SkipUnchangedDoFn(beam.DoFn):
    """Checks the rows of one bucket.

    Args:
      access: to S3.
      run_id: of the run.
      shards: for the rows of a bucket.
    """

    def __init__(self, access: S3Access, run_id: str, shards: int = 1) -> None:
        self._access = access
        self._run_id = run_id
        self._shards = shards
        self._metrics = StageMetrics(STAGE)

    def process(self, group: tuple[int, dict[str, Iterable[Pack]]]) -> Iterator[CheckedRows]:
        """Yield packs of rows to audit, and how many rows are skipped; the rows are streamed."""
        bucket, found = group
        latest = latest_results(unpacked(found["earlier"]))
        first = first_places(unpacked(found["rows"]))
        turns = {place: turn for turn, place in enumerate(sorted(first.values()))}
        skipped = errors = 0

        def to_do() -> Iterator[tuple[str, ManifestRow]]:
            nonlocal skipped, errors
            for row in unpacked(found["rows"]):
                key = line_key(row)
                with self._metrics.timed():
                    checked = self._checked(row, first[key])
                if checked.failure:
                    self._metrics.failures.inc()
                if known := standing_result(checked, key, latest):
                    skipped += 1
                    errors += known.failed
                else:
                    turn = turns.get(_place(row), row.line)
                    yield shard_key(row, bucket, turn, self._shards), checked

        for shard, rows in packed(to_do()):
            yield CheckedRows(shard, rows)
        if skipped:
            yield CheckedRows("", Pack(skipped, b""), errors)

    def _checked(self, row: ManifestRow, first: Place) -> ManifestRow:
        if row.failure:
            return row
        if _place(row) == first:
            return identified(row, self._access, self._run_id)
        manifest, line = first
        message = (
            f"{row.manifest} line {row.line}: track_id {row.track_id!r} is taken by "
            f"{manifest} line {line}"
        )
        return failed_row(row, DuplicateTrackError(), message)


def _of_shard(to_do: CheckedRows) -> tuple[str, Pack]:
    return to_do.shard, to_do.rows


def _numbers(skipped: CheckedRows) -> list[tuple[str, int]]:
    return [("skipped", skipped.rows.size), ("skipped_errors", skipped.errors)]


class SkipUnchanged(beam.PTransform):
    """Parts the rows to audit from those to skip: one shuffle of rows.

    Takes ``{"rows": packs of ManifestRow, "earlier": packs of tuple[str, EarlierResult]}``, each a
    ``PCollection[tuple[int, Pack]]`` by bucket.

    Args:
      access: to S3.
      run_id: of the run.
      shards: of the whole job.
    """

    def __init__(self, access: S3Access, run_id: str, shards: int) -> None:
        super().__init__()
        each = math.ceil(shards / bucket_count(shards))
        self._check = SkipUnchangedDoFn(access, run_id, each)

    @no_annotations  # of transforms with two outputs, Beam knows no type
    def expand(self, inputs: dict[str, beam.PCollection]) -> SplitRows:
        """Group by bucket, check, part."""
        checked = (
            inputs
            | "GroupByBucket" >> beam.CoGroupByKey()
            | "Check" >> beam.ParDo(self._check).with_output_types(CheckedRows)
        )
        # Two filters and no tagged outputs: not every runner keeps those apart.
        rows = checked | "ToDo" >> beam.Filter(lambda one: bool(one.shard))
        skipped = checked | "Done" >> beam.Filter(lambda one: not one.shard)
        return SplitRows(
            rows | "RowsToDo" >> beam.Map(_of_shard).with_output_types(tuple[str, Pack]),
            skipped | "RowsDone" >> beam.FlatMap(_numbers).with_output_types(tuple[str, int]),
        )
