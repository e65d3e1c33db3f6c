"""Read samples with libsndfile: WAV, FLAC, Ogg, AIFF and their kin, seeking exactly.

MP3 is left to FFmpeg: the mpg123 inside libsndfile writes its complaints about cut files
straight to the terminal, and took 1.4 times as long over 200 mixed excerpts. Only a free-format
MP3 stays, which FFmpeg can't read.

Enters: a seekable binary file. Leaves: an ``AudioReader``.
"""

from collections.abc import Callable
from typing import BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from artifactnet.transforms.audio.windows import AudioInfo
from artifactnet.transforms.elements.errors import DamagedAudioError, NotAudioError

UNKNOWN_FRAMES = 1 << 48
"""libsndfile reports about this many and more where a FLAC doesn't state its length."""


class SoundfileReader:
    """Random access by sample position."""

    def __init__(self, file: BinaryIO, check_deadline: Callable[[], None]) -> None:
        """Open ``file``.

        Raises:
          NotAudioError: libsndfile does not know the format, or finds no samples.
        """
        check_deadline()
        head = file.read(4)
        if looks_like_mpeg(head[:3]) and not is_free_format(head):
            raise NotAudioError("libsndfile: MP3 is left to FFmpeg")
        file.seek(0)
        try:
            self._sound = soundfile.SoundFile(file)
        except (soundfile.SoundFileError, TypeError, ValueError) as error:
            raise NotAudioError(f"libsndfile: {error}") from error
        sound = self._sound
        if not 0 < sound.frames < UNKNOWN_FRAMES or not sound.seekable():
            raise NotAudioError("libsndfile: no samples, or an unknown number of them")
        self.info = AudioInfo(
            container="wav" if sound.format == "WAVEX" else sound.format.lower(),
            codec=sound.subtype.lower(),
            sample_rate=sound.samplerate,
            channels=sound.channels,
            duration=sound.frames / sound.samplerate,
        )

    def read(self, start: float, seconds: float) -> NDArray[np.float32]:
        """Samples ``[frames, channels]`` from ``start`` seconds; fewer at the end.

        Raises:
          DamagedAudioError: libsndfile can't seek to or decode this place.
        """
        rate = self.info.sample_rate
        first = min(round(start * rate), self._sound.frames)
        try:
            self._sound.seek(first)
            return self._sound.read(round(seconds * rate), dtype="float32", always_2d=True)
        except soundfile.SoundFileError as error:
            raise DamagedAudioError(f"libsndfile at {start:.1f} s: {error}") from error

    def close(self) -> None:
        """Release the decoder."""
        self._sound.close()


def looks_like_mpeg(head: bytes) -> bool:
    """Whether three bytes are the start of an MPEG stream or of its ID3 tag."""
    return head == b"ID3" or (len(head) == 3 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0)


def is_free_format(head: bytes) -> bool:
    """Whether four bytes are a frame of layer III without a bit rate, which FFmpeg can't read."""
    return len(head) == 4 and head[1] & 0xE6 == 0xE2 and head[2] >> 4 == 0
