"""Read samples with FFmpeg's libraries (PyAV): AAC, Opus, video sound tracks, and the odd file.

Enters: a seekable binary file of untrusted bytes. Leaves: an
``AudioReader``. FFmpeg knows playlists and other formats
that open further files or addresses; only plain containers are allowed here, and no
protocol at all, so a track can't make a worker read anything but itself.
"""

import io
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import BinaryIO

import av
import numpy as np
from av.audio.frame import AudioFrame
from numpy.typing import NDArray

from artifactnet.transforms.audio.windows import INTACT_FRACTION, AudioInfo
from artifactnet.transforms.elements.errors import (
    DamagedAudioError,
    EmptyAudioError,
    NotAudioError,
    TooShortError,
)

# FFmpeg writes its complaints about damaged files straight to the terminal; what matters of
# them is in the error rows.
av.logging.set_level(av.logging.PANIC)

CONTAINERS = (
    "aac,ac3,eac3,aiff,amr,ape,asf,au,avi,caf,dsf,dts,flac,flv,matroska,webm,mov,mp4,m4a,3gp,3g2,"
    "mj2,mp3,mpc,mpc8,mpeg,mpegts,oga,ogg,ogv,opus,rm,tak,tta,voc,w64,wav,wv"
)
"""Demuxers that may open a track."""

BARE_STREAMS = frozenset(("aac", "ac3", "eac3", "dts", "amr", "mp3", "mpeg", "mpegts"))
"""Demuxers of containers that don't state a duration, or don't always."""

PREROLL_SECONDS = 0.25
"""Decoded and thrown away before a window, so that lossy decoders are steady."""

GAP_SECONDS = 0.1
"""A time stamp this far from where the last frame ended is believed."""

ENDLESS_PACKETS = 5_000_000
"""Packets after which a file without a stated duration is no longer measured."""


PLACELESS = "time stamps that don't tell a sample's place"
FRAME_HEADER = 4
"""Bytes of a frame of MPEG audio that tell its rate and channels."""
SINGLE_FRAME = 4096
"""Bytes that one frame may have."""


def frame_kind(codec: str, frame: memoryview) -> tuple[int, int] | None:
    """Rate and channels of a frame of MP3 or ADTS, as codes that only compare; else ``None``."""
    if frame[0] != 0xFF:
        return None
    if codec.startswith("mp") and frame[1] & 0xE0 == 0xE0:
        # Version, layer and rate; mono or not (ISO 11172-3, section 2.4.1.3).
        return (frame[1] & 0x1E) << 8 | frame[2] & 0x0C, frame[3] >> 6 == 3
    if codec.startswith("aac") and frame[1] & 0xF6 == 0xF0:
        return frame[2] & 0x3C, (frame[2] & 1) << 2 | frame[3] >> 6
    return None


def frame_seconds(head: bytes) -> float | None:
    """Seconds of the MPEG frame that begins with four bytes (ISO 11172-3); ``None`` of no frame."""
    if len(head) < FRAME_HEADER or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer, rate = head[1] >> 3 & 3, head[1] >> 1 & 3, head[2] >> 2 & 3
    if version == 1 or layer == 0 or rate == 3 or head[2] >> 4 == 15:
        return None
    hz = (44_100, 48_000, 32_000)[rate] >> (0 if version == 3 else 1 if version == 2 else 2)
    samples = 384 if layer == 3 else 576 if layer == 1 and version != 3 else 1152
    return samples / hz


def open_container(file: BinaryIO) -> av.container.InputContainer:
    """A container with a sound track that can be decoded.

    Raises:
      NotAudioError: no allowed container, no sound track, no decoder.
      TooShortError: a single frame of MPEG audio, which FFmpeg is not sure of.
    """
    head = file.read(FRAME_HEADER)
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    try:
        container = av.open(
            file,
            mode="r",
            options={"format_whitelist": CONTAINERS, "protocol_whitelist": ""},
            metadata_errors="replace",
        )
    except (av.FFmpegError, ValueError, OSError) as error:
        seconds = frame_seconds(head)
        if seconds and size < SINGLE_FRAME:
            raise TooShortError(f"{seconds:.3f} s of sound: a single frame of MPEG") from error
        raise NotAudioError(f"no decoder recognises the file ({reason(error)})") from error
    if not container.streams.audio:
        raise NotAudioError(f"a {container.format.name} file without a sound track")
    if container.streams.audio[0].codec_context is None:
        raise NotAudioError("no decoder for the sound track's codec")
    return container


class PyAVReader:
    """Random access by presentation time."""

    def __init__(self, file: BinaryIO, check_deadline: Callable[[], None]) -> None:
        """Open ``file``.

        Raises:
          NotAudioError: no allowed container, or no sound track.
          EmptyAudioError: a sound track without packets.
        """
        self._check_deadline = check_deadline
        self._container = open_container(file)
        stream = self._stream = self._container.streams.audio[0]
        # FFmpeg's stamps of Vorbis are off by up to a window of the codec, but for an Ogg's start.
        self._only_start = stream.codec_context.name == "vorbis"
        if self._only_start and self._container.format.name != "ogg":
            raise DamagedAudioError(PLACELESS)
        self._time_base = stream.time_base or Fraction(1, av.time_base)
        # A FLAC counts its frames from zero; where the first is damaged, the start isn't later.
        counted = self._container.format.name == "flac"
        self._start = 0.0 if counted else float((stream.start_time or 0) * self._time_base)
        self._layout = stream.codec_context.layout.name
        self.info = AudioInfo(
            container=self._container.format.name.split(",")[0],
            codec=stream.codec_context.name.removesuffix("float"),
            sample_rate=stream.codec_context.sample_rate or 0,
            channels=stream.codec_context.channels or 0,
            duration=self._duration(),
        )

    def _duration(self) -> float:
        stream = self._stream
        # Where a stream starts late (a cut file), FFmpeg's duration counts from zero for some
        # containers and from the start for others, and for bare streams it is a guess from the
        # bit rate: then the packets are asked.
        measure = self._start != 0 or self._container.format.name in BARE_STREAMS
        if stream.duration and not measure:
            return float(stream.duration * self._time_base)
        if self._container.duration and not measure:
            return self._container.duration / av.time_base
        end, kinds = self._start, set()
        try:
            for count, packet in enumerate(self._container.demux(stream)):
                if count % 256 == 0:
                    self._check_deadline()
                if packet.pts is not None:
                    length = packet.duration or 0
                    end = max(end, float((packet.pts + length) * self._time_base))
                if packet.size > FRAME_HEADER:
                    kinds.add(frame_kind(stream.codec_context.name, memoryview(packet)))
                if count > ENDLESS_PACKETS:
                    break
        except (av.FFmpegError, IndexError) as error:
            raise DamagedAudioError(f"can't be read through ({reason(error)})") from error
        if end <= self._start:
            raise EmptyAudioError("a sound track without packets")
        if len(kinds - {None}) > 1:
            raise DamagedAudioError("its sample rate or channels change")
        return end - self._start

    def _frames(self, start: float) -> Iterator[AudioFrame]:
        stream = self._stream
        offset = int((start + self._start - PREROLL_SECONDS) / self._time_base)
        first = int(min(0.0, self._start) / self._time_base)
        self._container.seek(max(first, offset), stream=stream, backward=True)
        resampler = av.AudioResampler("fltp", self._layout, self.info.sample_rate)
        for packet in self._container.demux(stream):
            self._check_deadline()
            try:
                frames = packet.decode()
            except av.FFmpegError:
                continue  # players skip a broken packet; what is missing stays silent
            for frame in frames:
                yield from resampler.resample(frame)

    def _position(self, frame: AudioFrame, start: float, expected: int | None) -> int:
        """Sample offset of ``frame`` in a window that begins at ``start`` seconds.

        Time stamps of lossy formats jitter by a few hundred samples, so frames are joined
        end to end unless a stamp tells of a real gap.
        """
        if frame.time is None:
            return expected or 0
        stamped = round((frame.time - self._start - start) * self.info.sample_rate)
        gap = GAP_SECONDS * self.info.sample_rate
        return stamped if expected is None or abs(stamped - expected) > gap else expected

    def read(self, start: float, seconds: float) -> NDArray[np.float32]:
        """Samples ``[frames, channels]`` from ``start`` seconds; fewer at the end.

        Raises:
          DamagedAudioError: FFmpeg can't seek to or decode this place.
        """
        if self._only_start and start > 0:
            raise DamagedAudioError(PLACELESS)
        rate = self.info.sample_rate
        wanted = round(seconds * rate)
        samples = np.zeros((self.info.channels, wanted), np.float32)
        filled = written = 0
        expected: int | None = None
        try:
            for frame in self._frames(start):
                position = self._position(frame, start, expected)
                expected = position + frame.samples
                block = frame.to_ndarray()[:, max(0, -position) :]
                position = max(0, position)
                if position >= wanted:
                    break
                block = block[:, : wanted - position]
                samples[:, position : position + block.shape[1]] = block
                filled = max(filled, position + block.shape[1])
                written += block.shape[1]
                if filled >= wanted:
                    break
        except (av.FFmpegError, ValueError, OSError, IndexError) as error:
            raise DamagedAudioError(f"FFmpeg at {start:.1f} s: {reason(error)}") from error
        if written < INTACT_FRACTION * filled:
            raise DamagedAudioError(f"at {start:.1f} s only {written / filled:.0%} decodes")
        return samples[:, :filled].T

    def close(self) -> None:
        """Release the decoder."""
        self._container.close()


def reason(error: Exception) -> str:
    """What FFmpeg says, in its own words."""
    return getattr(error, "strerror", None) or str(error)
