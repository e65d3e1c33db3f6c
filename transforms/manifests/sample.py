"""A random part of a catalogue, the same part however often it is drawn.

Enters: the key of a row. Leaves: whether the row belongs to the part. A larger share with the same
seed holds the smaller one, so an audit of a hundredth can grow to one of a tenth.
"""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True)
class RowSample:
    """Which rows are looked at.

    Attributes:
      share: of the rows, in (0, 1].
      seed: another one draws another part.
    """

    share: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Check.

        Raises:
          ValueError: ``share`` is no share.
        """
        if not 0 < self.share <= 1:
            raise ValueError(f"--sample is {self.share}; use a share above 0 and up to 1")

    def holds(self, key: str) -> bool:
        """Whether the row of ``key`` is drawn."""
        if self.share == 1:
            return True
        # Not by row_key.digest_of: the command line imports this, and --help waits for no pyarrow.
        text = f"{self.seed} {key}".encode("utf-8", "backslashreplace")
        drawn = int.from_bytes(hashlib.sha256(text).digest()[:8])
        return drawn < self.share * 2**64
