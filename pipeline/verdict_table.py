"""Verdicts as a person reads them.

Enters: rows of ``tracks/`` and ``errors/``. Leaves: a table on the terminal, the clearest
cases first, and a line of counts.
"""

from collections import Counter
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

COLOURS = {"ai": "red", "real": "green", "uncertain": "yellow", "error": "magenta"}
ORDER = ("ai", "uncertain", "real", "error")
MOST_ROWS = 40
LONGEST_TEXT = 300


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


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _printable(text: str) -> str:
    """Text of a manifest, without what a terminal would take for a command."""
    text = text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "..."
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def print_verdicts(
    lines: list[VerdictLine], total: int, console: Console, most: int = MOST_ROWS
) -> None:
    """Print at most ``most`` of ``lines``; ``total`` is how many tracks there were."""
    ranked = sorted(lines, key=lambda line: (ORDER.index(line.verdict), -(line.p_ai or 0)))
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
            Text(_printable(line.track_id)),
            f"[{colour}]{line.verdict}[/]",
            *numbers,
            "" if line.segments is None else str(line.segments),
            Text(_printable(line.note)),
        )
    console.print(table)
    if total > most:
        console.print(f"... {min(most, len(lines))} of {total} tracks shown")


def summary(verdicts: Counter) -> str:
    """Counts of each verdict in words, e.g. ``2 ai, 0 uncertain, 3 real, 1 error``."""
    return ", ".join(f"{verdicts[name]} {name}" for name in ORDER)
