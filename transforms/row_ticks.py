"""Let a local run be watched: one byte in a file for every row that is done.

Enters: any result. Leaves: nothing. Appending a byte is atomic, so the workers need no lock
and whoever watches reads the size of the file.
"""

import os
from typing import Any

import apache_beam as beam

from transforms.stage import StageMetrics


class RowTicksDoFn(beam.DoFn):
    """Appends a byte to ``path`` per element; ``path`` must exist on this machine."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._metrics = StageMetrics("row_ticks")

    def setup(self) -> None:
        """Open the file."""
        self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND)

    def process(self, element: Any) -> None:
        """Count one row."""
        with self._metrics.timed():
            os.write(self._file, b".")

    def teardown(self) -> None:
        """Close the file."""
        os.close(self._file)
