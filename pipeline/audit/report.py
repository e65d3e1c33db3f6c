"""What ``artifactnet audit`` tells when it is done.

Enters: a run's record and tables. Leaves: a table of verdicts on the terminal, the clearest cases
first, a line of counts, or JSON; and the exit code.
"""

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from artifactnet.pipeline.audit.profile import print_profile
from artifactnet.pipeline.audit.request import AuditRequest
from artifactnet.pipeline.audit.run import run_audit
from artifactnet.pipeline.output.latest import read_state
from artifactnet.pipeline.output.layout import table_files
from artifactnet.pipeline.output.run_record import RunRecord
from artifactnet.transforms.elements.records import AuditedTrack, ErrorRow
from artifactnet.transforms.elements.verdicts import PARTIAL, VERDICTS
from artifactnet.transforms.storage.files import absolute, open_table

COLOURS = {
    "ai": "red",
    "partial": "red",
    "real": "green",
    "uncertain": "yellow",
    "error": "magenta",
}
ORDER = (*VERDICTS, "error")
MOST_ROWS = 40
LEAST_ERRORS = 10
UNFOLDED = 1000
"""Columns of what is no terminal."""
LONGEST_TEXT = 300
TRACK_COLUMNS = ["track_id", "verdict", "p_ai", "p_ai_spread", "codec_drift", "segments", "notes"]
ERROR_COLUMNS = ["track_id", "uri", "stage", "message"]


@dataclass(frozen=True)
class VerdictLine:
    """One track in the table; ``p_ai`` is ``None`` for an error, whose reason is ``note``."""

    track_id: str
    verdict: str
    p_ai: float | None = None
    spread: float | None = None
    drift: float | None = None
    segments: int | None = None
    note: str = ""


@dataclass(frozen=True)
class AuditResults:
    """Verdicts counted (errors among them), and the lines to show."""

    verdicts: Counter
    lines: list[VerdictLine]


def result_line(result: AuditedTrack | ErrorRow) -> VerdictLine:
    """The line of a result that was not written to a table."""
    if isinstance(result, ErrorRow):
        note = f"{result.failure.stage}: {result.failure.message}"
        return VerdictLine(result.row.track_id, "error", note=note)
    verdict = result.verdict
    return VerdictLine(
        result.track.row.track_id,
        verdict.verdict,
        verdict.p_ai,
        verdict.p_ai_spread,
        verdict.codec_drift,
        len(result.segments) // len(verdict.codec_scores),
        "; ".join(result.track.notes),
    )


def _rows(output: str, run_id: str, table: str, columns: list[str]) -> Iterator[dict[str, Any]]:
    for path in table_files(output, table, run_id):
        with open_table(path) as parquet:
            for batch in parquet.iter_batches(columns=columns):
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


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def printable(text: str) -> str:
    """Text of a manifest, without what a terminal would take for a command."""
    text = text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "..."
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def print_verdicts(
    lines: list[VerdictLine], total: int, console: Console, most: int = MOST_ROWS
) -> None:
    """Print at most ``most`` of ``lines``; ``total`` is how many tracks there were."""
    ranked = sorted(lines, key=lambda line: (ORDER.index(line.verdict), -(line.p_ai or 0)))
    # However long the catalogue is, the reasons of a few errors are among what is shown.
    errors = [line for line in ranked if line.verdict == "error"][:LEAST_ERRORS]
    ranked = ranked[: most - len(errors)] + [
        line for line in ranked[most - len(errors) :] if line.verdict == "error"
    ]
    with_drift = any(line.drift is not None for line in lines)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("track", overflow="fold")
    table.add_column("verdict")
    for name in ("P(AI)", "spread", "drift") if with_drift else ("P(AI)", "spread"):
        table.add_column(name, justify="right")
    table.add_column("segments", justify="right")
    table.add_column("note", overflow="fold")
    for line in ranked[:most]:
        numbers = [_number(line.p_ai), _number(line.spread)]
        if with_drift:
            numbers.append(_number(line.drift))
        colour = COLOURS[line.verdict]
        table.add_row(
            Text(printable(line.track_id)),
            f"[{colour}]{line.verdict}[/]",
            *numbers,
            "" if line.segments is None else str(line.segments),
            Text(printable(line.note)),
        )
    console.print(table)
    if total > most:
        console.print(f"... {min(most, len(lines))} of {total} tracks shown")


def summary(verdicts: Counter) -> str:
    """Counts of each verdict in words, e.g. ``2 ai, 0 uncertain, 3 real, 1 error``."""
    named = (name for name in ORDER if name != PARTIAL or verdicts[name])
    return ", ".join(f"{verdicts[name]} {name}" for name in named)


def held_verdicts(folder: str) -> Counter:
    """Latest verdicts of all tracks in an output, errors among them."""
    database = read_state(folder).database
    rows = database.execute("SELECT verdict, count(*) FROM tracks GROUP BY verdict").fetchall()
    (errors,) = database.execute("SELECT count(*) FROM errors").fetchall()[0]
    return Counter(dict(rows)) + Counter(error=errors)


def results_console() -> Console:
    """Standard output for tables; into a file or a pipe, long names stay on their line."""
    folded = sys.stdout.isatty() or "COLUMNS" in os.environ
    width = None if folded else UNFOLDED
    return Console(highlight=False, soft_wrap=True, emoji=False, width=width)


def _print_record(record: RunRecord, folder: str, profile: bool) -> None:
    console = results_console()
    if profile:
        print_profile(record, console)
    results = read_results(folder, record.run_id)
    counts = record.counts
    done = counts.tracks + counts.errors
    rate = f" ({record.rates['tracks_per_second']:.1f} tracks/s)" if done else ""
    if counts.skipped and not done:
        held = summary(held_verdicts(folder))
        console.print(f"nothing new: {counts.skipped} tracks as before; {folder} holds {held}")
    else:
        print_verdicts(results.lines, done, console)
        console.print(f"\n{summary(results.verdicts)}")
        if counts.skipped:
            console.print(f"{counts.skipped} audited before and unchanged")
    if counts.repeated_shards:
        console.print(f"{counts.repeated_shards} shards were done again after a worker was lost")
    if record.left_out:
        total = sum(record.left_out.values())
        kinds = ", ".join(f"{count} {suffix}" for suffix, count in record.left_out.items())
        console.print(f"{total} files left out, no audio by their name: {printable(kinds)}")
    console.print(f"{counts.rows_in} rows in {record.seconds:.0f} s{rate}")
    console.print(f"Parquet: {folder}/{{tracks,segments,errors}}/*.parquet")
    console.print(f"Record:  {folder}/run.json")


def audit_and_report(request: AuditRequest, as_json: bool, profile: bool = False) -> int:
    """Run an audit and print what came of it.

    Args:
      request: what to audit.
      as_json: print the run record as JSON.
      profile: print where the time went.

    Returns:
      Exit code: 1 when more rows were errors than the request allows, else 0.
    """
    record = run_audit(request)
    folder = absolute(request.output)
    if as_json:
        print(json.dumps({**asdict(record), "output": folder}, indent=2, default=str))
    else:
        _print_record(record, folder, profile)
        if request.sample < 1 and not record.counts.rows_in:
            print(
                f"The sample of {request.sample:g} drew no row: raise --sample, or draw another "
                "with --seed.",
                file=sys.stderr,
            )
    most = request.fail_on_errors
    if most is not None and (share := record.counts.error_share) > most:
        print(
            f"error: {share:.1%} of the rows are errors, more than {most:.1%}; "
            f"see {folder}/errors/",
            file=sys.stderr,
        )
        return 1
    return 0
