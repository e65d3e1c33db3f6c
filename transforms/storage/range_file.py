"""An object of a store as a seekable file that fetches what is read.

Enters: an address and its size. Leaves: a binary file for the decoders. Blocks are fetched on
demand and kept by fsspec's block cache; once most of the object has been asked for, or in too many
pieces, the rest comes in one stream into a temporary file, which is bounded by the limit on size.
"""

import tempfile
from typing import BinaryIO

from fsspec.caching import BlockCache

from artifactnet.transforms.storage.object_store import ObjectStore, with_retries
from artifactnet.transforms.storage.sized_file import SizedFile

BLOCK = 128 << 10
LARGE = 16 << 20
"""An object from this size on is read in blocks twice as large."""

MOST_REQUESTS = 80
MOST_IN_A_ROW = 16
MOST_SHARE = 0.75
SHARE_IN_A_ROW = 0.1
PIECE = 8 << 20
MEMORY_BYTES = 64 << 20
"""A whole object up to this size stays in memory."""


class RangeFile(SizedFile):
    """Reads ``bucket/name`` of ``store``, ``size`` bytes long.

    Attributes:
      size: of the object in bytes.
      fetched: bytes that were transferred.
      requests: how many it took.
    """

    def __init__(self, store: ObjectStore, bucket: str, name: str, size: int) -> None:
        super().__init__(size)
        self._store, self._bucket, self._name = store, bucket, name
        self._block = BLOCK if size < LARGE else 2 * BLOCK
        self._blocks: set[int] = set()
        self._in_a_row = 0
        self._cache = BlockCache(self._block, self._fetch_block, size, maxblocks=MOST_REQUESTS)
        self._whole: BinaryIO | None = None
        self.fetched = 0
        self.requests = 0

    def _request(self, start: int, end: int) -> bytes:
        content = with_retries(lambda: self._read_all(start, end))
        self.requests += 1
        self.fetched += len(content)
        return content

    def _read_all(self, start: int, end: int) -> bytes:
        content = self._store.read(self._bucket, self._name, start, end)
        if len(content) != end - start:
            raise ConnectionError(f"{len(content)} of {end - start} bytes came")
        return content

    def _fetch_block(self, start: int, end: int) -> bytes:
        block = start // self._block
        self._in_a_row = self._in_a_row + 1 if block - 1 in self._blocks else 1
        self._blocks.add(block)
        return self._request(start, min(end, self.size))

    def _fetch_whole(self) -> BinaryIO:
        file = tempfile.SpooledTemporaryFile(MEMORY_BYTES)  # noqa: SIM115 (closed in close())
        position = 0
        while position < self.size:
            block = position // self._block
            if block in self._blocks:  # in the cache, which holds all that was fetched
                end = min((block + 1) * self._block, self.size)
                file.write(self._cache._fetch(position, end))
            else:
                known = (one * self._block for one in sorted(self._blocks) if one > block)
                end = min(position + PIECE, self.size, next(known, self.size))
                file.write(self._request(position, end))
            position = end
        return file  # type: ignore[return-value]

    def _wants_all(self) -> bool:
        """Whether what has been read so far is how a file is read from start to end."""
        in_a_row = self._in_a_row * self._block
        return (
            self.requests >= MOST_REQUESTS
            or self.fetched > MOST_SHARE * self.size
            or (self._in_a_row >= MOST_IN_A_ROW and in_a_row > SHARE_IN_A_ROW * self.size)
        )

    def fetch_whole(self) -> BinaryIO:
        """The whole object as a file at position 0."""
        if self._whole is None:
            self._whole = self._fetch_whole()
        self._whole.seek(0)
        return self._whole

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
        """Fill ``buffer`` from the position on; fewer bytes at a block's end."""
        wanted = min(len(buffer), self.size - self._position)
        if wanted <= 0:
            return 0
        if self._whole is None and self._wants_all():
            self._whole = self._fetch_whole()
        if self._whole is not None:
            self._whole.seek(self._position)
            content = self._whole.read(wanted)
        else:
            wanted = min(wanted, self._block - self._position % self._block)
            content = self._cache._fetch(self._position, self._position + wanted)
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)

    def close(self) -> None:
        """Remove the temporary file."""
        if self._whole is not None:
            self._whole.close()
        super().close()
