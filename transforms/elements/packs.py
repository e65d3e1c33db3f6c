"""Shuffle rows in packs.

Enters: small elements, each with a key. Leaves: packs of elements of one key, compressed; and the
elements again. A runner that keeps a shuffle in memory holds each row of a catalogue as a Python
object, 2.6 kB in all; in a pack it takes 25 to 250 bytes, by what its columns hold.
"""

import pickle
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import Any, NamedTuple, TypeVar

KeyT = TypeVar("KeyT")

HELD_BYTES = 2**24
"""Of elements that wait for others of their key: the more, the fuller the packs."""

FASTEST = 1
"""Level of compression; what packs shrink by is what their elements share."""


class Pack(NamedTuple):
    """Some elements.

    Attributes:
      size: how many.
      data: they, pickled as Beam pickles a row, and compressed; empty where only ``size`` matters.
    """

    size: int
    data: bytes


def _packs(held: dict[KeyT, list[bytes]]) -> Iterator[tuple[KeyT, Pack]]:
    for key, elements in held.items():
        yield key, Pack(len(elements), zlib.compress(b"".join(elements), FASTEST))


def packed(
    pairs: Iterable[tuple[KeyT, object]], held_bytes: int = HELD_BYTES
) -> Iterator[tuple[KeyT, Pack]]:
    """Key and pack, one or more a key, as soon as ``held_bytes`` are held.

    To be called where all ``pairs`` come from one element of a collection: what a bundle's end
    yields is lost on Beam's DaskRunner.
    """
    held, size = defaultdict[KeyT, list[bytes]](list), 0
    for key, element in pairs:
        data = pickle.dumps(element)
        held[key].append(data)
        size += len(data)
        if size >= held_bytes:
            yield from _packs(held)
            held.clear()
            size = 0
    yield from _packs(held)


def unpacked(packs: Iterable[Pack]) -> Iterator[Any]:
    """The elements of ``packs``, one pack in memory at a time."""
    for pack in packs:
        stream = BytesIO(zlib.decompress(pack.data))
        for _ in range(pack.size):
            yield pickle.load(stream)  # noqa: S301 (written by this job)
