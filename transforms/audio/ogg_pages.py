"""Where the streams begin that an Ogg file holds one after the other.

Enters: a seekable binary file of untrusted bytes. Leaves: byte ranges. Streams that begin together,
as sound beside a picture, are one link (RFC 3533, section 4).
"""

import io
from collections.abc import Callable
from typing import BinaryIO

CAPTURE = b"OggS"
HEADER = 27
"""Bytes of a page before its table of segments."""
FIRST_PAGE = 0x02
SERIAL = slice(14, 18)
TAIL = 1 << 16
"""A page is shorter than this."""


def looks_chained(file: BinaryIO) -> bool:
    """Whether it is worth reading all pages of ``file``; its position is lost.

    A plain file is cheap to go through. Of one that lies elsewhere the last page is compared with
    the first ones, which tells all chains but those of one serial number.
    """
    file.seek(0)
    head = file.read(HEADER)
    if len(head) < HEADER or head[:4] != CAPTURE:
        return False
    if isinstance(file, io.BytesIO) or isinstance(getattr(file, "raw", None), io.FileIO):
        return True
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - TAIL))
    tail = file.read(TAIL)
    last = tail.rfind(CAPTURE)
    return last >= 0 and tail[last:][SERIAL] not in _first_serials(file)


def _header(file: BinaryIO, place: int) -> bytes | None:
    file.seek(place)
    head = file.read(HEADER)
    return head if len(head) == HEADER and head[:4] == CAPTURE else None


def _next(file: BinaryIO, place: int, head: bytes) -> int:
    file.seek(place + HEADER)
    return place + HEADER + head[26] + sum(file.read(head[26]))


def _first_serials(file: BinaryIO) -> set[bytes]:
    serials, place = set(), 0
    for _ in range(64):
        head = _header(file, place)
        if head is None or not head[5] & FIRST_PAGE:
            break
        serials.add(head[SERIAL])
        place = _next(file, place, head)
    return serials


def _resync(file: BinaryIO, place: int) -> int | None:
    """The next page behind damage, within two pages' length."""
    file.seek(place)
    found = file.read(2 * TAIL).find(CAPTURE)
    return None if found < 0 else place + found


def links(file: BinaryIO, check_deadline: Callable[[], None]) -> list[tuple[int, int]]:
    """Byte ranges of the links of ``file``; one where it isn't chained, none where it isn't Ogg."""
    begins: list[int] = []
    place, sound, count = 0, True, 0
    while True:
        count += 1
        if count % 1024 == 0:
            check_deadline()
        head = _header(file, place)
        if head is None:
            again = _resync(file, place + 1) if begins else None
            if again is None:
                break
            place = again
            continue
        first = bool(head[5] & FIRST_PAGE)
        if first and sound:
            begins.append(place)
        sound = not first
        place = _next(file, place, head)
    if not begins:
        return []
    size = file.seek(0, io.SEEK_END)
    return list(zip(begins, [*begins[1:], size], strict=True))
