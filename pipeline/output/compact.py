"""``artifactnet compact``: merge the small files of an output, and drop what is superseded.

Enters: an output folder. Leaves: the same rows in few files, each line's latest result only. The
new files are written beside the old ones under another name; a journal then says which replace
which, and from there on the swap is carried through, by the next command if a kill cut this one
short.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa
from apache_beam.io.filesystems import FileSystems

from artifactnet.pipeline.output.folder import check_output, clear_orphans, sole_writer
from artifactnet.pipeline.output.latest import (
    OutputState,
    current_rows,
    read_state,
    superseded_rows,
)
from artifactnet.pipeline.output.layout import (
    RUNS,
    SUMS,
    SWAP,
    OutputFiles,
    checksums_address,
    new_run_id,
    pending_swaps,
)
from artifactnet.pipeline.output.lease import refuse_held
from artifactnet.transforms.count_rows import checksum_lines
from artifactnet.transforms.storage.files import (
    concat_tables,
    parquet_bytes,
    read_json,
    read_table,
    write_bytes,
    write_json,
)
from artifactnet.transforms.write_shards import TABLES, table_file


class Swap(NamedTuple):
    """Files to bring in (they lie under the name with ``.new``), and files to remove."""

    new: tuple[str, ...]
    old: tuple[str, ...]


def journal_address(output: str, run_id: str) -> str:
    """Where the journal of a swap lies."""
    return FileSystems.join(output, RUNS, f"{run_id}{SWAP}")


def _carry_through(swap: Swap) -> None:
    # Old files go first: a reader may miss rows for a moment, but never sees one twice.
    FileSystems.delete([path for path in swap.old if FileSystems.exists(path)])
    for path in swap.new:
        if FileSystems.exists(f"{path}.new"):
            FileSystems.rename([f"{path}.new"], [path])


def finish_swaps(output: str) -> None:
    """Carry through every swap whose journal lies in ``output``."""
    for address in pending_swaps(output):
        journal = read_json(address)
        _carry_through(Swap(tuple(journal["new"]), tuple(journal["old"])))
        FileSystems.delete([address])


ROWS_PER_FILE = 250_000


@dataclass(frozen=True)
class Compacted:
    """Files and rows before and after."""

    files_before: int
    files_after: int
    dropped: int


def merged_tables(
    paths: tuple[str, ...], name: str, superseded: set[tuple[str, str]], rows_per_file: int
) -> Iterator[tuple[pa.Table, int]]:
    """Tables of about ``rows_per_file`` rows, and how many rows each is without."""
    waiting: list[pa.Table] = []
    dropped = 0
    for path in paths:
        table = read_table(path)
        kept = current_rows(table, name, superseded)
        dropped += len(table) - len(kept)
        waiting.append(kept)
        if sum(len(one) for one in waiting) >= rows_per_file:
            yield concat_tables(waiting), dropped
            waiting, dropped = [], 0
    if waiting:
        yield concat_tables(waiting), dropped


def _write(
    state: OutputState, files: OutputFiles, run_id: str, rows_per_file: int
) -> tuple[Swap, int]:
    superseded = superseded_rows(state)
    new, dropped = [], 0
    checksums: list[tuple[str, str]] = []
    for name in TABLES:
        merged = merged_tables(files.tables[name], name, superseded, rows_per_file)
        for number, (table, without) in enumerate(merged):
            target = table_file(state.output, name, run_id, f"c{number:05d}")
            content = parquet_bytes(table)
            write_bytes(f"{target}.new", content)
            new.append(target)
            digest = hashlib.sha256(content).hexdigest()
            checksums.append((digest, f"{name}/{target.rpartition('/')[2]}"))
            dropped += without if name != "segments" else 0
    sums = checksums_address(state.output, run_id)
    write_bytes(f"{sums}.new", checksum_lines(checksums))
    old = [path for paths in files.tables.values() for path in paths]
    old_sums = [note for note in files.notes if note.endswith(SUMS)]
    return Swap((*new, sums), (*old, *old_sums)), dropped


def compact(output: str, rows_per_file: int = ROWS_PER_FILE) -> Compacted:
    """Compact an output.

    Raises:
      OutputError: another audit is at work there.
      ValueError: no audit is there.
    """
    if not check_output(output).holds_audit:
        raise ValueError(f"{output}: no audit is there")
    with sole_writer(output):
        refuse_held(output)
        finish_swaps(output)
        files = check_output(output)
        state = read_state(output)
        clear_orphans(files, output)
        run_id = new_run_id(files.run_ids())
        swap, dropped = _write(state, files, run_id, rows_per_file)
        write_json(journal_address(output, run_id), swap._asdict())
        finish_swaps(output)
    before, after = (sum(not path.endswith(SUMS) for path in side) for side in (swap.old, swap.new))
    return Compacted(before, after, dropped)
