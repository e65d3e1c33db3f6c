"""``artifactnet list``: the tracks of an output, chosen and sorted, without a database at hand.

Enters: an output folder and what to choose. Leaves: a table on the terminal, or CSV, JSON lines, or
a playlist, of each track's latest result.
"""

import csv
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple, TextIO

import duckdb
import pyarrow as pa
from rich.table import Table
from rich.text import Text

from artifactnet.models.first_line import first_line
from artifactnet.pipeline.audit.report import COLOURS, printable, results_console
from artifactnet.pipeline.output.latest import read_audit

SHOWN = ("track_id", "verdict", "p_ai", "p_ai_spread", "segments", "reason", "notes")
MOST_ROWS = 100
"""On a terminal, unless more are asked for."""


class Form(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    M3U = "m3u"


@dataclass(frozen=True)
class Choice:
    """Which tracks, in which order.

    Attributes:
      verdicts: of these only; of all if none.
      where: SQL on the columns of ``tracks/``; or empty.
      sort: column; a score's highest come first, a text's first in the alphabet.
      limit: most rows; 0 for all.
    """

    verdicts: tuple[str, ...] = ()
    where: str = ""
    sort: str = "p_ai"
    limit: int = 0


class Chosen(NamedTuple):
    """Rows of ``tracks/``.

    Attributes:
      rows: chosen.
      total: how many there are without the limit.
      columns: of the table.
    """

    rows: list[dict[str, Any]]
    total: int
    columns: list[str]


def chosen_rows(output: str, choice: Choice) -> Chosen:
    """The chosen rows of the audit in ``output``.

    Raises:
      ValueError: no audit is there, no such column, or ``where`` is no condition.
    """
    return chosen_of(read_audit(output).tracks, choice)


def chosen_of(tracks: pa.Table, choice: Choice) -> Chosen:
    """The chosen rows of the table ``tracks``.

    Raises:
      ValueError: no such column, or ``where`` is no condition.
    """
    names = tracks.column_names
    if choice.sort not in names:
        raise ValueError(f"--sort {choice.sort}: no such column; use one of {', '.join(names)}")
    database = duckdb.connect(config={"enable_external_access": False})
    database.register("tracks", tracks)
    conditions = ["true"]
    values: list[str] = []
    if choice.verdicts:
        conditions.append(f"verdict IN ({', '.join('?' * len(choice.verdicts))})")
        values += choice.verdicts
    if choice.where:
        conditions.append(f"({choice.where})")
    number = tracks.schema.field(choice.sort).type in ("double", "float", "int32", "int64")
    query = (
        f"SELECT * FROM tracks WHERE {' AND '.join(conditions)} "  # noqa: S608 (the user's own)
        f'ORDER BY "{choice.sort}" {"DESC" if number else "ASC"} NULLS LAST, track_id'
    )
    try:
        relation = database.sql(query, params=values)
        found = [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]
    except duckdb.Error as error:
        raise ValueError(f"--where {choice.where}: {first_line(error)}") from error
    return Chosen(found[: choice.limit or None], len(found), names)


def _as_table(rows: Sequence[dict[str, Any]], total: int) -> None:
    console = results_console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in SHOWN:
        table.add_column(name, overflow="fold")
    for row in rows:
        cells = []
        for name in SHOWN:
            value = row.get(name)
            text = "; ".join(value) if isinstance(value, list) else value
            text = f"{text:.3f}" if isinstance(text, float) else "" if text is None else str(text)
            cells.append(Text(printable(text), COLOURS.get(text, "") if name == "verdict" else ""))
        table.add_row(*cells)
    console.print(table)
    if total > len(rows):
        console.print(f"... {len(rows)} of {total} tracks shown; --limit 0 shows all")


def write_rows(chosen: Chosen, form: Form, out: TextIO) -> None:
    """Write rows as CSV (lists as JSON), JSON lines, or a playlist of their addresses."""
    rows = chosen.rows
    if form is Form.JSON:
        for row in rows:
            out.write(json.dumps(row, default=str) + "\n")
        return
    if form is Form.M3U:
        out.write("#EXTM3U\n")
        for row in rows:
            title = f"{row['verdict']} {row['p_ai']:.3f} {row['track_id']}"
            out.write(f"#EXTINF:{round(row['duration'])},{' '.join(title.split())}\n")
            out.write(" ".join(row["uri"].splitlines()) + "\n")
        return
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(chosen.columns)
    for row in rows:
        writer.writerow(
            [json.dumps(v, default=str) if isinstance(v, list) else v for v in row.values()]
        )


def list_tracks(output: str, choice: Choice, form: Form) -> None:
    """Print the chosen tracks.

    Raises:
      ValueError: see ``chosen_rows``.
    """
    chosen = chosen_rows(output, choice)
    if form is Form.TABLE:
        _as_table(chosen.rows, chosen.total)
    else:
        write_rows(chosen, form, sys.stdout)
