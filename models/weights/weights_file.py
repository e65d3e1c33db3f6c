"""What a weights file is, before it is loaded.

Enters: its path. Leaves: its identity. Without torch, whose import takes longer than to find out
that an audit has nothing to do.
"""

import hashlib
from pathlib import Path

SHIPPED_WEIGHTS = Path(__file__).parent / "artifactnet.safetensors"


class WeightsError(ValueError):
    """A weights file can't be used; the message says which and why."""


def check_file(path: Path) -> None:
    """Refuse what is no file.

    Raises:
      WeightsError: there is nothing at ``path``, or a folder.
    """
    if not path.is_file():
        reason = "not a file" if path.exists() else "no such weights file"
        raise WeightsError(f"{path}: {reason}")


def model_id(path: Path) -> str:
    """First 16 hex digits of the SHA-256 of the file: weights, configuration, thresholds.

    Raises:
      WeightsError: it can't be read.
    """
    check_file(path)
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]
    except OSError as error:
        raise WeightsError(f"{path}: {error.strerror}") from error
