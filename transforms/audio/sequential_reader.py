"""Read samples by decoding from the start: what can't be found by its time is found by counting.

Enters: a seekable binary file of untrusted bytes. Leaves: an ``AudioReader``. Chained streams,
rates that change in mid-stream, clocks that wrap or jump back, damaged indices: players play them,
since they only ever go on. So does this reader, and a sample's place is the number of samples
before it. It decodes the whole file twice, once for its length, and is tried last.
"""

from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple, cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from numpy.typing import NDArray

from artifactnet.transforms.audio.pyav_reader import open_container, reason
from artifactnet.transforms.audio.windows import INTACT_FRACTION, AudioInfo
from artifactnet.transforms.elements.errors import DamagedAudioError, EmptyAudioError

SHORTEST_GAP, LONGEST_GAP = 0.02, 10.0
"""Seconds that time stamps may leave out: less is jitter, more is another clock."""


class _Block(NamedTuple):
    """Samples ``[channels, frames]`` that begin at ``position`` seconds."""

    position: float
    samples: NDArray[np.float32]
    end: float


def _next_packet(packets: Iterator[av.Packet]) -> av.Packet | None:
    """The next one; none at the end, or where the container is too damaged to go on."""
    try:
        return next(packets, None)
    except (av.FFmpegError, IndexError):  # of a stream that begins later PyAV loses count
        return None


class SequentialReader:
    """Access in ascending order; an earlier place begins again."""

    def __init__(self, file: BinaryIO, check_deadline: Callable[[], None]) -> None:
        """Open ``file`` and decode it through.

        Raises:
          NotAudioError: no allowed container, or no sound track.
          EmptyAudioError: nothing decodes.
          DecodeLimitError: by ``check_deadline``.
        """
        self.info: AudioInfo
        self._file, self._check_deadline = file, check_deadline
        self._container: av.container.InputContainer | None = None
        self._rate, self._layout = 0, "mono"
        duration, channels = 0.0, 1
        for position, frame in self._frames():
            if not self._rate:
                self._rate, self._layout = frame.sample_rate, frame.layout.name
                channels = frame.layout.nb_channels
            duration = position + frame.samples / frame.sample_rate
        assert self._container is not None, "opened by the first frame that was asked for"
        if not self._rate:
            raise EmptyAudioError("a sound track without packets")
        stream = self._container.streams.audio[0]
        self.info = AudioInfo(
            container=self._container.format.name.split(",")[0],
            codec=stream.codec_context.name.removesuffix("float"),
            sample_rate=self._rate,
            channels=channels,
            duration=duration,
        )
        self._restart()

    def _restart(self) -> None:
        self._blocks = self._resampled()
        self._held: list[_Block] = []
        self._reached = 0.0

    def _frames(self) -> Iterator[tuple[float, AudioFrame]]:
        """Every frame with the seconds of sound before it."""
        self.close()
        self._file.seek(0)
        self._container = open_container(self._file)
        position, expected = 0.0, None
        packets = self._container.demux(self._container.streams.audio[0])
        while (packet := _next_packet(packets)) is not None:
            self._check_deadline()
            try:
                frames = cast(list[AudioFrame], packet.decode())
            except av.error.PatchWelcomeError as error:
                raise DamagedAudioError(f"FFmpeg: {reason(error)}") from error
            except av.FFmpegError:
                continue  # its time stays silent, as the next stamp tells
            for frame in frames:
                stamp = frame.time
                if stamp is not None and expected is not None:
                    gap = stamp - expected
                    position += gap if SHORTEST_GAP < gap < LONGEST_GAP else 0.0
                yield position, frame
                length = frame.samples / frame.sample_rate
                position += length
                if stamp is not None:
                    expected = stamp + length
                elif expected is not None:
                    expected += length  # frames behind damage have no stamp

    def _resampled(self) -> Iterator[_Block]:
        """Blocks at the first frame's rate and channels."""
        resampler, kind, begin, count = None, None, 0.0, 0
        for position, frame in self._frames():
            now = (frame.format.name, frame.layout.name, frame.sample_rate)
            jumps = abs(position - begin - count / self._rate) > SHORTEST_GAP
            if now != kind or jumps:
                resampler = av.AudioResampler("fltp", self._layout, self._rate)
                kind, begin, count = now, position, 0
            assert resampler is not None, "made for the first frame"
            frame.pts = None  # stamps that jump confuse it
            for part in resampler.resample(frame):
                at = begin + count / self._rate
                count += part.samples
                samples = part.to_ndarray().astype(np.float32, copy=False)
                yield _Block(at, samples, begin + count / self._rate)

    def read(self, start: float, seconds: float) -> NDArray[np.float32]:
        """Samples ``[frames, channels]`` from ``start`` seconds; fewer at the end.

        Raises:
          DamagedAudioError: too little of this place decodes.
        """
        if self._held and start < self._held[0].position:
            self._restart()
        self._held = [block for block in self._held if block.end > start]
        try:
            while self._reached < start + seconds:
                block = next(self._blocks, None)
                if block is None:
                    break
                self._reached = block.end
                if block.end > start:
                    self._held.append(block)
        except (av.FFmpegError, ValueError, OSError, IndexError) as error:
            raise DamagedAudioError(f"FFmpeg at {start:.1f} s: {reason(error)}") from error
        wanted = round(seconds * self._rate)
        samples = np.zeros((self.info.channels, wanted), np.float32)
        filled = written = 0
        for block in self._held:
            place = round((block.position - start) * self._rate)
            part = block.samples[:, max(0, -place) :]
            place = max(0, place)
            part = part[:, : max(0, wanted - place)]
            samples[:, place : place + part.shape[1]] = part
            filled = max(filled, place + part.shape[1]) if part.size else filled
            written += part.shape[1]
        if written < INTACT_FRACTION * filled:
            raise DamagedAudioError(f"at {start:.1f} s only {written / filled:.0%} decodes")
        return samples[:, :filled].T

    def close(self) -> None:
        """Release the decoder."""
        if self._container is not None:
            self._container.close()
            self._container = None
