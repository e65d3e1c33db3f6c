"""The detector for programs: what ``import artifactnet`` offers.

Enters: a file or samples. Leaves: a ``TrackScore``, by the same functions as an audit's.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from artifactnet.models.parts import Part
from artifactnet.pipeline.audit.score import score_track
from artifactnet.transforms.audio.codec_spec import PYAV, CodecSpec
from artifactnet.transforms.audio.windows import (
    AudioInfo,
    DecodedAudio,
    DecodeLimits,
    check_limits,
    read_windows,
)
from artifactnet.transforms.decode import DecodeOptions, decode_blocks
from artifactnet.transforms.detector.detector import (
    AnyDetector,
    DetectorOptions,
    detector_of,
    local_model,
)
from artifactnet.transforms.detector.evidence import NONE
from artifactnet.transforms.elements.records import (
    DecodedTrack,
    ErrorRow,
    ManifestRow,
    StageFailure,
)
from artifactnet.transforms.manifests.parquet import EmbeddedAudioReader
from artifactnet.transforms.storage.files import absolute
from artifactnet.transforms.storage.object_store import S3Access

UNPROCESSED = (CodecSpec("wav"),)


@dataclass(frozen=True)
class SegmentScore:
    """P(AI) of the 4 s from ``start`` seconds on."""

    start: float
    p_ai: float


@dataclass(frozen=True)
class TrackScore:
    """What the detector says of a track.

    Attributes:
      verdict: ``ai``, ``partial``, ``real`` or ``uncertain``.
      p_ai: P(AI) of the segments, pooled.
      p_ai_spread: their interquartile range.
      segments: in order.
      notes: what a reader should know, e.g. silent windows.
    """

    verdict: str
    p_ai: float
    p_ai_spread: float
    segments: tuple[SegmentScore, ...]
    notes: tuple[str, ...]
    parts: tuple[Part, ...] = ()


class ScoringError(ValueError):
    """A track can't be scored; the message says why, and ``stage`` where that was found."""

    def __init__(self, failure: StageFailure) -> None:
        super().__init__(failure.message)
        self.stage = failure.stage
        self.error_class = failure.error_class


class _Samples:
    """An array as the windows want to read it."""

    def __init__(self, samples: NDArray, sample_rate: int) -> None:
        self._samples = samples
        frames, channels = samples.shape
        self.info = AudioInfo("array", "float", sample_rate, channels, frames / sample_rate)

    def read(self, start: float, seconds: float) -> NDArray[np.float32]:
        """Samples ``[frames, channels]`` from ``start`` seconds."""
        first = round(start * self.info.sample_rate)
        last = first + round(seconds * self.info.sample_rate)
        return self._samples[first:last].astype(np.float32)

    def close(self) -> None:
        """Nothing is open."""


class LoadedDetector:
    """A detector that scores files and samples.

    Attributes:
      model_id: of its weights.
      threshold_real: scores below are ``real``.
      threshold_ai: scores from here on are ``ai``.
      sample_rate: Hz that audio is brought to.
    """

    def __init__(self, detector: AnyDetector) -> None:
        self._detector = detector
        self._embedded = EmbeddedAudioReader()
        self.model_id = detector.model_id
        self.threshold_real = detector.config.threshold_real
        self.threshold_ai = detector.config.threshold_ai
        self.sample_rate = detector.config.sample_rate

    def score(
        self,
        audio: str | Path | NDArray,
        sample_rate: int | None = None,
        segments: int | None = 7,
    ) -> TrackScore:
        """Score a track.

        Args:
          audio: path, ``gs://`` or ``s3://`` address; or samples, float ``[frames]`` or
            ``[frames, channels]``, full scale 1.
          sample_rate: Hz of the samples; not for a file.
          segments: windows of 4 s, evenly spaced; ``None`` for as many as cover the track.

        Raises:
          ScoringError: it can't be decoded or scored.
          ValueError: samples without a rate or of another shape, a file with one, or no windows.
        """
        if segments is not None and segments < 1:
            raise ValueError(f"segments must be 1 or more, or None, not {segments}")
        pieces: Iterable[DecodedTrack]
        if isinstance(audio, np.ndarray):
            decoded = self._windows(audio, sample_rate, segments)
            nobody = ManifestRow("samples", "samples", "arguments", 1)
            pieces = [DecodedTrack(nobody, None, decoded)]
        elif not isinstance(audio, str | Path):
            raise ValueError(
                f"audio must be an address or a numpy array, not {type(audio).__name__}"
            )
        elif sample_rate is not None:
            raise ValueError("a file has its own sample_rate; give one for samples only")
        else:
            row = ManifestRow(str(audio), absolute(str(audio)), "arguments", 1)
            options = DecodeOptions(segments)
            pieces = decode_blocks(row, self._detector.config, options, self._embedded)
        result = score_track(pieces, self._detector, UNPROCESSED, PYAV)
        if isinstance(result, ErrorRow):
            raise ScoringError(result.failure)
        return TrackScore(
            verdict=result.verdict.verdict,
            p_ai=result.verdict.p_ai,
            p_ai_spread=result.verdict.p_ai_spread,
            segments=tuple(SegmentScore(one.start, one.p_ai) for one in result.segments),
            notes=result.track.notes,
            parts=result.verdict.parts,
        )

    def _windows(
        self, audio: NDArray, sample_rate: int | None, segments: int | None
    ) -> DecodedAudio | StageFailure:
        if sample_rate is None:
            raise ValueError("samples need their sample_rate in Hz")
        if sample_rate < 1:
            raise ValueError(f"sample_rate must be above 0, not {sample_rate}")
        samples = audio[:, None] if audio.ndim == 1 else audio
        if samples.ndim != 2 or not np.issubdtype(samples.dtype, np.floating):
            raise ValueError(
                f"samples must be float [frames] or [frames, channels], not {audio.dtype} "
                f"{list(audio.shape)}"
            )
        reader, limits, config = (
            _Samples(samples, sample_rate),
            DecodeLimits(),
            self._detector.config,
        )
        try:
            check_limits(reader.info, limits)
            return read_windows(
                reader, config.sample_rate, config.segment_samples, segments, limits, lambda: None,
                half_steps=config.half_steps,
            )  # fmt: skip
        except ValueError as error:
            return StageFailure("decode", type(error).__name__, str(error))


def load_detector(path: str | Path | None = None, device: str = "auto") -> LoadedDetector:
    """Load a detector.

    Args:
      path: safetensors or ONNX file, or its ``gs://`` or ``s3://`` address; ``None`` for the
        shipped weights.
      device: ``auto``, ``cpu``, ``cuda`` ...

    Raises:
      WeightsError: the file can't be used.
      ValueError: the device can't be used.
    """
    weights = None if path is None else local_model(str(path), S3Access())
    return LoadedDetector(detector_of(DetectorOptions(weights, device=device, evidence=NONE)))
