"""What every file has whose size is known and whose bytes come from elsewhere.

Enters: a size. Leaves: a raw binary file that moves; who derives from it fills buffers.
"""

import io


class SizedFile(io.RawIOBase):
    """A seekable file of ``size`` bytes.

    Attributes:
      size: in bytes.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self._position = 0

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
        """Move; nothing is read."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        self._position = max(0, base + offset)
        return self._position
