"""An object of a store as a seekable file that fetches what is read.

Enters: an address and its size. Leaves: a binary file for the decoders. Blocks are fetched
on demand and kept; once most of the object has been asked for, or in too many pieces, the
rest comes in one stream into a temporary file, which is bounded by the limit on size.
"""

import io
import tempfile
from typing import BinaryIO

from artifactnet.transforms.storage.object_store import ObjectStore, with_retries

BLOCK = 32 << 10
MOST_AHEAD = 8
"""Blocks in one request at most; reading on doubles them from one, a jump starts again."""

MOST_REQUESTS = 80
MOST_SHARE = 0.75
PIECE = 8 << 20
MEMORY_BYTES = 64 << 20
"""A whole object up to this size stays in memory."""


class RangeFile(io.RawIOBase):
    """Reads ``bucket/name`` of ``store``, ``size`` bytes long.

    Attributes:
      size: of the object in bytes.
      fetched: bytes that were transferred.
      requests: how many it took.
    """

    def __init__(self, store: ObjectStore, bucket: str, name: str, size: int) -> None:
        super().__init__()
        self._store, self._bucket, self._name, self.size = store, bucket, name, size
        self._position = 0
        self._blocks: dict[int, bytes] = {}
        self._whole: BinaryIO | None = None
        self._next, self._ahead = -1, 1
        self.fetched = 0
        self.requests = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Position in bytes."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move; nothing is fetched."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        self._position = max(0, base + offset)
        return self._position

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

    def _fetch_whole(self) -> BinaryIO:
        file = tempfile.SpooledTemporaryFile(MEMORY_BYTES)  # noqa: SIM115 (closed in close())
        position = 0
        while position < self.size:
            if content := self._blocks.get(position // BLOCK):
                file.write(content)
                position += len(content)
                continue
            end = min(position + PIECE, self.size)
            known = (i * BLOCK for i in sorted(self._blocks) if i * BLOCK > position)
            end = min(end, next(known, end))
            file.write(self._request(position, end))
            position = end
        self._blocks.clear()
        return file  # type: ignore[return-value]

    def _block(self, index: int) -> bytes:
        if index not in self._blocks:
            self._ahead = min(2 * self._ahead, MOST_AHEAD) if index == self._next else 1
            start = index * BLOCK
            end = min(start + self._ahead * BLOCK, self.size)
            content = self._request(start, end)
            for offset in range(0, len(content), BLOCK):
                self._blocks[index + offset // BLOCK] = content[offset : offset + BLOCK]
            self._next = index + self._ahead
        return self._blocks[index]

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
        if self._whole is None and (
            self.requests >= MOST_REQUESTS or self.fetched > MOST_SHARE * self.size
        ):
            self._whole = self._fetch_whole()
        if self._whole is not None:
            self._whole.seek(self._position)
            content = self._whole.read(wanted)
        else:
            index, offset = divmod(self._position, BLOCK)
            content = self._block(index)[offset : offset + wanted]
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)

    def close(self) -> None:
        """Remove the temporary file."""
        if self._whole is not None:
            self._whole.close()
        super().close()
