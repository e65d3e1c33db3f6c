"""``artifactnet status`` and ``finish``: which runs of an output are complete, running or dead.

Enters: an output folder. Leaves: of every run its state, how many shards and rows it has committed,
and when it last wrote. A run whose record lies there is complete. Of the others one is running
while it holds a lease that has not expired; any other one was killed, and the next audit goes on
from what it left. Only looks: nothing is locked or written.
"""

import json
import time
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass

from rich.table import Table

from artifactnet.pipeline.audit.report import results_console
from artifactnet.pipeline.output.finish import finish_runs
from artifactnet.pipeline.output.folder import check_output, sole_writer
from artifactnet.pipeline.output.layout import (
    COUNTS,
    RECORDED,
    START,
    TABLE_FILE,
    is_merged,
    last_written,
    output_files,
)
from artifactnet.pipeline.output.lease import held_lease, release_lease
from artifactnet.pipeline.output.run_record import read_run_record
from artifactnet.transforms.storage.files import table_rows

COMPLETE, RUNNING, DEAD, UNRECORDED = "complete", "running", "dead", "ended without a record"
CONTINUED = "killed, continued"
"""Of a run that was killed and that a later one went on from."""
ADVICE = {
    DEAD: "start the same audit again: it goes on from there",
    UNRECORDED: "its counts are there: `artifactnet finish OUTPUT` writes its record",
}


@dataclass(frozen=True)
class RunStatus:
    """One run.

    Attributes:
      run_id: of it.
      state: ``complete``, ``running``, ``dead``, ``killed, continued`` (a later run is complete) or
        ``ended without a record``.
      shards: that it has committed.
      tracks: rows in them.
      errors: the same.
      quiet_seconds: since it last committed; ``None`` where its files were merged.
    """

    run_id: str
    state: str
    shards: int
    tracks: int
    errors: int
    quiet_seconds: float | None


def run_statuses(output: str) -> list[RunStatus]:
    """Every run that left anything in ``output``, the oldest first.

    Raises:
      ValueError: no audit is there.
    """
    files = output_files(output)
    records, counts, started = map(files.noted_runs, (RECORDED, COUNTS, START))
    shards: Counter[str] = Counter()
    rows: dict[str, Counter[str]] = defaultdict(Counter)
    last: dict[str, float] = {}
    changed = last_written(files.tables["tracks"])
    for table in ("tracks", "errors"):
        for path in files.tables[table]:
            name = TABLE_FILE.search(path)
            if not name or is_merged(name["part"]):
                continue
            rows[name["run"]][table] += table_rows(path)
            if table == "tracks":
                shards[name["run"]] += 1
                last[name["run"]] = max(last.get(name["run"], 0.0), changed.get(path, 0.0))
    runs = sorted(records | counts | started | set(rows))
    held = held_lease(output)
    if not runs and not files.orphans:
        raise ValueError(f"{output}: no audit is there")
    found = []
    for run in runs:
        quiet = time.time() - last[run] if last.get(run) else None
        if run != runs[-1] and not rows[run] and run not in records | counts:
            continue  # it left nothing, and another one followed
        if run in records:
            state = COMPLETE
        elif run in counts:
            state = UNRECORDED
        else:
            alive = held is not None and held.run_id == run
            followed = any(later in records | counts for later in runs if later > run)
            state = RUNNING if alive else CONTINUED if followed else DEAD
        counts_of_run = (shards[run], rows[run]["tracks"], rows[run]["errors"])
        if state == COMPLETE:  # its files may have been merged
            counted = read_run_record(output, run).counts
            counts_of_run = (counted.shards, counted.tracks, counted.errors)
        found.append(RunStatus(run, state, *counts_of_run, quiet))
    return found


def print_status(output: str, as_json: bool) -> int:
    """Print the runs of an output; see :func:`print_statuses`.

    Raises:
      ValueError: no audit is there.
    """
    return print_statuses(run_statuses(output), as_json)


def print_statuses(found: list[RunStatus], as_json: bool) -> int:
    """Print runs.

    Returns:
      Exit code: 1 where the latest run is dead.
    """
    if as_json:
        print(json.dumps([asdict(one) for one in found]))
    else:
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("run")
        table.add_column("state")
        for name in ("shards", "tracks", "errors", "last wrote"):
            table.add_column(name, justify="right")
        for one in found:
            quiet = "" if one.quiet_seconds is None else f"{one.quiet_seconds:,.0f} s ago"
            table.add_row(
                one.run_id, one.state, str(one.shards), str(one.tracks), str(one.errors), quiet
            )
        console = results_console()
        console.print(table)
        for state in dict.fromkeys(one.state for one in found):
            if state in ADVICE:
                console.print(f"{state}: {ADVICE[state]}")
    return int(bool(found) and found[-1].state == DEAD)


def finish_and_print(output: str, release: bool) -> int:
    """End what can be ended, and say in what state the output is.

    Args:
      output: of an audit.
      release: free it first, whoever holds it.

    Returns:
      Exit code: 1 where the latest run was killed before it had counted its rows.

    Raises:
      OutputError, RowsLostError: see :func:`finish_runs` of ``finish.py``.
    """
    if not check_output(output).run_ids() and not held_lease(output):
        raise ValueError(f"{output}: no audit is there")  # and none gets a lock
    with sole_writer(output):
        if release and (held := held_lease(output)):
            release_lease(output, held.run_id)
            print(f"freed: run {held.run_id} of {held.holder} held it")
            if not check_output(output).run_ids():
                return 0
        for record in finish_runs(output):
            counts = record.counts
            print(
                f"run {record.run_id}: {counts.rows_in} rows are {counts.tracks} tracks, "
                f"{counts.errors} errors, {counts.skipped} skipped; its record is written"
            )
    return print_status(output, as_json=False)
