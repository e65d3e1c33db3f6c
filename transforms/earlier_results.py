"""What earlier audits in the same output have done.

Enters: nothing (the addresses of tables are arguments). Leaves: pairs of a line's key and the
identity of the content that was audited, by the same model and configuration as now.
"""

from collections.abc import Iterator

import apache_beam as beam
import pyarrow.parquet as pq
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from transforms.audio_errors import DuplicateTrackError
from transforms.object_store import patiently
from transforms.output_schema import RunFacts
from transforms.read_manifest import STAGE as MANIFEST
from transforms.stage import StageMetrics

TRACK_COLUMNS = ["track_id", "content_id", "model_id", "config_id"]
ERROR_COLUMNS = [*TRACK_COLUMNS, "manifest", "line", "stage", "error_class"]


class ReadEarlierDoFn(beam.DoFn):
    """Reads one file of ``tracks/`` or ``errors/``."""

    def __init__(self, run: RunFacts) -> None:
        self._run = run
        self._metrics = StageMetrics("earlier_results")

    def process(self, address: str) -> Iterator[tuple[str, str]]:
        """Yield key and content identity of every row that would come out the same now."""
        with self._metrics.timed():
            rows = patiently(lambda: self._rows(address))
        yield from rows

    def _rows(self, address: str) -> list[tuple[str, str]]:
        with FileSystems.open(address, compression_type=CompressionTypes.UNCOMPRESSED) as file:
            table = pq.ParquetFile(file)
            names = set(table.schema_arrow.names)
            columns = ERROR_COLUMNS if "error_class" in names else TRACK_COLUMNS
            if not names.issuperset(columns):
                return []  # of a version that did not record what was audited
            found = table.read(columns=columns).to_pylist()
        wanted = (self._run.model_id, self._run.config_id)
        return [
            (_key(row), row["content_id"])
            for row in found
            if (row["model_id"], row["config_id"]) == wanted
        ]


def _key(row: dict) -> str:
    """As :func:`transforms.read_manifest.line_key` gives for the line."""
    of_line = row.get("stage") == MANIFEST and row["error_class"] != DuplicateTrackError.__name__
    return f"{row['manifest']}\n{row['line']}" if of_line else row["track_id"]


class ReadEarlier(beam.PTransform):
    """Keys and content identities out of the tables at ``addresses``."""

    def __init__(self, addresses: tuple[str, ...], run: RunFacts) -> None:
        super().__init__()
        self._addresses = addresses
        self._run = run

    def expand(self, begin: beam.pvalue.PBegin) -> beam.PCollection[tuple[str, str]]:
        """Read, spread over the workers."""
        return (
            begin
            | "EarlierTables" >> beam.Create(list(self._addresses))
            | "SpreadTables" >> beam.Reshuffle()
            | "Read" >> beam.ParDo(ReadEarlierDoFn(self._run)).with_output_types(tuple[str, str])
        )
