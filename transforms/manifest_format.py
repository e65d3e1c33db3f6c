"""Rows out of a manifest: JSONL, CSV or Parquet, on any filesystem that Beam knows.

Enters: the address of a manifest. Leaves: its rows one by one, each a :class:`RawRow` with
the line it stands on, or a :class:`ManifestRowError` where a line can't be read. Nothing is
interpreted here but the file format, and no more than one line, or one Parquet batch
without its audio, is in memory.
"""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from transforms.audio_errors import ManifestRowError

ManifestFormat = Literal["jsonl", "csv", "parquet"]
SUFFIXES: dict[str, ManifestFormat] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".parquet": "parquet",
}
AUDIO_COLUMN = "audio"
LONGEST_LINE = 16 << 20
"""Bytes; a longer line is an error row, not a way to fill the memory."""


@dataclass(frozen=True)
class RawRow:
    """One row as the file holds it.

    Attributes:
      line: line or row number, from 1.
      values: column name to value; without the audio bytes.
      row_group: Parquet row group; -1 for other formats.
      row: row within it.
    """

    line: int
    values: dict[str, Any]
    row_group: int = -1
    row: int = -1


def manifest_format(address: str) -> ManifestFormat | None:
    """Format by file name (``.gz`` allowed on text), or ``None`` for no manifest."""
    path = PurePosixPath(address)
    packed = path.suffix in (".gz", ".bz2", ".zst")
    found = SUFFIXES.get(PurePosixPath(path.stem).suffix if packed else path.suffix.lower())
    return None if packed and found == "parquet" else found


def read_rows(address: str) -> Iterator[RawRow | ManifestRowError]:
    """Every row of the manifest at ``address``, or why a line isn't one.

    Raises:
      ValueError: the file is no manifest, or not of the format its name tells.
      OSError: it can't be opened.
    """
    kind = manifest_format(address)
    if kind == "parquet":
        with FileSystems.open(address, compression_type=CompressionTypes.UNCOMPRESSED) as file:
            yield from _parquet_rows(file, address)
    elif kind:
        with FileSystems.open(address) as source:
            file = io.BufferedReader(_Raw(source))
            yield from _jsonl_rows(file) if kind == "jsonl" else _csv_rows(file)
    else:
        raise ValueError(f"{address}: not a manifest; its name must end in {', '.join(SUFFIXES)}")


def _lines(file: io.BufferedReader) -> Iterator[bytes | None]:
    """Lines of bounded length; ``None`` for one that is longer."""
    while line := file.readline(LONGEST_LINE):
        if len(line) < LONGEST_LINE or line.endswith(b"\n"):
            yield line
            continue
        while (rest := file.readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
            pass
        yield None


def _jsonl_rows(file: io.BufferedReader) -> Iterator[RawRow | ManifestRowError]:
    for number, line in enumerate(_lines(file), start=1):
        if line is not None and not line.strip():
            continue
        try:
            if line is None:
                raise ValueError(f"longer than {LONGEST_LINE >> 20} MiB")
            values = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
            if not isinstance(values, dict):
                raise ValueError(f"a JSON {type(values).__name__}, not an object")
        except (ValueError, RecursionError) as error:
            yield ManifestRowError(f"line {number}: {error or 'nested too deeply'}")
            continue
        yield RawRow(number, values)


def _csv_rows(file: io.BufferedReader) -> Iterator[RawRow | ManifestRowError]:
    # Bytes that aren't UTF-8 survive as surrogates and are refused row by row, later.
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
    reader = csv.reader(text, strict=True)
    header: list[str] = []
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield ManifestRowError(f"line {reader.line_num}: {error}")
            continue
        if not cells:
            continue
        if not header:
            header = [name.strip() for name in cells]
            continue
        if len(cells) != len(header):
            yield ManifestRowError(
                f"line {reader.line_num}: {len(cells)} cells under {len(header)} column names"
            )
            continue
        values = {name: cell or None for name, cell in zip(header, cells, strict=True)}
        yield RawRow(reader.line_num, values)


class _Raw(io.RawIOBase):
    """A file of Beam's as Python's buffered readers want it; some lack bounded ``readline``."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer`` as far as the file goes."""
        content = self._file.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)


def parquet_summary(address: str) -> tuple[pa.Schema, int]:
    """Schema (audio column included) and number of rows of a Parquet manifest.

    Raises:
      ValueError: not Parquet.
    """
    with FileSystems.open(address, compression_type=CompressionTypes.UNCOMPRESSED) as file:
        parquet = _open_parquet(file, address)
        return parquet.schema_arrow, parquet.metadata.num_rows


def _open_parquet(file: BinaryIO, address: str) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(f"{address}: not a Parquet file ({error})") from error


def _parquet_rows(file: BinaryIO, address: str) -> Iterator[RawRow]:
    parquet = _open_parquet(file, address)
    schema = parquet.schema_arrow
    columns = [name for name in schema.names if name != AUDIO_COLUMN]
    if AUDIO_COLUMN in schema.names:
        audio = schema.field(AUDIO_COLUMN).type
        if pa.types.is_struct(audio) and audio.get_field_index("path") >= 0:
            columns.append(f"{AUDIO_COLUMN}.path")
    line = 0
    for group in range(parquet.num_row_groups):
        row = 0
        for batch in parquet.iter_batches(1024, row_groups=[group], columns=columns):
            for values in batch.to_pylist() if columns else [{}] * batch.num_rows:
                line += 1
                yield RawRow(line, values, group, row)
                row += 1
