"""What earlier audits in the same output have done.

Enters: nothing (the addresses of tables are arguments). Leaves: pairs of a line's key and an
:class:`EarlierResult`: what was audited, in which run, and whether it would come out the same now.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from transforms.audio_errors import DuplicateTrackError
from transforms.object_store import patiently
from transforms.output_schema import RunFacts
from transforms.read_manifest import STAGE as MANIFEST
from transforms.stage import StageMetrics

TRACK_COLUMNS = ["track_id", "run_id", "content_id", "model_id", "config_id"]
ERROR_COLUMNS = [*TRACK_COLUMNS, "manifest", "line", "stage", "error_class"]


class EarlierResult(NamedTuple):
    """One row of ``tracks/`` or ``errors/``.

    Attributes:
      place: of the line, for one that made no row; empty for a track.
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
        with self._metrics.timed():
            rows = patiently(lambda: self._rows(address))
        yield from rows

    def _rows(self, address: str) -> list[tuple[str, EarlierResult]]:
        with (
            FileSystems.open(address, compression_type=CompressionTypes.UNCOMPRESSED) as file,
            named_if_damaged(address),
        ):
            table = pq.ParquetFile(file)
            names = set(table.schema_arrow.names)
            columns = ERROR_COLUMNS if "error_class" in names else TRACK_COLUMNS
            if not names.issuperset(columns):
                return []  # of a version that did not record what was audited
            found = table.read(columns=columns).to_pylist()
        return [self._result(row) for row in found]

    def _result(self, row: dict) -> tuple[str, EarlierResult]:
        alike = (row["model_id"], row["config_id"]) == (self._run.model_id, self._run.config_id)
        of_line = row.get("stage") == MANIFEST
        place = f"{row['manifest']}\n{row['line']}" if of_line else ""
        duplicate = of_line and row["error_class"] == DuplicateTrackError.__name__
        key = row["track_id"] if duplicate or not of_line else place
        return key, EarlierResult(place, row["run_id"], row["content_id"], alike)


@contextmanager
def named_if_damaged(address: str) -> Iterator[None]:
    """Name the file in what pyarrow raises about it.

    Raises:
      ValueError: it is no Parquet, or no longer.
    """
    try:
        yield
    except pa.ArrowException as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"{address} is damaged ({reason}): remove it, and its tracks are audited again"
        ) from error


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
