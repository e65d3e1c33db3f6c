"""Read samples of MP3 by its frames: their places are counted, not guessed from a bit rate.

Enters: a seekable binary file of untrusted bytes. Leaves: an ``AudioReader``. FFmpeg finds a place
in an MP3 by reading up to it, each time anew; here one pass over the headers (half a microsecond a
frame) tells where each frame lies, and a window costs its own frames alone.

Sources: ISO 11172-3 and 13818-3 for the headers; the specification of the LAME tag (revision 1) for
the samples that an encoder puts before and behind the sound.
"""

import io
from array import array
from collections.abc import Callable
from functools import cache
from typing import BinaryIO, NamedTuple, cast

import av
import numpy as np
from numpy.typing import NDArray

from artifactnet.transforms.audio.container_repair import ID3_HEADER, MOST_TAGS, id3_length
from artifactnet.transforms.audio.windows import INTACT_FRACTION, AudioInfo
from artifactnet.transforms.elements.errors import DamagedAudioError, NotAudioError

HEADER = 4
RATES = (44_100, 48_000, 32_000)
KBITS = {
    True: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Layer III of MPEG-1, and of MPEG-2 and 2.5; 0 (free format) and 15 are not among them."""
SAME = bytes((0xFF, 0xFE, 0x0C))
"""Bits of a header that all frames of a stream share, but for the bit rate."""
IN_A_ROW = 3
"""Frames, one behind the other, that are no accident."""
MOST_JUNK = 1 << 20
"""Bytes before the first frame, and between frames, that are skipped."""
BUFFER = 1 << 20
DECODER_DELAY = 529
"""Samples that a decoder of layer III is late by; a LAME tag doesn't count them."""
SMALLEST = 24
"""Bytes of a frame."""
HOLE = 2**64 - 1
"""In the table of places: a frame that was lost."""
PREROLL_FRAMES = 10
"""Decoded before a window: a frame borrows up to 511 bytes from those before it."""


class Kind(NamedTuple):
    """What a frame's header says.

    Attributes:
      size: of the frame in bytes.
      samples: that it decodes to.
      rate: Hz.
    """

    size: int
    samples: int
    rate: int


@cache
def frame_kind(second: int, third: int) -> Kind | None:
    """Of a header's second and third byte; ``None`` where they are none of layer III."""
    version, layer = second >> 3 & 3, second >> 1 & 3
    bitrate, rate, padding = third >> 4, third >> 2 & 3, third >> 1 & 1
    if second & 0xE0 != 0xE0 or version == 1 or layer != 1 or rate == 3 or bitrate in (0, 15):
        return None
    first = version == 3
    hz = RATES[rate] >> (0 if first else 1 if version == 2 else 2)
    samples = 1152 if first else 576
    size = samples // 8 * 1000 * KBITS[first][bitrate - 1] // hz + padding
    return Kind(size, samples, hz)


def _kind_at(head: bytes) -> Kind | None:
    return frame_kind(head[1], head[2]) if len(head) >= HEADER and head[0] == 0xFF else None


class _Window:
    """Bytes of a file near a place, for a reader that mostly goes forward."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._begin, self._bytes = file, 0, b""

    def at(self, place: int, count: int) -> bytes:
        """``count`` bytes from ``place``; fewer at the end of the file."""
        inside = place - self._begin
        if inside < 0 or inside + count > len(self._bytes):
            self._file.seek(place)
            self._begin, inside = place, 0
            self._bytes = self._file.read(max(count, BUFFER))
        return self._bytes[inside : inside + count]


class MpegReader:
    """Random access by frame."""

    def __init__(self, file: BinaryIO, check_deadline: Callable[[], None]) -> None:
        """Open ``file`` and find its frames.

        Raises:
          NotAudioError: no MP3 that begins with a tag or a frame.
          DamagedAudioError: its rate or channels change.
          DecodeLimitError: by ``check_deadline``.
        """
        self.note = ""
        self._file, self._check_deadline = file, check_deadline
        self._window = _Window(file)
        self._places = array("Q")
        self._file_size = file.seek(0, io.SEEK_END)
        begin = self._after_tags()
        head = self._window.at(begin, HEADER)
        if not begin and not (len(head) == HEADER and head[0] == 0xFF and head[1] & 0xE0 == 0xE0):
            raise NotAudioError("MP3: no frame at the start")
        first = self._sync(begin)
        if first is None:
            raise NotAudioError("MP3: no frames")
        head = self._window.at(first, HEADER)
        kind = _kind_at(head)
        assert kind is not None, "_sync found a frame"
        self._samples, rate = kind.samples, kind.rate
        self._promised = 0
        self._skip, padding, first = self._encoder_delay(first, kind)
        self._holes: list[tuple[int, int]] = []
        self._find_frames(first, head)
        if not self._places:
            raise NotAudioError("MP3: no frames but a tag's")
        self._fill_holes()
        self._mono = head[3] >> 6 == 3
        length = len(self._places) * self._samples - self._skip - padding
        self.info = AudioInfo("mp3", "mp3", rate, 1 if self._mono else 2, max(0, length) / rate)
        self._length = length
        if self._promised > len(self._places) * 1.02:
            whole = self._promised * self._samples / rate
            self.note = f"{whole:.1f} s by its header, {length / rate:.1f} s are there (truncated)"
        elif self._holes:
            lost = sum(size for _, size in self._holes)
            self.note = f"{lost} bytes between the frames are none (damaged)"

    def _after_tags(self) -> int:
        """Where the ID3v2 tags at the start end."""
        begin = 0
        for _ in range(MOST_TAGS):
            length = id3_length(self._window.at(begin, ID3_HEADER))
            if not length:
                break
            begin += length
        return begin

    def _fill_holes(self) -> None:
        """Put places without sound where frames were lost, as far as a tag tells how many.

        Without a tag nobody knows whether bytes were lost or others put between; players go on.
        """
        lost = self._promised - len(self._places)
        total = sum(size for _, size in self._holes)
        if lost <= 0 or not total:
            return
        for before, size in reversed(self._holes):
            count = min(round(lost * size / total), size // SMALLEST + 1)
            self._places[before:before] = array("Q", [HOLE] * count)

    def _sync(self, place: int) -> int | None:
        """Where the first of ``IN_A_ROW`` frames lies, from ``place`` on."""
        end = min(place + MOST_JUNK, self._file_size) if not self._places else self._file_size
        steps = 0
        while place < end:
            block = self._window.at(place, 4096)
            inside = block.find(b"\xff")
            if inside < 0:
                place += max(1, len(block))
                continue
            place += inside
            steps += 1
            if steps % 1024 == 0:
                self._check_deadline()
            if self._in_a_row(place):
                return place
            place += 1
        return None

    def _in_a_row(self, place: int) -> bool:
        """Whether frames of one stream follow each other from ``place``, or end with the file."""
        like = b""
        for _ in range(IN_A_ROW):
            head = self._window.at(place, HEADER)
            kind = _kind_at(head)
            if kind is None or (like and not _same(head, like)):
                return False
            like = head
            place += kind.size
            if place >= self._file_size:
                break
        return True

    def _encoder_delay(self, first: int, kind: Kind) -> tuple[int, int, int]:
        """Samples before and behind the sound, and where its first frame lies."""
        frame = self._window.at(first, kind.size)
        for name in (b"Xing", b"Info"):
            place = frame.find(name, HEADER, HEADER + 40)
            if place < 0:
                continue
            flags = int.from_bytes(frame[place + 4 : place + 8], "big")
            if flags & 1:
                self._promised = int.from_bytes(frame[place + 8 : place + 12], "big")
            tag = (
                place
                + 8
                + sum(size for bit, size in ((1, 4), (2, 4), (4, 100), (8, 4)) if flags & bit)
            )
            delay = frame[tag + 21 : tag + 24]
            if frame[tag : tag + 4] not in (b"LAME", b"Lavf", b"Lavc") or len(delay) < 3:
                return 0, 0, first + kind.size
            before = delay[0] << 4 | delay[1] >> 4
            behind = (delay[1] & 15) << 8 | delay[2]
            return before + DECODER_DELAY, max(0, behind - DECODER_DELAY), first + kind.size
        if frame.find(b"VBRI", HEADER, HEADER + 40) >= 0:
            return 0, 0, first + kind.size
        return 0, 0, first

    def _find_frames(self, place: int, like: bytes) -> None:
        """Fill the table of places.

        Raises:
          DamagedAudioError: rate or channels change.
        """
        append, at, size = self._places.append, self._window.at, self._file_size
        mono = like[3] >> 6 == 3
        while place + HEADER <= size:
            if len(self._places) % 65_536 == 0:
                self._check_deadline()
            head = at(place, HEADER)
            kind = frame_kind(head[1], head[2]) if head[0] == 0xFF else None
            if kind is None:
                again = self._sync(place + (id3_length(self._window.at(place, ID3_HEADER)) or 1))
                if again is None:
                    return
                if head[:3] != b"ID3":
                    self._holes.append((len(self._places), again - place))
                place = again
                continue
            if not _same(head, like):
                if self._in_a_row(place):
                    raise DamagedAudioError("its sample rate changes")
                place += 1
                continue
            if (head[3] >> 6 == 3) is not mono and self._in_a_row(place):
                raise DamagedAudioError("its channels change")
            if place + kind.size > size:
                return
            append(place)
            place += kind.size

    def read(self, start: float, seconds: float) -> NDArray[np.float32]:
        """Samples ``[frames, channels]`` from ``start`` seconds; fewer at the end.

        Raises:
          DamagedAudioError: too little of this place decodes.
        """
        rate, each = self.info.sample_rate, self._samples
        begin = self._skip + round(start * rate)
        wanted = min(round(seconds * rate), self._length - round(start * rate))
        if wanted <= 0:
            return np.zeros((0, self.info.channels), np.float32)
        first, last = begin // each, min((begin + wanted - 1) // each, len(self._places) - 1)
        out = np.zeros((self.info.channels, (last - first + 1) * each), np.float32)
        decoder = cast(av.AudioCodecContext, av.CodecContext.create("mp3float", "r"))
        decoded = 0
        for index in range(max(0, first - PREROLL_FRAMES), last + 1):
            self._check_deadline()
            place = self._places[index]
            if place == HOLE:
                continue
            head = self._window.at(place, HEADER)
            kind = _kind_at(head)
            assert kind is not None, "its place is in the table"
            try:
                frames = decoder.decode(av.Packet(self._window.at(place, kind.size)))
            except av.FFmpegError:
                continue  # a broken frame stays silent; so does what borrows from before the start
            for frame in frames:
                block = frame.to_ndarray()
                if index < first or block.shape != (len(out), each):
                    continue
                out[:, (index - first) * each : (index - first + 1) * each] = block
                decoded += each
        if decoded < INTACT_FRACTION * out.shape[1]:
            raise DamagedAudioError(f"at {start:.1f} s only {decoded / out.shape[1]:.0%} decodes")
        inside = begin - first * each
        return out[:, inside : inside + wanted].T

    def close(self) -> None:
        """Nothing is held."""


def _same(head: bytes, like: bytes) -> bool:
    return all(
        (one ^ other) & bits == 0 for one, other, bits in zip(head, like, SAME, strict=False)
    )
