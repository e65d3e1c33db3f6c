"""``run.json``: what an audit did, and the proof that no row was lost.

Enters: the finished Beam result and the Parquet files. Leaves: ``RunRecord``, written
beside the tables. The pipeline counts what it read, skipped and committed; tracks and errors
are counted again in the footers of the files, not by the code that meant to write them.
"""

import platform
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import Any

from apache_beam.io.filesystems import FileSystems
from apache_beam.metrics import MetricsFilter
from apache_beam.metrics.metricbase import MetricName
from apache_beam.runners.runner import PipelineResult

from artifactnet.pipeline.output.layout import (
    RECORD,
    counts_address,
    output_files,
    record_address,
    start_address,
    table_files,
)
from artifactnet.transforms.elements.stage import NAMESPACE
from artifactnet.transforms.storage.files import absolute, read_json, table_rows, write_json
from artifactnet.transforms.write_shards import TABLES

PACKAGES = ("artifactnet", "apache-beam", "torch", "av", "soundfile", "numpy", "pyarrow")


@dataclass(frozen=True)
class RunCounts:
    """What a run counted; ``rows_in`` must be ``tracks + errors + skipped``.

    Attributes:
      rows_in: lines of the manifests.
      tracks: rows of ``tracks/``.
      errors: rows of ``errors/``.
      skipped: lines that were audited before.
      segments: rows of ``segments/``.
      shards: that were committed.
      repeated_shards: of these, audited again because a worker was lost after writing them.
      skipped_errors: of the skipped lines, those whose result is an error.
    """

    rows_in: int
    tracks: int
    errors: int
    skipped: int
    segments: int
    shards: int = 0
    repeated_shards: int = 0
    skipped_errors: int = 0

    @property
    def error_share(self) -> float:
        """Share of the catalogue's rows that are errors, now or as before.

        Errors of before count too: else a second try of an audit that had too many finds none.
        """
        return (self.errors + self.skipped_errors) / max(1, self.rows_in)

    @property
    def add_up(self) -> bool:
        """Whether every row is accounted for."""
        return self.rows_in == self.tracks + self.errors + self.skipped


@dataclass(frozen=True)
class RunRecord:
    """Content of ``run.json``.

    Attributes:
      run_id: of the run.
      model_id: of the weights.
      config_id: of everything else that decides a score.
      started: UTC.
      seconds: of wall time.
      counts: rows.
      continued: runs that lie in the output without a record, since they were killed, and how
        many shards each had committed.
      configuration: as asked for, secrets left out.
      versions: of what decides a score.
      metrics: counters and distributions of every stage.
      rates: tracks and seconds of audio per second of wall time.
      workers: processes of a local run; 0 for a job on another engine.
      left_out: files of the catalogue that are no audio by their name, by suffix.
    """

    run_id: str
    model_id: str
    config_id: str
    started: str
    seconds: float
    counts: RunCounts
    continued: dict[str, int]
    configuration: dict[str, Any]
    versions: dict[str, str]
    metrics: dict[str, Any]
    rates: dict[str, float]
    left_out: dict[str, int] = field(default_factory=dict)
    workers: int = 0


def latest_record(output: str) -> dict[str, Any]:
    """Content of ``run.json``.

    Raises:
      ValueError: no run has ended.
    """
    try:
        record: dict[str, Any] = read_json(FileSystems.join(output, RECORD))
    except FileNotFoundError as error:
        raise ValueError(
            f"{output}: no run has ended here; artifactnet status {output} says what to do"
        ) from error
    return record


def recorded_catalogue(output: str) -> str:
    """Address of the catalogue that the audit in ``output`` is of; empty where there is none."""
    if not output_files(output).holds_audit:
        return ""
    try:
        return absolute(str(latest_record(output)["configuration"]["catalogue"]))
    except (OSError, KeyError, TypeError, ValueError):
        return "an audit that did not end"


def versions() -> dict[str, str]:
    """Python and the packages that decide a score."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def metrics_of(result: PipelineResult) -> dict[str, Any]:
    """Counters and distributions of our stages, and of RunInference in them, by name.

    There are none from a runner that has no metrics.
    """
    try:
        query = result.metrics().query(MetricsFilter())
    except NotImplementedError:
        query = {"counters": [], "distributions": []}
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
                "count": value.count, "sum": value.sum, "mean": mean,
                "min": value.min, "max": value.max,
            }  # fmt: skip
    return {"counters": dict(counters), "distributions": distributions}


def _name(metric: MetricName) -> str:
    """``NAME``, ``STAGE_NAME`` for what RunInference counts in a stage, or nothing for others."""
    if metric.namespace == NAMESPACE:
        return metric.name
    stage = metric.namespace.removeprefix(f"{NAMESPACE}_")
    return "" if stage == metric.namespace else f"{stage}_{metric.name}"


def rows_of_table(output: str, table: str, run_id: str) -> int:
    """Rows of one table that one run wrote, from the footers of its files."""
    with ThreadPoolExecutor(16) as pool:
        return sum(pool.map(table_rows, table_files(output, table, run_id)))


def count_rows(output: str, run_id: str) -> RunCounts:
    """Counts of a finished run."""
    rows = {table: rows_of_table(output, table, run_id) for table in TABLES}
    counted = read_json(counts_address(output, run_id))
    if not isinstance(counted, dict) or not {"rows_in", "skipped"} <= set(counted):
        raise ValueError(f"{counts_address(output, run_id)}: not what a run counted")
    return RunCounts(
        rows_in=counted["rows_in"],
        tracks=rows["tracks"],
        errors=rows["errors"],
        skipped=counted["skipped"],
        segments=rows["segments"],
        shards=counted.get("shards", 0),
        repeated_shards=counted.get("repeated", 0),
        skipped_errors=counted.get("skipped_errors", 0),
    )


def read_run_record(output: str, run_id: str) -> RunRecord:
    """The record of a run that is complete.

    Raises:
      ValueError: it is none.
    """
    found = read_json(record_address(output, run_id))
    try:
        return RunRecord(**{**found, "counts": RunCounts(**found["counts"])})
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{record_address(output, run_id)}: not an audit's record") from error


def write_run_record(record: RunRecord, output: str) -> None:
    """Write the record of a run, and its copy ``run.json``."""
    for address in (record_address(output, record.run_id), FileSystems.join(output, RECORD)):
        write_json(address, asdict(record))


def segments_of_run(output: str, run_id: str) -> int | None:
    """Windows that a run planned of a track at most, ``None`` for all; of a killed one, as asked.

    A row of ``tracks/`` has those that were scored, without the silent and the unreadable ones:
    who hears the track again plans as many as the run did.

    Raises:
      ValueError: nothing is known of the run.
    """
    for address in (record_address(output, run_id), start_address(output, run_id)):
        if FileSystems.exists(address):
            found = read_json(address)["configuration"]["segments"]
            return None if found is None else int(found)
    raise ValueError(f"{output}: nothing says how run {run_id} was configured")
