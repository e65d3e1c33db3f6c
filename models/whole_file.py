"""Write a file so that a reader sees all of it or nothing.

Enters: the path of a file on this machine. Leaves: the file, complete, or the one that was there
before. Weights, ONNX files, checkpoints and caches are written through here.
"""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PARTIAL = ".partial"


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a new path beside ``path``; what was written there takes its name at the end.

    The folder is created. An exception inside the block leaves ``path`` as it was and removes what
    was written. The file reaches the disk before it gets its name, so that a crash of the machine
    leaves no empty file under it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}{PARTIAL}")
    try:
        yield partial
        with partial.open("r+b") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
