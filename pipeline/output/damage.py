"""Find files of an output that were lost or cut short after they were committed.

Enters: what lies in an output. Leaves: the damaged files by name, and the output as it is without
the shards that they belong to, so that an audit does those again.
"""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from apache_beam.io.filesystems import FileSystems

from artifactnet.pipeline.output.layout import SUMS, TABLE_FILE, OutputFiles, is_merged
from artifactnet.transforms.count_rows import checksum_lines
from artifactnet.transforms.storage.files import open_raw, table_rows, write_bytes
from artifactnet.transforms.write_shards import TABLES

PIECE = 8 << 20
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
    return name["run"], "merged" if is_merged(part) else part


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


def _sha256(address: str) -> str:
    digest = hashlib.sha256()
    with open_raw(address) as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()


def recorded_checksums(output: str, files: OutputFiles) -> dict[str, str]:
    """Address and SHA-256 of every table that a run recorded."""
    found: dict[str, str] = {}
    for note in files.notes:
        if note.endswith(SUMS):
            found |= _checksums_in(output, note)
    return found


def _checksums_in(output: str, note: str) -> dict[str, str]:
    with open_raw(note) as file:
        lines = (line.partition("  ") for line in file.read().decode().splitlines())
        return {FileSystems.join(output, *name.split("/")): digest for digest, _, name in lines}


def all_damage(output: str, files: OutputFiles) -> dict[str, str]:
    """What is wrong with each damaged table; every table that a run recorded is read.

    A run that was killed leaves shards without a checksum; names tell of those what is missing, and
    footers what is damaged.
    """
    recorded = recorded_checksums(output, files)
    tables = {path for paths in files.tables.values() for path in paths}
    problems = dict.fromkeys(damaged_files(files), "missing or cut short")
    lost = recorded.keys() - tables
    problems |= dict.fromkeys(lost, "missing")
    alone = lost & set(files.orphans)
    problems |= dict.fromkeys(alone, "its tracks are missing, so it counts for nothing")
    compared = sorted(tables & recorded.keys())
    with ThreadPoolExecutor(8) as pool:
        for path, digest in zip(compared, pool.map(_sha256, compared), strict=True):
            if digest != recorded[path]:
                problems.setdefault(path, "changed since it was written")
    for path in tables - recorded.keys() - problems.keys():
        try:
            table_rows(path)
        except ValueError:
            problems[path] = "damaged"
    return dict(sorted(problems.items()))


def forget_checksums(output: str, files: OutputFiles) -> None:
    """Leave out of the recorded checksums what is no table of ``files`` any more."""
    tables = {path for paths in files.tables.values() for path in paths}
    for note in files.notes:
        if note.endswith(SUMS):
            own = _checksums_in(output, note)
            kept = {path: digest for path, digest in own.items() if path in tables}
            if kept != own:
                names = ((digest, "/".join(path.split("/")[-2:])) for path, digest in kept.items())
                write_bytes(note, checksum_lines(names))


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
