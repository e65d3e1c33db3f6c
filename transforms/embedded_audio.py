"""Audio bytes that lie inside a Parquet manifest.

Enters: :class:`~transforms.records.EmbeddedAudio`, the place of a row. Leaves: its bytes. A
column is ``binary``, or the struct of ``bytes`` and ``path`` that dataset hubs export. Rows
asked for in order are streamed from one pass over the row group.
"""

from collections.abc import Generator
from itertools import islice
from typing import Any

import pyarrow.parquet as pq
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from transforms.audio_errors import AudioNotFoundError, AudioUnreachableError
from transforms.records import EmbeddedAudio


class EmbeddedAudioReader:
    """Reads rows of Parquet manifests, fastest in the order in which they lie."""

    def __init__(self) -> None:
        self._place: tuple[str, int] | None = None
        self._next = 0
        self._rows: Generator[Any, None, None] | None = None

    def read(self, place: EmbeddedAudio) -> bytes:
        """The bytes of one row.

        Raises:
          AudioNotFoundError: the row holds none.
          AudioUnreachableError: the manifest can no longer be read.
        """
        group = (place.manifest, place.row_group)
        try:
            if self._rows is None or self._place != group or place.row < self._next:
                self.close()
                self._rows, self._place, self._next = _stream(place), group, 0
            # What lies before the row is passed over; next() ends with None past the last one.
            skipped = place.row - self._next
            value = next(islice(self._rows, skipped, None), None)
            self._next = place.row + 1
        except Exception as error:  # storage clients raise classes of their own
            self.close()
            raise AudioUnreachableError(f"{place.manifest}: {error}") from error
        content = value.get("bytes") if isinstance(value, dict) else value
        if not isinstance(content, bytes):
            raise AudioNotFoundError(f"{place.manifest}: the row's {place.column} holds no bytes")
        return content

    def close(self) -> None:
        """Close the manifest that is open."""
        if self._rows is not None:
            self._rows.close()
        self._rows = None


def _stream(place: EmbeddedAudio) -> Generator[Any, None, None]:
    with FileSystems.open(place.manifest, compression_type=CompressionTypes.UNCOMPRESSED) as file:
        parquet = pq.ParquetFile(file, buffer_size=1 << 20, pre_buffer=False)
        for batch in parquet.iter_batches(1, row_groups=[place.row_group], columns=[place.column]):
            for value in batch.column(0):
                yield value.as_py()
