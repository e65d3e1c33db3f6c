"""Read Ogg streams one after the other, as one.

Enters: a seekable binary file of untrusted bytes. Leaves: an ``AudioReader``. Radio recordings and
``cat a.ogg b.ogg`` make such chains (RFC 3533, section 4); libsndfile and FFmpeg find no place in
them, and stop where the rate changes. Here every link is a file of its own for libsndfile.
"""

import io
from collections.abc import Callable
from typing import BinaryIO

import numpy as np
import soxr
from numpy.typing import NDArray

from artifactnet.transforms.audio.container_repair import Piece, SplicedFile
from artifactnet.transforms.audio.ogg_pages import links, looks_chained
from artifactnet.transforms.audio.soundfile_reader import SoundfileReader
from artifactnet.transforms.audio.windows import AudioInfo
from artifactnet.transforms.elements.errors import NotAudioError

MOST_LINKS = 1000


class ChainedReader:
    """Random access over all links; the first one's rate and channels are those of all."""

    def __init__(self, file: BinaryIO, check_deadline: Callable[[], None]) -> None:
        """Open ``file``.

        Raises:
          NotAudioError: not several Ogg streams, or a link that libsndfile can't read.
        """
        found = links(file, check_deadline) if looks_chained(file) else []
        if not 1 < len(found) <= MOST_LINKS:
            raise NotAudioError("not several Ogg streams one after the other")
        self._links = [
            SoundfileReader(
                io.BufferedReader(SplicedFile(file, (Piece(begin, end - begin),))), check_deadline
            )
            for begin, end in found
        ]
        first = self._links[0].info
        self._ends = np.cumsum([link.info.duration for link in self._links])
        self.info: AudioInfo = first._replace(duration=float(self._ends[-1]))

    def read(self, start: float, seconds: float) -> NDArray[np.float32]:
        """Samples ``[frames, channels]`` from ``start`` seconds; fewer at the end.

        Raises:
          DamagedAudioError: a link can't be decoded at this place.
        """
        rate = self.info.sample_rate
        wanted = round(seconds * rate)
        parts: list[NDArray[np.float32]] = []
        begin = 0.0
        for link, end in zip(self._links, self._ends, strict=True):
            place, until = max(start, begin), min(start + seconds, float(end))
            if place < until:
                part = link.read(place - begin, until - place)
                if part.shape[1] != self.info.channels:
                    part = np.repeat(part.mean(axis=1, keepdims=True), self.info.channels, axis=1)
                if link.info.sample_rate != rate:
                    part = soxr.resample(part, link.info.sample_rate, rate, quality="HQ")
                parts.append(part)
            begin = float(end)
        if not parts:
            return np.zeros((0, self.info.channels), np.float32)
        return np.concatenate(parts)[:wanted]

    def close(self) -> None:
        """Release the decoders."""
        for link in self._links:
            link.close()
