"""``artifactnet compact``: merge the small files of an output, and drop what is superseded.

Enters: an output folder. Leaves: the same rows in few files, each line's latest result only.
The new files are written beside the old ones under another name; a journal then says which
replace which, and from there on the swap is carried through, by the next command if need be.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from pipeline.output_folder import check_output, clear_orphans, sole_writer
from pipeline.output_state import OutputState, read_file, read_state
from pipeline.run_files import OutputFiles, new_run_id
from pipeline.swap import Swap, finish_swaps, journal_address
from transforms.commit_shards import TABLES, table_file, table_parquet, write_bytes

ROWS_PER_FILE = 250_000


@dataclass(frozen=True)
class Compacted:
    """Files and rows before and after."""

    files_before: int
    files_after: int
    dropped: int


def _keys(table: pa.Table, name: str) -> list[tuple[str, str]]:
    runs = table["run_id"].to_pylist()
    ids = table["track_id"].to_pylist()
    if name != "errors":
        return list(zip(ids, runs, strict=True))
    columns = [table[one].to_pylist() for one in ("stage", "manifest", "line")]
    return [
        (f"{manifest}\n{line}" if stage == "manifest" else track_id, run)
        for track_id, run, stage, manifest, line in zip(ids, runs, *columns, strict=True)
    ]


def _merged(
    paths: tuple[str, ...], name: str, superseded: set[tuple[str, str]], rows_per_file: int
) -> Iterator[tuple[pa.Table, int]]:
    """Tables of about ``rows_per_file`` rows, and how many rows each is without."""
    waiting: list[pa.Table] = []
    dropped = 0
    for path in paths:
        table = read_file(path)
        keep = [key not in superseded for key in _keys(table, name)]
        dropped += len(keep) - sum(keep)
        waiting.append(table.filter(pa.array(keep, pa.bool_())))
        if sum(len(one) for one in waiting) >= rows_per_file:
            yield pa.concat_tables(waiting, promote_options="permissive"), dropped
            waiting, dropped = [], 0
    if waiting:
        yield pa.concat_tables(waiting, promote_options="permissive"), dropped


def _write(
    state: OutputState, files: OutputFiles, run_id: str, rows_per_file: int
) -> tuple[Swap, int]:
    superseded = set(state.database.execute("SELECT key, run_id FROM superseded").fetchall())
    new, dropped = [], 0
    for name in TABLES:
        merged = _merged(files.tables[name], name, superseded, rows_per_file)
        for number, (table, without) in enumerate(merged):
            target = table_file(state.output, name, run_id, f"c{number:05d}")
            write_bytes(f"{target}.new", table_parquet(table))
            new.append(target)
            dropped += without if name != "segments" else 0
    old = [path for paths in files.tables.values() for path in paths]
    return Swap(tuple(new), tuple(old)), dropped


def compact(output: str, rows_per_file: int = ROWS_PER_FILE) -> Compacted:
    """Compact an output.

    Raises:
      OutputError: another audit is at work there.
      ValueError: no audit is there.
    """
    if not check_output(output).holds_audit:
        raise ValueError(f"{output}: no audit is there")
    with sole_writer(output):
        finish_swaps(output)
        files = check_output(output)
        state = read_state(output)
        clear_orphans(files, output)
        run_id = new_run_id()
        swap, dropped = _write(state, files, run_id, rows_per_file)
        content = json.dumps({"new": swap.new, "old": swap.old}).encode()
        write_bytes(journal_address(output, run_id), content)
        finish_swaps(output)
    return Compacted(len(swap.old), len(swap.new), dropped)
