"""Where the time of an audit went.

Enters: a run's record, whose metrics say how long each stage worked. Leaves: a table whose rows
add up to the time that the processes had: what no stage accounts for (start-up of workers, Beam's
own work, waiting) is a row too.
"""

from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from artifactnet.pipeline.output.run_record import RunRecord

LATENCY = "_latency_us"
STAGES = {
    "manifest": "read_manifest",
    "earlier_results": "skip_unchanged: read tables",
    "identify": "skip_unchanged: look at files",
    "decode": "decode",
    "codec": "reencode",
    "statistics": "statistics",
    "stft": "stft",
    "residual": "residual",
    "hpss": "hpss",
    "features": "features",
    "classify": "classify",
    "verdict": "verdict",
    "commit": "write_shards",
    "count_rows": "count_rows",
}
"""Metric and module, in the order in which a track meets them."""
REST = "start of workers, Beam, waiting"


@dataclass(frozen=True)
class StageTime:
    """How long one stage worked, in all processes together.

    Attributes:
      stage: its module.
      elements: what it handled: rows, tables, batches or shards.
      seconds: of work.
      share: of the time that all processes had.
    """

    stage: str
    elements: int
    seconds: float
    share: float


def stage_times(record: RunRecord) -> list[StageTime]:
    """The time of each stage, and last what no stage accounts for.

    Of a job on another engine nobody knows how many processes it had: there is no last row then.
    """
    workers = record.workers
    found = {
        name.removesuffix(LATENCY): values
        for name, values in record.metrics["distributions"].items()
        if name.endswith(LATENCY)
    }
    order = [*STAGES, *sorted(set(found) - set(STAGES))]
    used = {name: found[name]["sum"] / 1e6 for name in order if name in found}
    total = record.seconds * workers or sum(used.values()) or 1.0
    times = [
        StageTime(STAGES.get(name, name), int(found[name]["count"]), seconds, seconds / total)
        for name, seconds in used.items()
    ]
    if workers:
        rest = total - sum(used.values())
        times.append(StageTime(REST, workers, rest, rest / total))
    return times


def print_profile(record: RunRecord, console: Console) -> None:
    """Print the table, and what it adds up to."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("stage")
    for name in ("elements", "seconds", "ms each", "share"):
        table.add_column(name, justify="right")
    times, workers = stage_times(record), record.workers
    for one in times:
        each = 1000 * one.seconds / max(1, one.elements)
        table.add_row(
            one.stage, str(one.elements), f"{one.seconds:.2f}", f"{each:.1f}", f"{one.share:.1%}"
        )
    console.print(table)
    total = sum(one.seconds for one in times)
    said = f"{total:.1f} s"
    if workers:
        said += f" = {workers} process{'es' * (workers > 1)} for {record.seconds:.1f} s"
    console.print(f"{said}\n")
