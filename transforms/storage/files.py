"""Files of any filesystem that Beam knows: opened as they are, written whole, Parquet in and out.

Enters: an address, local, ``gs://`` or ``s3://``. Leaves: its bytes, its JSON or its table. A local
file gets a temporary name and is renamed; an object appears when its upload is complete.
"""

import io
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from artifactnet.models.first_line import first_line
from artifactnet.models.whole_file import whole_file
from artifactnet.transforms.storage.object_store import (
    s3_access,
    split_address,
    status_of,
    store_of,
    with_retries,
)

NOT_FOUND, CONFLICT, PRECONDITION_FAILED = 404, 409, 412
GLOB_CHARACTERS = frozenset("*?[")
"""What makes a pattern of an address."""


def absolute(address: str) -> str:
    """Local paths from the root on; addresses in object stores as they are."""
    return address if "://" in address else os.path.abspath(address)


def open_raw(address: str) -> BinaryIO:
    """Open ``address`` for reading; its bytes are not decompressed, whatever its name says."""
    return FileSystems.open(address, compression_type=CompressionTypes.UNCOMPRESSED)


def read_json(address: str) -> Any:
    """What the JSON file at ``address`` holds.

    Raises:
      ValueError: it is no JSON.
    """
    with open_raw(address) as file:
        content = file.read()
    try:
        return json.loads(content)
    except ValueError as error:
        raise ValueError(f"{address} is damaged: no JSON") from error


def write_bytes(address: str, content: bytes) -> None:
    """Write a file or an object so that a reader sees all of it or nothing."""
    if "://" in address:
        scheme, bucket, name = split_address(address)
        store = store_of(scheme, s3_access())
        with_retries(lambda: store.write(bucket, name, content))
        return
    with whole_file(Path(address)) as partial:
        partial.write_bytes(content)


def read_marked(address: str) -> tuple[bytes, str] | None:
    """Content of a small file, and a mark that changes with it; ``None`` where there is none."""
    if "://" not in address:
        try:
            content = Path(address).read_bytes()
        except FileNotFoundError:
            return None
        return content, "local"
    scheme, bucket, name = split_address(address)
    store = store_of(scheme, s3_access())
    try:
        facts = with_retries(lambda: store.facts(bucket, name))
        return with_retries(lambda: store.read(bucket, name, 0, facts.size)), facts.identity
    except Exception as error:
        if status_of(error) == NOT_FOUND:
            return None
        raise


def swap_bytes(address: str, content: bytes, mark: str) -> bool:
    """Write a small file unless somebody was faster.

    Args:
      address: of it.
      content: of it, unlike what anybody else would write.
      mark: of the file that it replaces, from :func:`read_marked`; empty where there was none.

    Returns:
      Whether the file now holds ``content``. An object store decides between two writers; in a
      local folder only the creation is decided, so whoever replaces a file there needs a lock.
    """
    if "://" not in address:
        if mark:
            write_bytes(address, content)
            return True
        Path(address).parent.mkdir(parents=True, exist_ok=True)
        try:
            with Path(address).open("xb") as file:
                file.write(content)
        except FileExistsError:
            return False
        return True
    scheme, bucket, name = split_address(address)
    store = store_of(scheme, s3_access())
    try:
        with_retries(lambda: store.swap(bucket, name, content, mark))
    except Exception as error:
        if status_of(error) not in (CONFLICT, PRECONDITION_FAILED):
            raise
    # An answer that was lost makes the second try fail on the success of the first.
    found = read_marked(address)
    return found is not None and found[0] == content


def remove_file(address: str) -> None:
    """Remove a file or an object, if it is there."""
    if "://" not in address:
        Path(address).unlink(missing_ok=True)
        return
    scheme, bucket, name = split_address(address)
    store = store_of(scheme, s3_access())
    try:
        with_retries(lambda: store.delete(bucket, name))
    except Exception as error:
        if status_of(error) != NOT_FOUND:
            raise


def write_json(address: str, value: Any) -> None:
    """Write ``value`` as indented JSON, what JSON doesn't know as text."""
    write_bytes(address, (json.dumps(value, indent=2, default=str) + "\n").encode())


def parquet_bytes(table: pa.Table) -> bytes:
    """``table`` as a Parquet file, zstd-compressed."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


@contextmanager
def open_table(address: str) -> Iterator[pq.ParquetFile]:
    """Open a Parquet table of an audit.

    Raises:
      ValueError: the file is damaged; the message names it and says what to do.
    """
    with open_raw(address) as file:
        try:
            yield pq.ParquetFile(file)
        except (pa.ArrowException, OSError) as error:
            if isinstance(error, OSError) and "thrift" not in str(error).lower():
                raise  # storage, not the file
            reason = first_line(error)
            raise ValueError(
                f"{address} is damaged ({reason}): remove it, and its tracks are audited again"
            ) from error


def read_table(address: str, columns: Sequence[str] | None = None) -> pa.Table:
    """One Parquet table; of ``columns`` those that it has.

    Raises:
      ValueError: the file is damaged.
    """

    def read() -> pa.Table:
        with open_table(address) as parquet:
            names = parquet.schema_arrow.names
            return parquet.read([n for n in columns if n in names] if columns else None)

    return with_retries(read)


def concat_tables(tables: Sequence[pa.Table]) -> pa.Table:
    """One table of several; a column whose types can't be united becomes text."""
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowTypeError:
        pass
    kinds: dict[str, set[pa.DataType]] = {}
    for table in tables:
        for field in table.schema:
            kinds.setdefault(field.name, set()).add(field.type)
    differing = {name for name, found in kinds.items() if len(found) > 1}
    return pa.concat_tables(
        [_as_text(table, differing) for table in tables], promote_options="permissive"
    )


def _as_text(table: pa.Table, names: set[str]) -> pa.Table:
    for position, field in enumerate(table.schema):
        if field.name in names and not pa.types.is_string(field.type):
            texts = [
                None if value is None else json.dumps(value, default=str)
                for value in table.column(position).to_pylist()
            ]
            table = table.set_column(position, field.name, pa.array(texts, pa.string()))
    return table


def table_rows(address: str) -> int:
    """Rows of one Parquet table, from its footer."""

    def count() -> int:
        with open_table(address) as parquet:
            return int(parquet.metadata.num_rows)

    return with_retries(count)
