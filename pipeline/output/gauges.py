"""``artifactnet status --metrics FILE``: the state of an output as Prometheus reads it.

Enters: an output. Leaves: a text file for the textfile collector of Prometheus' node exporter. It
all comes from the tables and records, not from an engine, so it is the same for every one, and
while a run is at work as after it. ``NAMES`` is what dashboards and alerts may rely on.
"""

import re
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from artifactnet.pipeline.audit.report import held_verdicts
from artifactnet.pipeline.output.latest import OutputState, read_state
from artifactnet.pipeline.output.layout import STAMP, output_files, record_address
from artifactnet.pipeline.output.run_record import read_run_record
from artifactnet.pipeline.output.status import COMPLETE, DEAD, RUNNING, UNRECORDED, RunStatus
from artifactnet.transforms.elements.verdicts import VERDICTS

NAMES = {
    "artifactnet_run_state": "1 for the state of the run that was started last, else 0",
    "artifactnet_run_committed_rows": "rows that the run that was started last has committed",
    "artifactnet_run_quiet_seconds": "since the run that was started last committed a shard",
    "artifactnet_success_timestamp_seconds": "when a run was complete last",
    "artifactnet_run_rows": "rows of a complete run",
    "artifactnet_run_errors": "rows of a complete run that are errors",
    "artifactnet_run_verdicts": "tracks of a complete run by verdict",
    "artifactnet_run_p_ai": "percentiles of p_ai over the tracks of a complete run",
    "artifactnet_run_seconds": "wall time of a complete run",
    "artifactnet_run_tracks_per_second": "tracks of a complete run by its wall time",
    "artifactnet_tracks": "tracks of the catalogue by their latest verdict",
    "artifactnet_errors": "lines of the catalogue whose latest result is an error",
}
"""Every gauge and what it counts. ``run`` is ``latest`` or ``previous``, of those that did work."""

PERCENTILES = (10, 50, 90, 99)
STATES = {COMPLETE: "complete", RUNNING: "running", DEAD: "dead", UNRECORDED: "unrecorded"}
WORKED = ("latest", "previous")


class Sample(NamedTuple):
    """One number: which gauge, which labels."""

    name: str
    labels: dict[str, str]
    value: float


def samples(output: str, runs: list[RunStatus]) -> Iterator[Sample]:
    """Every number about an output.

    Args:
      output: of an audit.
      runs: in it, as ``run_statuses`` finds them.
    """
    last = runs[-1]
    for state, label in STATES.items():
        yield Sample("artifactnet_run_state", {"state": label}, float(last.state == state))
    yield Sample("artifactnet_run_committed_rows", {}, last.tracks + last.errors)
    yield Sample("artifactnet_run_quiet_seconds", {}, _quiet_seconds(last))
    complete = [one.run_id for one in runs if one.state == COMPLETE]
    records = (read_run_record(output, run) for run in reversed(complete))
    worked = []
    for number, record in enumerate(records):
        if number == 0:
            begun = datetime.fromisoformat(record.started).timestamp()
            yield Sample("artifactnet_success_timestamp_seconds", {}, begun + record.seconds)
        if record.counts.tracks + record.counts.errors:
            worked.append(record)
        if len(worked) == len(WORKED):
            break
    for label, record in zip(WORKED, worked, strict=False):
        counts = asdict(record.counts)
        for kind in ("tracks", "errors", "skipped"):
            yield Sample("artifactnet_run_rows", {"run": label, "result": kind}, counts[kind])
        yield Sample("artifactnet_run_seconds", {"run": label}, record.seconds)
        rate = record.rates["tracks_per_second"]
        yield Sample("artifactnet_run_tracks_per_second", {"run": label}, rate)
        yield from _of_run(read_state(record_address(output, record.run_id)), label)
    if output_files(output).holds_audit:
        held = held_verdicts(output)
        for verdict in VERDICTS:
            yield Sample("artifactnet_tracks", {"verdict": verdict}, held[verdict])
        yield Sample("artifactnet_errors", {}, held["error"])


def _quiet_seconds(run: RunStatus) -> float:
    """Since a run last committed, or since it began where it has not."""
    if run.quiet_seconds is not None:
        return run.quiet_seconds
    begun = datetime.strptime(run.run_id.partition("-")[0], STAMP).replace(tzinfo=UTC)
    return max(0.0, time.time() - begun.timestamp())


def _of_run(state: OutputState, label: str) -> Iterator[Sample]:
    of_run = (state.run_id,)
    found = dict(
        state.database.execute(
            "SELECT verdict, count(*) FROM tracks WHERE run_id = ? GROUP BY ALL", of_run
        ).fetchall()
    )
    for verdict in VERDICTS:
        labels = {"run": label, "verdict": verdict}
        yield Sample("artifactnet_run_verdicts", labels, found.get(verdict, 0))
    shares = [one / 100 for one in PERCENTILES]
    (values,) = state.database.execute(
        f"SELECT quantile_cont(p_ai, {shares}) FROM tracks WHERE run_id = ?",  # noqa: S608
        of_run,
    ).fetchall()[0]
    for percentile, value in zip(PERCENTILES, values or (), strict=False):
        labels = {"run": label, "percentile": str(percentile)}
        yield Sample("artifactnet_run_p_ai", labels, value)
    for stage, kind, count in state.database.execute(
        "SELECT stage, error_class, count(*) FROM errors WHERE run_id = ? GROUP BY ALL", of_run
    ).fetchall():
        labels = {"run": label, "stage": stage, "error_class": kind}
        yield Sample("artifactnet_run_errors", labels, count)


def write_gauges(output: str, runs: list[RunStatus], path: Path) -> None:
    """Write every number about an output; the file appears whole.

    Args:
      output: of an audit; every sample carries it as the label ``output``, without what could
        be a secret in an address.
      runs: in it.
      path: ends in ``.prom``, or the collector passes it over.

    Raises:
      ValueError: another name.
    """
    if path.suffix != ".prom":
        raise ValueError(f"{path}: the textfile collector reads files that end in .prom")
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name a file")
    registry = CollectorRegistry()
    gauges: dict[str, Gauge] = {}
    where = re.sub(r"//[^/@]*@", "//", output)
    for name, labels, value in samples(output, runs):
        if name not in gauges:
            gauges[name] = Gauge(name, NAMES[name], ["output", *labels], registry=registry)
        gauges[name].labels(output=where, **labels).set(value)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_to_textfile(str(path), registry)
