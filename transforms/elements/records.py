"""What crosses the borders between stages.

A line of a manifest enters as a ``ManifestRow``, becomes a ``DecodedTrack``, travels
from codec to CNN as ``SegmentBatch`` elements, and leaves as one ``AuditedTrack``
or as one ``ErrorRow``, with its ``Shard``, the rows that are committed together. A
failure does not jump out of the line: it rides along as a ``StageFailure`` in place of
the data, so that every line leaves at the same door, once.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from artifactnet.models.config import FORENSIC_CHANNELS
from artifactnet.models.parts import Part
from artifactnet.transforms.audio.sound_facts import SoundFacts
from artifactnet.transforms.audio.windows import AudioInfo, DecodedAudio

if TYPE_CHECKING:  # its import takes seconds
    from torch import Tensor

PayloadT = TypeVar("PayloadT")
OutT = TypeVar("OutT")


@dataclass(frozen=True)
class RawRow:
    """One row of a manifest as the file holds it.

    Attributes:
      line: line or row number, from 1.
      values: column name to value; without the audio bytes.
      row_group: Parquet row group; -1 for other formats.
      row: row within it.
      has_audio: the file has a column of audio bytes.
    """

    line: int
    values: dict[str, Any]
    row_group: int = -1
    row: int = -1
    has_audio: bool = False


@dataclass(frozen=True)
class EmbeddedAudio:
    """Where the audio bytes of a row lie in a Parquet manifest."""

    manifest: str
    column: str
    row_group: int
    row: int


@dataclass(frozen=True)
class StageFailure:
    """Why a track can't be audited, and where that was found.

    Attributes:
      stage: that failed.
      error_class: name of the exception's class.
      message: for a person.
    """

    stage: str
    error_class: str
    message: str


@dataclass(frozen=True)
class Shard:
    """Rows that are audited one after the other and committed together.

    Attributes:
      name: of it, part of its files' names.
      rows: how many rows it has.
    """

    name: str = ""
    rows: int = 0


@dataclass(frozen=True)
class ManifestRow:
    """One track of the catalogue, or a line that should have been one.

    Attributes:
      track_id: unique in the manifest; may be empty where ``failure`` is set.
      uri: absolute path or object address; names the bytes in messages too.
      manifest: file that lists the track.
      line: its line there (for Parquet its row), from 1.
      embedded: set when the manifest itself holds the audio bytes.
      label: ``ai`` or ``real`` where known.
      generator: what made the track, where known.
      source: data set or owner.
      bench_origin: split of a benchmark.
      carried: every other column, name and value, in the order of the manifest's layout.
      other_columns: JSON of columns that the layout does not know; empty for none.
      content_id: identity of the audio, see ``transforms.storage.fingerprint``; of a line that
        is no row, of its failure; empty where nobody knows.
      failure: why there is nothing to decode.
      shard: to which the row belongs.
    """

    track_id: str
    uri: str
    manifest: str
    line: int
    embedded: EmbeddedAudio | None = None
    label: str | None = None
    generator: str | None = None
    source: str | None = None
    bench_origin: str | None = None
    carried: tuple[tuple[str, Any], ...] = ()
    other_columns: str = ""
    content_id: str = ""
    failure: StageFailure | None = None
    shard: Shard = Shard()


@dataclass(frozen=True)
class DecodedTrack:
    """A row with its audio, or with a piece of it.

    Attributes:
      row: the row.
      sha256: of the whole file, hexadecimal; ``None`` where not all of it was read.
      audio: windows, or why there are none.
      object_bytes: transferred from an object store for it.
      file_bytes: size of the file; 0 where it was not opened.
      last: whether no further piece follows; then notes and facts are those of the whole track.
    """

    row: ManifestRow
    sha256: str | None
    audio: DecodedAudio | StageFailure
    object_bytes: int = 0
    file_bytes: int = 0
    last: bool = True


@dataclass(frozen=True)
class TrackFacts:
    """What the verdict stage needs to know of a decoded track."""

    row: ManifestRow
    sha256: str | None = None
    info: AudioInfo | None = None
    notes: tuple[str, ...] = ()
    sound: SoundFacts | None = None
    file_bytes: int = 0


@dataclass(frozen=True)
class SegmentBatch(Generic[PayloadT]):
    """Some segments of one track through one codec.

    Attributes:
      track: whose segments they are.
      codec: as in ``--codecs``, e.g. ``wav`` or ``mp3:128k``.
      part: which of the track's batches this is, from 0.
      parts: how many batches the track has; 0 where a piece of it is still to come.
      starts: start of each segment in seconds, ``[segments]``.
      payload: the data, first dimension ``segments``; or why there is none.
    """

    track: TrackFacts
    codec: str
    part: int
    parts: int
    starts: tuple[float, ...]
    payload: PayloadT | StageFailure

    def with_payload(self, payload: "OutT | StageFailure") -> "SegmentBatch[OutT]":
        """The same segments one stage further."""
        return replace(self, payload=payload)  # type: ignore[arg-type, return-value]


@dataclass(frozen=True)
class SegmentScores:
    """What the detector says of each segment, on the CPU.

    Attributes:
      p_ai: float32 ``[segments]``, P(AI) in [0, 1].
      embedding: float32 ``[segments, embedding_size]`` of the CNN; NaN where it read none.
      channel_statistics: float32 ``[segments, 7, 2]``, mean and deviation of each forensic channel;
        NaN where there are none.
      network_p_ai: float32 ``[segments]``, P(AI) by the CNN where a head on statistics decides; NaN
        elsewhere, and where the networks read nothing.
      group_logits: float32 ``[segments, groups]``, what each group of forensic statistics adds to
        the logit; no groups where the detector reads no statistics.
      measured: float32 ``[segments]``, share of the forensic statistics that could be measured;
        1 where the detector reads none.
      p_voice: float32 ``[segments]``, P(a voice alone); NaN where the detector doesn't ask.
    """

    p_ai: NDArray[np.float32]
    embedding: NDArray[np.float32]
    channel_statistics: NDArray[np.float32]
    network_p_ai: NDArray[np.float32]
    group_logits: NDArray[np.float32]
    measured: NDArray[np.float32]
    p_voice: NDArray[np.float32]

    @classmethod
    def bare(cls, p_ai: NDArray[np.float32], embedding_size: int = 0) -> "SegmentScores":
        """Scores without any evidence."""
        segments = len(p_ai)
        return cls(
            p_ai=p_ai,
            embedding=np.full((segments, embedding_size), np.nan, np.float32),
            channel_statistics=np.full((segments, len(FORENSIC_CHANNELS), 2), np.nan, np.float32),
            network_p_ai=np.full(segments, np.nan, np.float32),
            group_logits=np.zeros((segments, 0), np.float32),
            measured=np.ones(segments, np.float32),
            p_voice=np.full(segments, np.nan, np.float32),
        )

    @classmethod
    def joined(cls, pieces: "Sequence[SegmentScores]") -> "SegmentScores":
        """Scores of one track from those of its pieces, in their order."""
        names = (one.name for one in fields(cls))
        return cls(*(np.concatenate([getattr(one, name) for one in pieces]) for name in names))


@dataclass(frozen=True)
class Measured:
    """What every payload from the statistics stage on carries along.

    Attributes:
      scores: of all segments of the batch by the head on statistics, whose networks' part is still
        to come; ``None`` where the CNN decides.
      chosen: which of the batch's segments the payload holds, ``[segments]``: those that the
        networks are to read.
    """

    scores: SegmentScores | None
    chosen: NDArray[np.intp]


@dataclass(frozen=True)
class MeasuredAudio(Measured):
    """Audio, float32 ``[segments, samples]``."""

    audio: NDArray[np.float32]


@dataclass(frozen=True)
class MagnitudeSpectra(Measured):
    """Magnitude, float32 ``[segments, bins, frames]``."""

    magnitude: "Tensor"


@dataclass(frozen=True)
class ResidualSpectra(MagnitudeSpectra):
    """And residual, of the same shape."""

    residual: "Tensor"


@dataclass(frozen=True)
class SeparatedSpectra(ResidualSpectra):
    """And the residual's two parts, of the same shape."""

    harmonic: "Tensor"
    percussive: "Tensor"


@dataclass(frozen=True)
class ForensicMaps(Measured):
    """Forensic channels, float32 ``[segments, 7, bins, frames]``."""

    forensic_channels: "Tensor"


@dataclass(frozen=True)
class ScoredSegment:
    """One segment of a track through one codec, as it goes into the verdict."""

    codec: str
    start: float
    p_ai: float
    embedding: NDArray[np.float32]
    channel_statistics: NDArray[np.float32]
    network_p_ai: float
    group_logits: NDArray[np.float32]
    measured: float = 1.0
    p_voice: float = math.nan


@dataclass(frozen=True)
class Verdict:
    """What is said of a track.

    Attributes:
      verdict: one of ``VERDICTS`` (``verdicts.py``).
      p_ai: P(AI) of the segments of the unprocessed audio, pooled (``models/pooling.py``).
      threshold_ai: score from which a track of as many segments is ``ai``.
      p_ai_spread: interquartile range of the same.
      codec_scores: codec and pooled P(AI), the unprocessed audio first.
      codec_drift: largest distance of a codec's score from the unprocessed one; ``None``
        with a single codec.
      reason: why a track is ``uncertain`` whatever its score is: ``narrow band``, ``voice alone``;
        empty elsewhere.
      segments_apart: how many segments don't overlap, on which the threshold hangs.
      parts: of the track that look generated, where the detector finds any.
    """

    verdict: str
    p_ai: float
    threshold_ai: float
    p_ai_spread: float
    codec_scores: tuple[tuple[str, float], ...]
    codec_drift: float | None
    reason: str = ""
    segments_apart: int = 0
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True)
class AuditedTrack:
    """A track with its verdict: one row of ``tracks/`` and its rows of ``segments/``."""

    track: TrackFacts
    verdict: Verdict
    segments: tuple[ScoredSegment, ...]


@dataclass(frozen=True)
class ErrorRow:
    """A row of ``errors/``: a track, or a manifest line, that got no verdict."""

    row: ManifestRow
    failure: StageFailure
