"""Everything that is said of one track: claim, windows, spectrum, robustness, explanations.

Enters: a row of ``tracks/``, its sound, a detector and the reference. Leaves: ``TrackEvidence``,
whose facts go to the page, to JSON and to the evidence tables; and ``TrackSound``, what is drawn
and played. The sound is decoded anew, as an audit decodes it, and scored anew; where that differs
from the audit, the file or the detector has changed, and the page says so.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from artifactnet.models.config import SHORT_SEGMENTS
from artifactnet.models.pooling import bounded_logits, pooled
from artifactnet.models.statistics.forensic_statistics import GROUPS
from artifactnet.pipeline.evidence.explanations import Explanation, explanations
from artifactnet.pipeline.evidence.occlusion import BandLogit, occlusion
from artifactnet.pipeline.evidence.reference import Rate, Reference, is_lossless
from artifactnet.pipeline.evidence.robustness import variants
from artifactnet.pipeline.output.run_record import segments_of_run
from artifactnet.transforms.audio.windows import DecodedAudio, windows_apart
from artifactnet.transforms.decode import BLOCK, DecodeOptions, decode_row
from artifactnet.transforms.detector.chain import chain_of
from artifactnet.transforms.detector.detector import other_model
from artifactnet.transforms.detector.network_detector import Detector
from artifactnet.transforms.detector.onnx import OnnxDetector
from artifactnet.transforms.elements.records import (
    DecodedTrack,
    ManifestRow,
    SegmentScores,
    StageFailure,
)
from artifactnet.transforms.manifests.parquet import AUDIO_COLUMN, EmbeddedAudioReader
from artifactnet.transforms.reencode import cuts_of
from artifactnet.transforms.storage.fingerprint import embedded_place
from artifactnet.transforms.storage.object_store import S3Access

SAME = 0.002
"""Largest difference from the audit's score that says nothing: another processor rounds so."""
OCCLUDED = 2
"""Strongest windows that are listened to band by band."""
CHANGED = 3
"""Windows whose score is taken after every change: the strongest, the middle one, the weakest."""
PER = 1000
"""Human recordings that a claim speaks of."""


class WindowScore(NamedTuple):
    """One window of the track."""

    start: float
    p_ai: float


class GroupLogit(NamedTuple):
    """What a group of forensic statistics adds to the logit, mean over the windows."""

    group: str
    logit: float


class VariantScore(NamedTuple):
    """P(AI) of the same windows before and after a change; ``None`` where it can't be made here."""

    name: str
    before: float
    after: float | None


@dataclass(frozen=True)
class TrackEvidence:
    """The facts of a track.

    Attributes:
      track_id: of the track.
      uri: where it lies.
      verdict: of the audit, as are ``reason``, ``p_ai`` and ``threshold_ai``.
      human: human tracks of like length that score so high; ``None`` without a reference.
      human_sources: sources of all human tracks of the reference.
      windows: scores, in order.
      window_seconds: length of each.
      network_p_ai: of the strongest window by ArtifactUNet and CNN, where a head decides.
      groups: what each group of statistics adds, strongest first.
      bands: what each band of the spectrum adds.
      variants: scores after changes.
      explanations: innocent ones.
      notes: of the audit, and what was found here.
      facts: row of ``tracks/``.
      model_id: of the detector that made this evidence.
    """

    track_id: str
    uri: str
    verdict: str
    reason: str
    p_ai: float
    threshold_real: float
    threshold_ai: float
    human: Rate | None
    human_sources: int
    windows: tuple[WindowScore, ...]
    window_seconds: float
    network_p_ai: float | None
    groups: tuple[GroupLogit, ...]
    bands: tuple[BandLogit, ...]
    variants: tuple[VariantScore, ...]
    explanations: tuple[Explanation, ...]
    notes: tuple[str, ...]
    facts: Mapping[str, Any]
    model_id: str

    @property
    def strongest(self) -> int:
        """Place of the window that looks most generated."""
        return int(np.argmax([window.p_ai for window in self.windows]))

    @property
    def weakest(self) -> int:
        """Place of the window that looks least so."""
        return int(np.argmin([window.p_ai for window in self.windows]))

    @property
    def explained_by(self) -> tuple[str, ...]:
        """Innocent explanations that hold."""
        return tuple(one.name for one in self.explanations if one.says == "explains")

    @property
    def holds_after_changes(self) -> bool:
        """Whether no change brings the score under the threshold of ``ai``."""
        after = [one.after for one in self.variants if one.after is not None]
        return bool(after) and min(after) >= self.threshold_ai

    @property
    def start(self) -> float:
        """Logit that every track starts from, before what the groups add."""
        mean = float(bounded_logits(np.array([window.p_ai for window in self.windows])).mean())
        return mean - sum(one.logit for one in self.groups)

    @property
    def heard_whole(self) -> bool:
        """Whether the windows cover the track."""
        return self.window_seconds * len(self.windows) >= 0.97 * float(self.facts["duration"])

    @property
    def is_short(self) -> bool:
        """Whether it counts as a short clip, by the windows that don't overlap."""
        return is_short_clip([window.start for window in self.windows], self.window_seconds)

    @property
    def claim(self) -> str:
        """The claim in one sentence, with its rate of error."""
        if self.human is None:
            return (
                f"Score {self.p_ai:.2f}. There is no table of known music beside these weights, so "
                "nobody can say how often human music scores this high."
            )
        if not self.human.enough:
            return f"Score {self.p_ai:.2f}. Too few human recordings of this length were tested."
        most = math.ceil(PER * self.human.upper)
        kind = "short clips" if self.is_short else "whole songs"
        return (
            f"Score {self.p_ai:.2f} of 1. Of {PER:,} human recordings like those we tested, at "
            f"most {most} score this high ({self.human.seen} of {self.human.tracks} did, {kind} "
            "as this one; exact bound, 95 % confidence). The score is no probability that this "
            "track is generated."
        )


class TrackSound(NamedTuple):
    """What is drawn and played.

    Attributes:
      audio: the windows ``[windows, samples]``, mono, and where they start.
      sample_rate: Hz.
      magnitude: of the strongest window, ``[bins, frames]``; ``None`` by an ONNX model.
      residual: what ArtifactUNet takes for the codec's, of the same shape.
    """

    audio: DecodedAudio
    sample_rate: int
    magnitude: NDArray[np.float32] | None
    residual: NDArray[np.float32] | None


class UnheardTrackError(ValueError):
    """The sound of a track can't be had any more, or the detector is not the one that scored it."""


def is_short_clip(starts: Sequence[float], window_seconds: float) -> bool:
    """Whether too few of a track's windows don't overlap for the threshold of a whole song."""
    return windows_apart(starts, window_seconds) < SHORT_SEGMENTS


def window_scores(detector: Detector | OnnxDetector, windows: NDArray[np.float32]) -> SegmentScores:
    """Scores of ``windows`` ``[windows, samples]`` by the stages of an audit."""
    payload: Any = windows
    for stage in chain_of(detector):
        if isinstance(payload, SegmentScores):
            break
        payload = stage.compute(detector, payload)
    return payload


def track_scores(detector: Detector | OnnxDetector, audio: DecodedAudio) -> SegmentScores:
    """Scores of a track's windows, heard piece by piece, as an audit hears them."""
    found = [window_scores(detector, audio.windows[cut]) for cut in cuts_of(audio, BLOCK)]
    return SegmentScores.joined(found)


def _logits(detector: Detector | OnnxDetector, windows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Logits of a few windows of a track, heard together: what changes of them are set beside."""
    return bounded_logits(window_scores(detector, windows).p_ai)


def _changed(
    detector: Detector | OnnxDetector, windows: NDArray[np.float32], logits: NDArray[np.float64]
) -> tuple[VariantScore, ...]:
    order = np.argsort(logits)
    chosen = np.unique(order[np.linspace(0, len(order) - 1, CHANGED).round().astype(int)])

    def p_of(values: NDArray[np.float64]) -> float:
        return pooled(1 / (1 + np.exp(-values)), detector.config.pooling)

    score = partial(_logits, detector)
    before = p_of(score(windows[chosen]))
    return tuple(
        VariantScore(one.name, before, None if one.logits is None else p_of(one.logits))
        for one in variants(windows[chosen], detector.config.sample_rate, score)
    )


def _spectra(
    detector: Detector | OnnxDetector, window: NDArray[np.float32]
) -> tuple[NDArray[np.float32] | None, NDArray[np.float32] | None, float | None]:
    if isinstance(detector, OnnxDetector):
        return None, None, None
    with torch.inference_mode():
        network = detector.network
        spectra = network.spectra(network.stft(torch.from_numpy(window[None]).to(detector.device)))
        p_ai = float(torch.sigmoid(network.classify(spectra).logit)[0])
    magnitude, residual = (one[0].cpu().numpy() for one in (spectra.magnitude, spectra.residual))
    return magnitude, residual, p_ai if detector.head is not None else None


def track_evidence(
    facts: Mapping[str, Any],
    decoded: DecodedTrack,
    detector: Detector | OnnxDetector,
    reference: Reference | None,
) -> tuple[TrackEvidence, TrackSound]:
    """Everything of one track.

    Args:
      facts: its row of ``tracks/``.
      decoded: its sound.
      detector: that scored it.
      reference: of that detector, if there is one.

    Raises:
      UnheardTrackError: there is no sound any more.
    """
    if isinstance(decoded.audio, StageFailure):
        raise UnheardTrackError(f"{facts['track_id']}: {decoded.audio.message}")
    audio, config = decoded.audio, detector.config
    scores = track_scores(detector, audio)
    logits = bounded_logits(scores.p_ai)
    loudest = np.sort(np.argsort(-logits)[:OCCLUDED])
    bands = occlusion(
        audio.windows[loudest],
        config.sample_rate,
        partial(_logits, detector),
        float(_logits(detector, audio.windows[loudest]).mean()),
    )
    magnitude, residual, network_p_ai = _spectra(detector, audio.windows[int(np.argmax(logits))])
    p_ai = pooled(scores.p_ai, config.pooling)
    notes = list(facts.get("notes") or ())
    if abs(p_ai - facts["p_ai"]) > SAME:
        notes.append(
            f"scored again for this page, the track has {p_ai:.3f} and not {facts['p_ai']:.3f}: "
            "the file or the number of windows is another now"
        )
    bit_rate = 8 * (facts.get("file_bytes") or math.nan) / facts["duration"] / 1000
    if is_lossless(facts.get("codec")):
        bit_rate = math.inf
    sound = {**audio.facts._asdict(), "bit_rate": bit_rate, "p_voice": _mean(scores.p_voice)}
    short = is_short_clip(audio.starts, config.segment_seconds)
    found = TrackEvidence(
        track_id=facts["track_id"],
        uri=facts["uri"],
        verdict=facts["verdict"],
        reason=facts.get("reason") or "",
        p_ai=facts["p_ai"],
        threshold_real=facts["threshold_real"],
        threshold_ai=facts["threshold_ai"],
        human=reference.human_rate(facts["p_ai"], short) if reference else None,
        human_sources=reference.sources() if reference else 0,
        windows=tuple(map(WindowScore, audio.starts, map(float, scores.p_ai))),
        window_seconds=config.segment_seconds,
        network_p_ai=network_p_ai,
        groups=_groups(scores),
        bands=bands,
        variants=_changed(detector, audio.windows, logits),
        explanations=explanations(sound, reference, config),
        notes=tuple(notes),
        facts=facts,
        model_id=detector.model_id,
    )
    return found, TrackSound(audio, config.sample_rate, magnitude, residual)


def _groups(scores: SegmentScores) -> tuple[GroupLogit, ...]:
    if not scores.group_logits.size:
        return ()
    logits = scores.group_logits.mean(axis=0)
    # A head of fewer statistics does not hear the groups that came later.
    there = np.flatnonzero(scores.group_logits.any(axis=0))
    found = (GroupLogit(GROUPS[at], float(logits[at])) for at in there)
    return tuple(sorted(found, key=lambda one: -one.logit))


def _mean(values: NDArray[np.float32]) -> float:
    return float(values.mean()) if np.isfinite(values).all() else math.nan


def heard(
    facts: Mapping[str, Any], output: str, detector: Detector | OnnxDetector, access: S3Access
) -> DecodedTrack:
    """The sound of a row of ``tracks/`` of ``output``, with the windows that the audit took.

    Raises:
      UnheardTrackError: another detector scored it: its page would set the score of one beside
        the reasons and the known music of the other.
    """
    if facts["model_id"] != detector.model_id:
        raise UnheardTrackError(other_model(facts["track_id"], facts["model_id"], detector))
    inside = embedded_place(facts["uri"], facts.get("content_id") or "", AUDIO_COLUMN)
    row = ManifestRow(facts["track_id"], facts["uri"], "report", 1, inside)
    try:
        segments = segments_of_run(output, facts["run_id"])
    except ValueError:  # nothing is known of the run: as many as were scored
        segments = facts["segments"]
    options = DecodeOptions(segments, access=access)
    return decode_row(row, detector.config, options, EmbeddedAudioReader())
