"""Decode stage: a manifest row becomes the few seconds of sound that are needed.

The decoders run in processes of their own (``audio/decoder/``).

Enters: ``ManifestRow`` items. Leaves: ``DecodedTrack`` items, with mono windows or with the reason
why there are none.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import apache_beam as beam
from apache_beam.metrics import Metrics

from artifactnet.transforms.audio.decoder.pool import DecoderStartError, decoder_pool
from artifactnet.transforms.audio.source import open_audio
from artifactnet.transforms.audio.windows import DecodeLimits
from artifactnet.transforms.detector.detector import DetectorOptions, detector_of
from artifactnet.transforms.elements.records import DecodedTrack, ManifestRow, StageFailure
from artifactnet.transforms.elements.stage import NAMESPACE, StageMetrics, failure
from artifactnet.transforms.manifests.parquet import EmbeddedAudioReader
from artifactnet.transforms.storage.object_store import S3Access

STAGE = "decode"


@dataclass(frozen=True)
class DecodeOptions:
    """How to decode.

    Attributes:
      segments: windows a track, evenly spaced; ``None`` for all.
      limits: on bytes, time, length.
      access: to S3.
    """

    segments: int | None = 7
    limits: DecodeLimits = field(default_factory=DecodeLimits)
    access: S3Access = field(default_factory=S3Access)


class WindowShape(Protocol):
    """Of what a detector takes; a detector's configuration is one."""

    @property
    def sample_rate(self) -> int:
        """Hz."""
        ...

    @property
    def segment_samples(self) -> int:
        """Of a window."""
        ...

    @property
    def half_steps(self) -> bool:
        """Whether windows of a short track may overlap."""
        ...


def decode_row(
    row: ManifestRow,
    config: WindowShape,
    options: DecodeOptions,
    embedded: EmbeddedAudioReader,
) -> DecodedTrack:
    """Decode one track; what goes wrong is in the result."""
    if row.failure:
        return DecodedTrack(row, None, row.failure)
    sha256, ranges, size = None, None, 0
    try:
        with open_audio(row, options.limits, embedded, options.access) as opened:
            sha256, ranges = opened.sha256, opened.ranges
            size = opened.file.seek(0, io.SEEK_END)
            audio = decoder_pool().decode(
                opened.file,
                sample_rate=config.sample_rate,
                window_samples=config.segment_samples,
                segments=options.segments,
                limits=options.limits,
                half_steps=config.half_steps,
            )
    except DecoderStartError:
        raise  # every track would fail
    except Exception as error:  # one bad track must not fail the job
        problem = failure(STAGE, row.track_id, error)
        return DecodedTrack(row, sha256, problem, ranges.fetched if ranges else 0)
    return DecodedTrack(row, sha256, audio, ranges.fetched if ranges else 0, size)


class DecodeDoFn(beam.DoFn):
    """Decodes rows."""

    def __init__(self, options: DecodeOptions, detector: DetectorOptions) -> None:
        self._options = options
        self._detector = detector
        self._metrics = StageMetrics(STAGE)
        self._object_bytes = Metrics.counter(NAMESPACE, "object_bytes")

    def setup(self) -> None:
        """Make room for the reader of embedded audio, which keeps its place between rows."""
        self._embedded = EmbeddedAudioReader()

    def teardown(self) -> None:
        """Close the manifest that the last rows lay in."""
        self._embedded.close()

    def process(self, row: ManifestRow) -> Iterator[DecodedTrack]:
        """Yield the decoded track, or why it isn't."""
        with self._metrics.timed():
            track = decode_row(
                row, detector_of(self._detector).config, self._options, self._embedded
            )
        self._object_bytes.inc(track.object_bytes)
        if isinstance(track.audio, StageFailure):
            self._metrics.failures.inc()
        yield track
