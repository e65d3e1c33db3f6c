"""The folder or bucket that an audit writes to.

Enters: an address. Leaves: a look at what lies there, a lock that keeps a second audit out,
and a place without what a killed run left half-way.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from apache_beam.io.filesystem import BeamIOError
from apache_beam.io.filesystems import FileSystems
from filelock import FileLock, Timeout

from artifactnet.pipeline.output.layout import TABLE_FILE, OutputFiles, older_than, output_files
from artifactnet.transforms.elements.output_schema import ERROR_SCHEMA, SEGMENT_SCHEMA, track_schema
from artifactnet.transforms.manifests.columns import ManifestLayout
from artifactnet.transforms.storage.files import GLOB_CHARACTERS, parquet_bytes, write_bytes
from artifactnet.transforms.write_shards import table_file

LOCK = ".lock"
EMPTY_PART = 12 * "0"
ORPHAN_SECONDS = 900.0


class OutputError(ValueError):
    """The output can't be used; the message says what to do."""


def check_name(output: str) -> None:
    """Refuse a name that Beam would take for a pattern.

    Raises:
      OutputError: it is one.
    """
    if GLOB_CHARACTERS & set(output):
        raise OutputError(f"{output}: an output folder can't have * ? or [ in its name")


def check_output(output: str) -> OutputFiles:
    """Look at what lies in the output.

    Raises:
      OutputError: it can't be used.
    """
    try:
        return output_files(output)
    except (OSError, BeamIOError, ValueError) as error:
        raise OutputError(f"{output}: can't be used ({error})") from error


def make_output(output: str) -> None:
    """Create the folder and try to write there.

    Raises:
      OutputError: it can't be written.
    """
    if "://" in output:
        return
    try:
        Path(output).mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=output).close()
    except OSError as error:
        raise OutputError(f"{output}: can't be written ({error.strerror})") from error


@contextmanager
def sole_writer(output: str) -> Iterator[None]:
    """Keep a second audit on this machine out of ``output``.

    Raises:
      OutputError: another one is at work there.
    """
    if "://" in output:
        yield
        return
    lock = FileLock(Path(output) / LOCK, blocking=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise OutputError(f"{output}: another audit is writing there; wait for it") from error
    try:
        yield
    finally:
        lock.release()


def clear_orphans(files: OutputFiles, output: str) -> None:
    """Remove what a killed run left half-way; it will be audited again."""
    if not files.orphans:
        return
    # In a bucket another audit may be at work on what looks like an orphan.
    in_bucket = "://" in output
    stale = older_than(files.orphans, ORPHAN_SECONDS) if in_bucket else set(files.orphans)
    FileSystems.delete(sorted(stale))


def complete_tables(output: str, run_id: str, layout: ManifestLayout) -> None:
    """Give each table at least one file, so that a reader of an audit without errors finds it."""
    files = output_files(output)
    if not files.tables["tracks"]:
        nothing = parquet_bytes(track_schema(layout).empty_table())
        write_bytes(table_file(output, "tracks", run_id, EMPTY_PART), nothing)
        files = output_files(output)
    name = TABLE_FILE.search(files.tables["tracks"][0])
    assert name, "a listed table has a table's name"
    for table, schema in (("segments", SEGMENT_SCHEMA), ("errors", ERROR_SCHEMA)):
        if not files.tables[table]:
            address = table_file(output, table, name["run"], name["part"])
            write_bytes(address, parquet_bytes(schema.empty_table()))
