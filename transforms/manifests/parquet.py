"""Parquet manifests: rows without their audio, and the audio of a row.

Enters: a Parquet file. Leaves: its rows one by one. A value that can't be read costs its row, a
damaged page the rows of its row group that come after; each of them is an error of its own, so that
the rows add up to what the footer promises. The bytes of a row's audio (a column of ``binary``, or
the struct of ``bytes`` and ``path`` that dataset hubs export) are read later, by the decode stage;
rows asked for in order are streamed from one pass over the row group.
"""

from collections.abc import Generator, Iterator
from itertools import islice
from typing import Any, BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from artifactnet.models.first_line import first_line
from artifactnet.transforms.elements.errors import (
    AudioNotFoundError,
    AudioUnreachableError,
    ManifestRowError,
)
from artifactnet.transforms.elements.records import EmbeddedAudio, RawRow
from artifactnet.transforms.storage.files import open_raw

AUDIO_COLUMN = "audio"
ROWS_AT_ONCE = 1024


class _Columns(NamedTuple):
    """Columns that are read, and whether one of bytes is left where it is."""

    names: list[str]
    has_audio: bool


def open_parquet(file: BinaryIO, address: str) -> pq.ParquetFile:
    """Open a manifest.

    Raises:
      ValueError: not Parquet, or two columns have one name.
    """
    try:
        parquet = pq.ParquetFile(file)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{address}: not a Parquet file ({error})") from error
    names = parquet.schema_arrow.names
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{address}: two columns are named {twice[0]!r}")
    return parquet


def _is_bytes(kind: pa.DataType) -> bool:
    return any(
        is_kind(kind)
        for is_kind in (
            pa.types.is_binary,
            pa.types.is_large_binary,
            pa.types.is_binary_view,
            pa.types.is_fixed_size_binary,
        )
    )


def _columns(schema: pa.Schema) -> _Columns:
    names = [name for name in schema.names if name != AUDIO_COLUMN]
    if AUDIO_COLUMN not in schema.names:
        return _Columns(names, False)
    audio = schema.field(AUDIO_COLUMN).type
    if pa.types.is_struct(audio):
        path = [f"{AUDIO_COLUMN}.path"] if audio.get_field_index("path") >= 0 else []
        return _Columns(names + path, True)
    if _is_bytes(audio):
        return _Columns(names, True)
    return _Columns([*names, AUDIO_COLUMN], False)


def parquet_rows(parquet: pq.ParquetFile) -> Iterator[RawRow | ManifestRowError]:
    """Every row of the manifest, or why it can't be read."""
    columns = _columns(parquet.schema_arrow)
    first = 0
    for group in range(parquet.num_row_groups):
        size = parquet.metadata.row_group(group).num_rows
        row = 0
        problem = "rows are missing"
        try:
            empty = _without_bytes(parquet, group) if columns.has_audio else frozenset()
            batches = parquet.iter_batches(ROWS_AT_ONCE, row_groups=[group], columns=columns.names)
            for batch in batches:
                for values in _values(batch):
                    line = first + row + 1
                    if isinstance(values, str):
                        yield ManifestRowError.at(line, values)
                    else:
                        has_audio = columns.has_audio and row not in empty
                        yield RawRow(line, values, group, row, has_audio)
                    row += 1
        except (OSError, pa.ArrowException) as error:
            problem = first_line(error)
        for line in range(first + row + 1, first + size + 1):
            yield ManifestRowError.at(line, f"row group {group} is damaged ({problem})")
        first += size


def _without_bytes(parquet: pq.ParquetFile, group: int) -> frozenset[int]:
    """Rows of a row group whose struct of audio has a path and no bytes."""
    facts = parquet.metadata.row_group(group)
    names = [facts.column(index).path_in_schema for index in range(facts.num_columns)]
    name = f"{AUDIO_COLUMN}.bytes"
    if name not in names:
        return frozenset()
    statistics = facts.column(names.index(name)).statistics
    if statistics is not None and statistics.has_null_count and not statistics.null_count:
        return frozenset()
    if statistics is not None and statistics.null_count == facts.num_rows:
        return frozenset(range(facts.num_rows))
    empty, row = set(), 0
    for batch in parquet.iter_batches(ROWS_AT_ONCE // 16, row_groups=[group], columns=[name]):
        for valid in batch.column(0).field("bytes").is_valid():
            if not valid.as_py():
                empty.add(row)
            row += 1
    return frozenset(empty)


def _values(batch: pa.RecordBatch) -> Iterator[dict[str, Any] | str]:
    """Each row as a dictionary, or what is wrong with it."""
    if not batch.num_columns:
        yield from ({} for _ in range(batch.num_rows))
        return
    try:
        yield from batch.to_pylist()
    except (ValueError, OverflowError, pa.ArrowException):
        # Some value of the batch can't be read: find out which rows are good.
        for row in range(batch.num_rows):
            yield _one_row(batch, row)


def _one_row(batch: pa.RecordBatch, row: int) -> dict[str, Any] | str:
    values = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            values[name] = column[row].as_py()
        except (ValueError, OverflowError, pa.ArrowException) as error:
            return f"column {name} can't be read ({error})"
    return values


class EmbeddedAudioReader:
    """Reads rows of Parquet manifests, fastest in the order in which they lie."""

    def __init__(self) -> None:
        self._place: tuple[str, int] | None = None
        self._next = 0
        self._rows: Generator[Any, None, None] | None = None

    def read(self, place: EmbeddedAudio) -> bytes:
        """The bytes of one row.

        Raises:
          AudioNotFoundError: the row holds none.
          AudioUnreachableError: the manifest can no longer be read.
        """
        group = (place.manifest, place.row_group)
        try:
            if self._rows is None or self._place != group or place.row < self._next:
                self.close()
                self._rows, self._place, self._next = _stream(place), group, 0
            # What lies before the row is passed over; next() ends with None past the last one.
            skipped = place.row - self._next
            value = next(islice(self._rows, skipped, None), None)
            self._next = place.row + 1
        except Exception as error:  # storage clients raise classes of their own
            self.close()
            raise AudioUnreachableError(f"{place.manifest}: {error}") from error
        content = value.get("bytes") if isinstance(value, dict) else value
        if not isinstance(content, bytes):
            raise AudioNotFoundError(f"{place.manifest}: the row's {place.column} holds no bytes")
        return content

    def close(self) -> None:
        """Close the manifest that is open."""
        if self._rows is not None:
            self._rows.close()
        self._rows = None


def _stream(place: EmbeddedAudio) -> Generator[Any, None, None]:
    with open_raw(place.manifest) as file:
        parquet = pq.ParquetFile(file, buffer_size=1 << 20, pre_buffer=False)
        for batch in parquet.iter_batches(1, row_groups=[place.row_group], columns=[place.column]):
            for value in batch.column(0):
                yield value.as_py()
