"""Re-encoding stage: every window of a track through every codec, cut into batches.

Enters: ``DecodedTrack`` items. Leaves: ``SegmentBatch[NDArray]``, float32 ``[segments, samples]``,
one codec a batch, as many segments as the device takes at once. They are yielded one by one, and
the stages behind are fused to this one, so only one batch of a track has spectrograms at any time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import apache_beam as beam
import numpy as np
from apache_beam.metrics import Metrics
from numpy.typing import NDArray

from artifactnet.transforms.audio.codec_spec import PYAV, CodecSpec
from artifactnet.transforms.audio.decoder.pool import decoder_pool
from artifactnet.transforms.audio.lossy_codec import BACKENDS, codec_roundtrip
from artifactnet.transforms.audio.windows import DecodedAudio
from artifactnet.transforms.detector.detector import DetectorOptions, detector_of
from artifactnet.transforms.elements.records import (
    DecodedTrack,
    SegmentBatch,
    SegmentScores,
    StageFailure,
    TrackFacts,
)
from artifactnet.transforms.elements.stage import NAMESPACE, StageMetrics, run_stage


@dataclass(frozen=True)
class ReencodeOptions:
    """Which codecs every track passes through; the unprocessed audio is the first."""

    codecs: tuple[CodecSpec, ...] = (CodecSpec("wav"),)
    backend: str = "pyav"


SECONDS = 60.0
"""That a batch of windows may spend in a codec."""


def reencode(
    windows: NDArray[np.float32], sample_rate: int, spec: CodecSpec, backend: str
) -> NDArray[np.float32]:
    """Pass each of ``windows`` ``[segments, samples]`` through a codec.

    Args:
      windows: mono float32.
      sample_rate: Hz.
      spec: which codec.
      backend: ``pyav`` encodes in a decoder process; ``pydub`` has processes of its own, of the
        ``ffmpeg`` on the PATH.

    Raises:
      CodecError: naming the codec.
    """
    if backend == PYAV:
        return decoder_pool().reencode(windows, sample_rate, spec, SECONDS)
    encoder = BACKENDS[backend]()
    return np.stack([codec_roundtrip(window, sample_rate, spec, encoder) for window in windows])


def cuts_of(audio: DecodedAudio, segments_per_batch: int) -> Iterator[slice]:
    """The windows of each batch.

    None reaches over the border of two pieces of a long track, so that the same windows stand side
    by side whether the pieces come apart or joined.
    """
    first = 0
    for count in audio.pieces or (len(audio.starts),):
        for begin in range(first, first + count, segments_per_batch):
            yield slice(begin, min(begin + segments_per_batch, first + count))
        first += count


def batches_of(
    track: DecodedTrack, codecs: tuple[CodecSpec, ...], segments_per_batch: int, first_part: int = 0
) -> Iterator[tuple[CodecSpec, SegmentBatch[Any]]]:
    """Cut a track, or a piece of one, into batches of its unprocessed windows, one codec a batch.

    Args:
      track: what was decoded; where that failed, a single batch says so.
      codecs: that it goes through.
      segments_per_batch: at most.
      first_part: batches that were cut from the pieces before.
    """
    if isinstance(track.audio, StageFailure):
        facts = TrackFacts(track.row, track.sha256)
        yield (
            codecs[0],
            SegmentBatch(facts, str(codecs[0]), first_part, first_part + 1, (), track.audio),
        )
        return
    audio = track.audio
    facts = TrackFacts(
        track.row, track.sha256, audio.info, audio.notes, audio.facts, track.file_bytes
    )
    cuts = tuple(cuts_of(audio, segments_per_batch))
    if track.last and not cuts:  # silence at the end; the track must be told to be complete
        nothing = SegmentScores.bare(np.zeros(0, np.float32))
        yield (
            codecs[0],
            SegmentBatch(facts, str(codecs[0]), first_part, first_part + 1, (), nothing),
        )
        return
    parts = first_part + len(codecs) * len(cuts) if track.last else 0
    for position, spec in enumerate(codecs):
        for index, piece in enumerate(cuts):
            yield (
                spec,
                SegmentBatch(
                    track=facts,
                    codec=str(spec),
                    part=first_part + position * len(cuts) + index,
                    parts=parts,
                    starts=audio.starts[piece],
                    payload=audio.windows[piece],
                ),
            )


class ReencodeDoFn(beam.DoFn):
    """Re-encodes segments."""

    def __init__(self, options: ReencodeOptions, detector: DetectorOptions) -> None:
        self._options = options
        self._detector = detector
        self._metrics = StageMetrics("codec")
        self._segments = Metrics.counter(NAMESPACE, "segments")
        self._cut = 0

    def setup(self) -> None:
        """Find the encoders.

        Raises:
          CodecError: the backend is not installed here.
        """
        BACKENDS[self._options.backend]()

    def start_bundle(self) -> None:
        """Begin with nothing: a bundle that failed may have left a track half-way."""
        self._cut = 0

    def process(self, element: DecodedTrack) -> Iterator[SegmentBatch]:
        """Yield the track's batches; its pieces come one after the other."""
        detector = detector_of(self._detector)
        rate, size = detector.config.sample_rate, detector.segments_per_batch
        first = self._cut
        for spec, batch in batches_of(element, self._options.codecs, size, first):
            self._cut += 1
            self._segments.inc(len(batch.starts))
            through = partial(reencode, sample_rate=rate, spec=spec, backend=self._options.backend)
            yield run_stage(self._metrics, batch, through)
        if element.last:
            self._cut = 0
