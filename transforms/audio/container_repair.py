"""See through what taggers and recorders put around the sound, before a decoder looks.

Enters: a seekable binary file of untrusted bytes. Leaves: the same file, or a view of it that
decoders accept: without an ID3v2 tag before a container that has no place for one, and with one
sound chunk where a RIFF or AIFF file has several or forgot a pad byte. No bytes are copied but a
header of a few hundred.
"""

import io
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from artifactnet.transforms.storage.sized_file import SizedFile

ID3_HEADER = 10
TAGGED = (b"RIFF", b"RF64", b"FORM", b"OggS", b"fLaC")
"""Containers that decoders look for at the first byte."""
MOST_TAGS = 100
MOST_CHUNKS = 100_000
LONGEST_HEADER_CHUNK = 1 << 16
"""Bytes of a format chunk that are believed."""


class Piece(NamedTuple):
    """A range of a file, or bytes in its place."""

    offset: int
    size: int
    content: bytes | None = None


class SplicedFile(SizedFile):
    """Pieces of a file, one after the other."""

    def __init__(self, file: BinaryIO, pieces: tuple[Piece, ...]) -> None:
        super().__init__(sum(piece.size for piece in pieces))
        self._file, self._pieces = file, pieces

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
        """Fill ``buffer`` from the position on; fewer bytes at a piece's end."""
        begin = 0
        for piece in self._pieces:
            inside = self._position - begin
            if inside < piece.size:
                wanted = min(len(buffer), piece.size - inside)
                if piece.content is not None:
                    content = piece.content[inside : inside + wanted]
                else:
                    self._file.seek(piece.offset + inside)
                    content = self._file.read(wanted)
                buffer[: len(content)] = content
                self._position += len(content)
                return len(content)
            begin += piece.size
        return 0


def repaired(file: BinaryIO) -> BinaryIO:
    """``file``, or a view of it that decoders accept; at position 0."""
    file.seek(0)
    size = file.seek(0, io.SEEK_END)
    begin = _after_id3(file, size)
    if begin:
        file = io.BufferedReader(SplicedFile(file, (Piece(begin, size - begin),)))
        size -= begin
    pieces = _one_sound_chunk(file, size)
    if pieces:
        file = io.BufferedReader(SplicedFile(file, pieces))
    file.seek(0)
    return file


def id3_length(head: bytes) -> int:
    """Bytes of the ID3v2 tag that begins with ``head``; 0 where none does."""
    if len(head) < ID3_HEADER or head[:3] != b"ID3" or any(byte & 0x80 for byte in head[6:10]):
        return 0
    length = 0
    for byte in head[6:10]:  # 7 bits each (ID3v2.4, section 6.2)
        length = length << 7 | byte
    return ID3_HEADER + length + (ID3_HEADER if head[5] & 0x10 else 0)


def _after_id3(file: BinaryIO, size: int) -> int:
    """Where a container begins behind ID3v2 tags; 0 where there is none."""
    begin = 0
    for _ in range(MOST_TAGS):
        if begin + ID3_HEADER >= size:
            break
        file.seek(begin)
        length = id3_length(file.read(ID3_HEADER))
        if not length:
            break
        begin += length
    if not 0 < begin < size:
        return 0
    file.seek(begin)
    return begin if file.read(4) in TAGGED else 0


class _Chunk(NamedTuple):
    name: bytes
    offset: int
    size: int
    regular: bool


def _plausible(name: bytes) -> bool:
    return len(name) == 4 and all(32 <= byte < 127 for byte in name) and name[:1] != b" "


def _chunks(file: BinaryIO, size: int, order: str) -> Iterator[_Chunk]:
    """Chunks of an IFF file, as far as they make sense; a missing pad byte is forgiven."""
    place, regular = 12, True
    for _ in range(MOST_CHUNKS):
        file.seek(place)
        head = file.read(8)
        if len(head) < 8 or not _plausible(head[:4]):
            return
        (length,) = struct.unpack(order + "I", head[4:])
        yield _Chunk(head[:4], place + 8, min(length, size - place - 8), regular)
        place += 8 + length
        if length % 2:
            file.seek(place)
            after = file.read(5)
            # At the end of the file, or where both readings make sense, the pad byte is there.
            regular = len(after) < 5 or _plausible(after[1:5]) or not _plausible(after[:4])
            place += regular
        else:
            regular = True


def _one_sound_chunk(file: BinaryIO, size: int) -> tuple[Piece, ...]:
    """The file's format and its sound; none where it is as it should be."""
    file.seek(0)
    head = file.read(12)
    if head[:4] == b"RIFF" and head[8:] == b"WAVE":
        order, wanted, sound = "<", (b"fmt ", b"fact"), b"data"
    elif head[:4] == b"FORM" and head[8:] in (b"AIFF", b"AIFC"):
        order, wanted, sound = ">", (b"FVER", b"COMM"), b"SSND"
    else:
        return ()
    chunks = list(_chunks(file, size, order))
    sounds = [chunk for chunk in chunks if chunk.name == sound]
    if not sounds or (len(sounds) == 1 and all(chunk.regular for chunk in chunks)):
        return ()
    # Sound of an AIFF begins with a header of its own; chunks of WAV only follow each other.
    kept = sounds if sound == b"data" else [max(sounds, key=lambda chunk: chunk.size)]
    header = b""
    for name in wanted:
        found = next((chunk for chunk in chunks if chunk.name == name), None)
        if found and found.size <= LONGEST_HEADER_CHUNK:
            file.seek(found.offset)
            content = file.read(found.size)
            header += name + struct.pack(order + "I", len(content)) + content
            header += b"\0" * (len(content) % 2)
    length = sum(chunk.size for chunk in kept)
    header += sound + struct.pack(order + "I", min(length, 0xFFFFFFFF))
    total = min(4 + len(header) + length, 0xFFFFFFFF)
    header = head[:4] + struct.pack(order + "I", total) + head[8:] + header
    return Piece(0, len(header), header), *(Piece(one.offset, one.size) for one in kept)
