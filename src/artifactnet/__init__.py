"""Find machine-generated music by the traces its neural decoder left.

>>> import artifactnet
>>> detector = artifactnet.load_detector()
>>> detector.score("song.mp3").verdict
'real'

Importing this package loads neither torch nor Beam; the functions do.
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from artifactnet.pipeline.front_door import LoadedDetector
    from artifactnet.pipeline.output.latest import AuditTables

__all__ = ["load_detector", "read_audit"]


def load_detector(path: str | Path | None = None, device: str = "auto") -> "LoadedDetector":
    """Load a detector that scores files and samples.

    Args:
      path: safetensors or ONNX file; ``None`` for the shipped weights.
      device: ``auto``, ``cpu``, ``cuda`` ...

    Raises:
      ValueError: the file or the device can't be used.
    """
    from artifactnet.pipeline import front_door

    return front_door.load_detector(path, device)


def read_audit(folder: str | Path) -> "AuditTables":
    """The tables of an audit's output, each track's latest result only.

    Args:
      folder: on this machine, ``gs://`` or ``s3://``.

    Returns:
      Arrow tables ``tracks``, ``segments`` and ``errors``.

    Raises:
      ValueError: no audit is there, or a file is damaged.
    """
    from artifactnet.pipeline.output import latest

    return latest.read_audit(str(folder))
