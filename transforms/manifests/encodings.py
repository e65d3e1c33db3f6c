"""Text as spreadsheets write it, as UTF-8 whose lines end with LF.

Enters: a binary file. Leaves: a binary file, the same where it is UTF-8 already. Excel's "Unicode
text" is UTF-16 with a byte order mark, its "CSV (Macintosh)" ends lines with CR alone.
"""

import codecs
import io
from collections.abc import Callable
from typing import Any, BinaryIO, cast

MARKS = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
LOOKED_AT = 1 << 20
"""Bytes that tell how lines end."""


class _Converted(io.RawIOBase):
    """What ``convert`` makes of the pieces of a file; it is told which one is the last."""

    def __init__(self, file: BinaryIO, convert: Callable[[bytes, bool], bytes]) -> None:
        super().__init__()
        self._file, self._convert, self._held, self._ended = file, convert, b"", False

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer`` as far as the file goes."""
        while not self._held and not self._ended:
            piece = self._file.read(LOOKED_AT)
            self._ended = not piece
            self._held = self._convert(piece, self._ended)
        content, self._held = self._held[: len(buffer)], self._held[len(buffer) :]
        buffer[: len(content)] = content
        return len(content)


def _from_utf16(encoding: str) -> Callable[[bytes, bool], bytes]:
    decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")

    def convert(piece: bytes, last: bool) -> bytes:
        try:
            text = decoder.decode(piece, last)
        except UnicodeDecodeError:  # half a character at the end
            text = "\N{REPLACEMENT CHARACTER}"
        return text.removeprefix("\ufeff").encode("utf-8", "surrogatepass")

    return convert


def _buffered(file: io.RawIOBase) -> BinaryIO:
    return io.BufferedReader(file, LOOKED_AT)


def as_utf8_lines(file: BinaryIO) -> BinaryIO:
    """``file``, or a view of it as UTF-8 whose lines end with LF."""
    begun = io.BufferedReader(cast(io.RawIOBase, file), LOOKED_AT)
    encoding = MARKS.get(begun.peek(2)[:2])
    if encoding:
        begun = io.BufferedReader(
            cast(io.RawIOBase, _Converted(begun, _from_utf16(encoding))), LOOKED_AT
        )
    head = begun.peek(LOOKED_AT)
    if b"\r" in head[:-1] and b"\n" not in head:
        return _buffered(_Converted(begun, lambda piece, _: piece.replace(b"\r", b"\n")))
    return begun
