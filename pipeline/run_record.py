"""``run.json``: what an audit did, and the proof that no row was lost.

Enters: the finished Beam result and the Parquet files. Leaves: :class:`RunRecord`, written
beside the tables. Rows in come from the counters; tracks and errors are counted in the
footers of the files that were written, not by the code that meant to write them.
"""

import json
import platform
from collections import Counter
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

import pyarrow.parquet as pq
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems
from apache_beam.metrics import MetricsFilter
from apache_beam.metrics.metricbase import MetricName
from apache_beam.runners.runner import PipelineResult

from pipeline.run_files import RECORD
from transforms.stage import NAMESPACE
from transforms.write_parquet import TABLES

PACKAGES = ("artifactnet", "apache-beam", "torch", "av", "soundfile", "numpy", "pyarrow")


@dataclass(frozen=True)
class RunCounts:
    """Rows; ``rows_in`` must be ``tracks + errors + skipped``."""

    rows_in: int
    tracks: int
    errors: int
    skipped: int
    segments: int

    @property
    def add_up(self) -> bool:
        """Whether every row is accounted for."""
        return self.rows_in == self.tracks + self.errors + self.skipped


@dataclass(frozen=True)
class RunRecord:
    """Content of ``run.json``."""

    run_id: str
    model_id: str
    started: str
    seconds: float
    counts: RunCounts
    configuration: dict[str, Any]
    versions: dict[str, str]
    metrics: dict[str, Any]


def versions() -> dict[str, str]:
    """Python and the packages that decide a score."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def metrics_of(result: PipelineResult) -> dict[str, Any]:
    """Counters and distributions of our stages, and of RunInference in them, by name."""
    query = result.metrics().query(MetricsFilter())
    counters: Counter[str] = Counter()
    distributions: dict[str, dict[str, float]] = {}
    for found in query["counters"]:
        if name := _name(found.key.metric):
            counters[name] += found.result
    for found in query["distributions"]:
        value = found.result
        if name := _name(found.key.metric):
            mean = round(value.mean, 1) if value.count else 0
            distributions[name] = {
                "count": value.count, "mean": mean, "min": value.min, "max": value.max
            }  # fmt: skip
    return {"counters": dict(counters), "distributions": distributions}


def _name(metric: MetricName) -> str:
    """``NAME``, ``STAGE_NAME`` for what RunInference counts in a stage, or nothing for others."""
    if metric.namespace == NAMESPACE:
        return metric.name
    stage = metric.namespace.removeprefix(f"{NAMESPACE}_")
    return "" if stage == metric.namespace else f"{stage}_{metric.name}"


def table_files(output: str, table: str, run_id: str) -> list[str]:
    """Files of one table that this run wrote."""
    pattern = FileSystems.join(output, table, f"{table}-{run_id}-*.parquet")
    return sorted(found.path for found in FileSystems.match([pattern])[0].metadata_list)


def table_rows(output: str, table: str, run_id: str) -> int:
    """Rows of one table, from the footers of its files."""
    rows = 0
    for path in table_files(output, table, run_id):
        with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
            rows += pq.ParquetFile(file).metadata.num_rows
    return rows


def count_rows(output: str, run_id: str, metrics: dict[str, Any]) -> RunCounts:
    """Counts of a finished run."""
    rows = {table: table_rows(output, table, run_id) for table in TABLES}
    counters = metrics["counters"]
    return RunCounts(
        rows_in=counters.get("rows_in", 0),
        tracks=rows["tracks"],
        errors=rows["errors"],
        skipped=counters.get("skipped", 0),
        segments=rows["segments"],
    )


def write_run_record(record: RunRecord, output: str) -> str:
    """Write ``run.json`` and return its address."""
    address = FileSystems.join(output, RECORD)
    with FileSystems.create(address, "application/octet-stream") as file:
        file.write((json.dumps(asdict(record), indent=2, default=str) + "\n").encode())
    return address
