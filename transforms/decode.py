"""Decode stage: a manifest row becomes the few seconds of sound that are needed.

Enters: :class:`~transforms.records.ManifestRow`. Leaves:
:class:`~transforms.records.DecodedTrack`, with mono windows or with the reason why there
are none.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import apache_beam as beam

from models.config import ArtifactNetConfig
from transforms.audio_decoding import DecodeLimits, decode_windows
from transforms.audio_source import open_audio
from transforms.detector_stages import DetectorOptions, detector_of
from transforms.embedded_audio import EmbeddedAudioReader
from transforms.pyav_reader import PyAVReader
from transforms.records import DecodedTrack, ManifestRow, StageFailure
from transforms.soundfile_reader import SoundfileReader
from transforms.stage import StageMetrics, failure

STAGE = "decode"
READERS = (SoundfileReader, PyAVReader)


@dataclass(frozen=True)
class DecodeOptions:
    """``segments`` windows a track, evenly spaced (``None`` for all), within ``limits``."""

    segments: int | None = 7
    limits: DecodeLimits = field(default_factory=DecodeLimits)


def decode_row(
    row: ManifestRow,
    config: ArtifactNetConfig,
    options: DecodeOptions,
    embedded: EmbeddedAudioReader,
) -> DecodedTrack:
    """Decode one track; what goes wrong is in the result."""
    sha256 = None
    try:
        with open_audio(row, options.limits, embedded) as opened:
            sha256 = opened.sha256
            audio = decode_windows(
                opened.file,
                sample_rate=config.sample_rate,
                window_samples=config.segment_samples,
                segments=options.segments,
                limits=options.limits,
                readers=READERS,
            )
    except Exception as error:  # one bad track must not fail the job
        return DecodedTrack(row, sha256, failure(STAGE, row.track_id, error))
    return DecodedTrack(row, sha256, audio)


class DecodeDoFn(beam.DoFn):
    """Decodes rows."""

    def __init__(self, options: DecodeOptions, detector: DetectorOptions) -> None:
        self._options = options
        self._detector = detector
        self._metrics = StageMetrics(STAGE)

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
        if isinstance(track.audio, StageFailure):
            self._metrics.failures.inc()
        yield track
