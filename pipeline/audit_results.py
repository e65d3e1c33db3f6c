"""Read an audit's tables back, a file at a time.

Enters: an output folder and a run id. Leaves: how many tracks got which verdict, and the
lines that are worth showing to a person.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow.parquet as pq
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from pipeline.run_record import table_files
from pipeline.verdict_table import MOST_ROWS, VerdictLine

TRACK_COLUMNS = ["track_id", "verdict", "p_ai", "p_ai_spread", "codec_drift", "segments", "notes"]
ERROR_COLUMNS = ["track_id", "uri", "stage", "message"]


@dataclass(frozen=True)
class AuditResults:
    """Verdicts counted (errors among them), and the lines to show."""

    verdicts: Counter
    lines: list[VerdictLine]


def _rows(output: str, run_id: str, table: str, columns: list[str]) -> Iterator[dict[str, Any]]:
    for path in table_files(output, table, run_id):
        with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
            for batch in pq.ParquetFile(file).iter_batches(columns=columns):
                yield from batch.to_pylist()


def read_results(output: str, run_id: str) -> AuditResults:
    """Count the verdicts of a run; keep the highest scores of each verdict, and some errors."""
    verdicts: Counter = Counter()
    kept: dict[str, list[VerdictLine]] = {}
    for row in _rows(output, run_id, "tracks", TRACK_COLUMNS):
        verdicts[row["verdict"]] += 1
        lines = kept.setdefault(row["verdict"], [])
        lines.append(
            VerdictLine(
                row["track_id"],
                row["verdict"],
                row["p_ai"],
                row["p_ai_spread"],
                row["codec_drift"],
                row["segments"],
                "; ".join(row["notes"]),
            )
        )
        if len(lines) > 2 * MOST_ROWS:
            lines.sort(key=lambda line: -(line.p_ai or 0))
            del lines[MOST_ROWS:]
    errors: list[VerdictLine] = []
    for row in _rows(output, run_id, "errors", ERROR_COLUMNS):
        verdicts["error"] += 1
        if len(errors) < MOST_ROWS:
            name = row["track_id"] or row["uri"] or "(manifest)"
            errors.append(VerdictLine(name, "error", note=f"{row['stage']}: {row['message']}"))
    return AuditResults(verdicts, [line for lines in (*kept.values(), errors) for line in lines])
