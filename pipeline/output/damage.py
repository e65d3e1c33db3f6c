"""Find files of an output that were lost or cut short after they were committed.

Enters: what lies in an output. Leaves: the damaged files by name, and the output as it is without
the shards that they belong to, so that an audit does those again.
"""

from dataclasses import replace
from pathlib import Path

from artifactnet.pipeline.output.layout import TABLE_FILE, OutputFiles
from artifactnet.transforms.storage.files import table_rows
from artifactnet.transforms.write_shards import TABLES

MAGIC = b"PAR1"
"""First and last bytes of a Parquet file."""


def _is_whole(path: str) -> bool:
    """Whether a local file begins and ends as Parquet; others are taken for whole."""
    if "://" in path:
        return True
    try:
        with Path(path).open("rb") as file:
            head = file.read(len(MAGIC))
            file.seek(-len(MAGIC), 2)
            return head == MAGIC == file.read()
    except OSError:
        return False


def _shard(path: str) -> tuple[str, str]:
    """Run and part of a table's file; all that ``compact`` merged at once is one."""
    name = TABLE_FILE.search(path)
    assert name, "a listed table has a table's name"
    part = name["part"]
    return name["run"], part if len(part) == 12 else "merged"


def damaged_files(files: OutputFiles) -> tuple[str, ...]:
    """Tables that are cut short, and segments that are missing though their tracks are there.

    Only looks at names, and at both ends of local files; ``artifactnet verify`` reads them.
    """
    cut = [path for table in TABLES for path in files.tables[table] if not _is_whole(path)]
    there = {_shard(path) for path in files.tables["segments"]}
    missing = [
        path.replace("/tracks/tracks-", "/segments/segments-")
        for path in files.tables["tracks"]
        if _shard(path) not in there and path not in cut and table_rows(path)
    ]
    return tuple(sorted([*cut, *missing]))


def without_damaged(files: OutputFiles, damaged: tuple[str, ...]) -> OutputFiles:
    """``files`` whose damaged shards count as never committed."""
    lost = {_shard(path) for path in damaged}
    gone = {path for paths in files.tables.values() for path in paths if _shard(path) in lost}
    return replace(
        files,
        tables={
            table: tuple(path for path in paths if path not in gone)
            for table, paths in files.tables.items()
        },
        orphans=tuple(sorted({*files.orphans, *gone})),
    )
