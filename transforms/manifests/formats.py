"""Rows out of a manifest: JSONL, CSV or Parquet, on any filesystem that Beam knows.

Enters: the address of a manifest. Leaves: its rows one by one, each a ``RawRow`` with
the line it stands on, or a ``ManifestRowError`` where a line can't be read. Nothing is
interpreted here but the file format, and no more than one line, or one Parquet batch
without its audio, is in memory.
"""

import bz2
import csv
import gzip
import io
import itertools
import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Literal, cast

import pyarrow as pa

from artifactnet.transforms.elements.errors import ManifestRowError
from artifactnet.transforms.elements.records import RawRow
from artifactnet.transforms.manifests.encodings import as_utf8_lines
from artifactnet.transforms.manifests.parquet import open_parquet, parquet_rows
from artifactnet.transforms.storage.files import open_raw

ManifestFormat = Literal["jsonl", "csv", "parquet"]
SUFFIXES: dict[str, ManifestFormat] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".parquet": "parquet",
}
UNPACKERS: dict[str, Callable[[BinaryIO], BinaryIO]] = {
    ".gz": lambda file: cast(BinaryIO, gzip.GzipFile(fileobj=file)),
    ".bz2": lambda file: cast(BinaryIO, bz2.BZ2File(file)),
}
COUNTED, PIECE = 4 << 20, 1 << 20
"""Bytes of text that tell how long its lines are."""

LONGEST_LINE = 16 << 20
"""Bytes; a longer line is an error row, not a way to fill the memory."""


def manifest_format(address: str) -> ManifestFormat | None:
    """Format by file name (``.gz`` allowed on text), or ``None`` for no manifest."""
    path = PurePosixPath(address)
    packed = path.suffix.lower() in UNPACKERS
    found = SUFFIXES.get(PurePosixPath(path.stem).suffix.lower() if packed else path.suffix.lower())
    return None if packed and found == "parquet" else found


def read_rows(address: str) -> Iterator[RawRow | ManifestRowError]:
    """Every row of the manifest at ``address``, or why a line isn't one.

    Text is UTF-8, or UTF-16 with a byte order mark; lines end with LF, CR LF or CR.

    Raises:
      ValueError: the file is no manifest, not of the format its name tells, or (after the
        rows that could be read) ends early.
      OSError: it can't be opened.
    """
    kind = manifest_format(address)
    if kind is None:
        raise ValueError(f"{address}: not a manifest; its name must end in {', '.join(SUFFIXES)}")
    # Beam's own decompression takes a file that was cut short for one that ends there.
    with open_raw(address) as source:
        if kind == "parquet":
            yield from parquet_rows(open_parquet(source, address))
            return
        try:
            file = _text_file(_Raw(source), address)
            yield from _jsonl_rows(file) if kind == "jsonl" else _csv_rows(file)
        except (EOFError, zlib.error, OSError) as error:
            if PurePosixPath(address).suffix.lower() not in UNPACKERS:
                raise
            raise ValueError(f"{address}: compressed data ends early or is damaged") from error


def _text_file(raw: "_Raw", address: str) -> BinaryIO:
    unpack = UNPACKERS.get(PurePosixPath(address).suffix.lower())
    file = io.BufferedReader(raw)
    return as_utf8_lines(unpack(file) if unpack else file)


def about_rows(address: str) -> int:
    """About how many rows a text manifest has, by its size and its first ``COUNTED`` bytes."""
    with open_raw(address) as source:
        size = source.seek(0, io.SEEK_END) or source.tell()  # Beam's files return nothing
        source.seek(0)
        raw = _Raw(source)
        file = _text_file(raw, address)
        pieces = (file.read(PIECE) for _ in range(COUNTED // PIECE))
        lines = sum(piece.count(b"\n") for piece in pieces)
    return round(size * lines / max(1, raw.taken))


def _lines(file: BinaryIO) -> Iterator[bytes | None]:
    """Lines of bounded length; ``None`` for one that is longer."""
    while line := file.readline(LONGEST_LINE):
        if len(line) < LONGEST_LINE or line.endswith(b"\n"):
            yield line
            continue
        while (rest := file.readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
            pass
        yield None


def _jsonl_rows(file: BinaryIO) -> Iterator[RawRow | ManifestRowError]:
    for number, line in enumerate(_lines(file), start=1):
        if line is not None and not line.strip():
            continue
        try:
            if line is None:
                raise ValueError(f"longer than {LONGEST_LINE >> 20} MiB")
            values = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
            if not isinstance(values, dict):
                raise ValueError(f"a JSON {type(values).__name__}, not an object")
        except json.JSONDecodeError as error:
            reason = f"not JSON: {error.msg} at character {error.pos + 1}"
            yield ManifestRowError.at(number, reason)
            continue
        except (ValueError, RecursionError) as error:
            yield ManifestRowError.at(number, str(error) or "nested too deeply")
            continue
        yield RawRow(number, values)


def _csv_text(file: BinaryIO) -> Iterator[str]:
    for number, line in enumerate(_lines(file), start=1):
        # A line that is too long runs into the csv module's own limit. What isn't UTF-8
        # survives as surrogates and is refused row by row, later.
        text = b"x" * (csv.field_size_limit() + 1) if line is None else line
        yield text.decode("utf-8-sig" if number == 1 else "utf-8", "surrogateescape")


def _csv_header(cells: list[str]) -> list[str]:
    names = [name.strip() for name in cells]
    if not is_unicode("".join(names)):
        raise ValueError("the column names are not UTF-8")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"two columns are named {twice[0]!r}")
    return names


def _csv_rows(file: BinaryIO) -> Iterator[RawRow | ManifestRowError]:
    lines = _csv_text(file)
    head = next(lines, "")
    # Where a space follows every comma of the first line, it belongs to none of the cells.
    spaced = 0 < head.count(",") == head.count(", ")
    reader = csv.reader(itertools.chain((head,), lines), strict=True, skipinitialspace=spaced)
    header: list[str] = []
    while True:
        first = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if not header:
                raise ValueError(f"the column names can't be read: {error}") from error
            # A quote that is never closed takes the lines behind it along: each is accounted for.
            said = "a quote is never closed" if "end of data" in str(error) else str(error)
            for number in range(first, max(first, reader.line_num) + 1):
                opened = "" if number == first else f" in the record that begins on line {first}"
                yield ManifestRowError.at(number, f"{said}{opened}")
            continue
        if not cells:
            continue
        if not header:
            header = _csv_header(cells)
            continue
        if len(cells) != len(header):
            yield ManifestRowError.at(
                reader.line_num, f"{len(cells)} cells under {len(header)} column names"
            )
            continue
        values = {name: cell or None for name, cell in zip(header, cells, strict=True)}
        yield RawRow(reader.line_num, values)


def is_unicode(text: str) -> bool:
    """Whether ``text`` can be written as UTF-8: it has no lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class _Raw(io.RawIOBase):
    """A file of Beam's as Python's buffered readers want it; some lack bounded ``readline``.

    Attributes:
      taken: bytes that were read.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.taken = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer`` as far as the file goes."""
        content = self._file.read(len(buffer))
        buffer[: len(content)] = content
        self.taken += len(content)
        return len(content)


def parquet_summary(address: str) -> tuple[pa.Schema, int]:
    """Schema (audio column included) and number of rows of a Parquet manifest.

    Raises:
      ValueError: not Parquet, or two columns have one name.
    """
    with open_raw(address) as file:
        parquet = open_parquet(file, address)
        return parquet.schema_arrow, parquet.metadata.num_rows
