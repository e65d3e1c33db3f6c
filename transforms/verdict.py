"""Verdict stage: the batches of a track come together and leave as one result.

Enters: ``SegmentBatch[SegmentScores]``. Leaves: one ``AuditedTrack`` or ``ErrorRow`` for every
row. A track's score is that of its segments pooled (``models/pooling.py``), so that a few odd
segments accuse nobody.

The batches of a track are made by one element of the re-encoding stage, to which this stage is
fused. So they all reach the same instance within one bundle, and no shuffle is needed to gather
them. A runner that broke the fusion would leave a track incomplete at the end of the bundle; that
fails the bundle loudly, so that no track is lost.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import apache_beam as beam
import numpy as np
from apache_beam.metrics import Metrics

from artifactnet.models.config import ArtifactNetConfig
from artifactnet.models.parts import Parts, find_parts
from artifactnet.models.pooling import MEAN, pooled
from artifactnet.transforms.audio.codec_spec import UNPROCESSED
from artifactnet.transforms.audio.windows import windows_apart
from artifactnet.transforms.detector.detector import DetectorOptions, detector_of
from artifactnet.transforms.elements.records import (
    AuditedTrack,
    ErrorRow,
    ScoredSegment,
    SegmentBatch,
    SegmentScores,
    StageFailure,
    Verdict,
)
from artifactnet.transforms.elements.stage import NAMESPACE, StageMetrics, failure

LEAST_REST = 2
"""Windows outside of the generated parts, without which nothing is said of them."""

LEAST_MEASURED = 0.45
"""Share of the forensic statistics below which nothing is said: sound up to about 5 kHz."""

NARROW, VOICE_ALONE = "narrow band", "voice alone"
NOTES = {
    NARROW: "uncertain: too little of the spectrum holds sound (narrow band, or hardly any sound)",
    VOICE_ALONE: "uncertain: a voice without music, of which the detector can't tell",
}
"""What each reason means."""


def is_narrow(segments: Sequence[ScoredSegment]) -> bool:
    """Whether too little of the sound can be measured to say anything: telephone, hum, a click."""
    measured = [one.measured for one in segments if one.codec == UNPROCESSED]
    return bool(measured) and float(np.median(measured)) < LEAST_MEASURED


def is_voice_alone(segments: Sequence[ScoredSegment], threshold: float) -> bool:
    """Whether speech or unaccompanied singing is all there is, by the mean over segments."""
    found = [one.p_voice for one in segments if one.codec == UNPROCESSED]
    if not found or not np.isfinite(found).all():
        return False
    return pooled(found, MEAN) >= threshold


def parts_of(own: Sequence[ScoredSegment], config: ArtifactNetConfig, duration: float) -> Parts:
    """Parts of a track that look generated; none by a detector for which no rule was set.

    Args:
      own: segments of the unprocessed audio, in the order of the track.
      config: of the detector.
      duration: of the track in seconds.
    """
    if not config.statistics:
        return Parts((), None, 0)
    starts, scores = [one.start for one in own], [one.p_ai for one in own]
    return find_parts(starts, scores, config.segment_seconds, duration)


def is_partial(parts: Parts, config: ArtifactNetConfig) -> bool:
    """Whether a track holds generated parts, and the rest of it speaks for a human."""
    rest = parts.rest_p_ai
    return (
        bool(parts.found)
        and rest is not None
        and parts.rest_windows >= LEAST_REST
        and rest < config.threshold_real
    )


def decide(
    segments: Sequence[ScoredSegment], config: ArtifactNetConfig, duration: float
) -> Verdict:
    """Decide on a track.

    Args:
      segments: of the unprocessed audio and of every other codec.
      config: thresholds and pooling of the detector.
      duration: of the track in seconds.

    Raises:
      ValueError: no segment of the unprocessed audio.
    """
    by_codec: dict[str, list[float]] = {}
    for segment in segments:
        by_codec.setdefault(segment.codec, []).append(segment.p_ai)
    if UNPROCESSED not in by_codec:
        raise ValueError("no segment of the unprocessed audio was scored")
    by_track = {codec: pooled(scores, config.pooling) for codec, scores in by_codec.items()}
    score = by_track[UNPROCESSED]
    low, high = np.percentile(by_codec[UNPROCESSED], [25, 75])
    others = [abs(other - score) for codec, other in by_track.items() if codec != UNPROCESSED]
    own = sorted((one for one in segments if one.codec == UNPROCESSED), key=lambda one: one.start)
    apart = windows_apart([one.start for one in own], config.segment_seconds)
    threshold_ai = config.threshold_ai_of(apart)
    reason = ""
    parts = parts_of(own, config, duration)
    if is_narrow(segments):
        verdict, reason = "uncertain", NARROW
    elif (score >= threshold_ai or parts.found) and is_voice_alone(
        segments, config.threshold_voice
    ):
        verdict, reason = "uncertain", VOICE_ALONE
    elif is_partial(parts, config):
        verdict = "partial"
    elif score >= threshold_ai:
        verdict = "ai"
    elif score < config.threshold_real:
        verdict = "real"
    else:
        verdict = "uncertain"
    return Verdict(
        verdict=verdict,
        p_ai=score,
        threshold_ai=threshold_ai,
        p_ai_spread=float(high - low),
        codec_scores=tuple(sorted(by_track.items(), key=lambda item: item[0] != UNPROCESSED)),
        codec_drift=max(others) if others else None,
        reason=reason,
        segments_apart=apart,
        parts=() if reason else parts.found,
    )


def scored_segments(batch: SegmentBatch, scores: SegmentScores) -> Iterator[ScoredSegment]:
    """The segments of one batch, in order."""
    for index, start in enumerate(batch.starts):
        yield ScoredSegment(
            codec=batch.codec,
            start=start,
            p_ai=float(scores.p_ai[index]),
            embedding=scores.embedding[index],
            channel_statistics=scores.channel_statistics[index],
            network_p_ai=float(scores.network_p_ai[index]),
            group_logits=scores.group_logits[index],
            measured=float(scores.measured[index]),
            p_voice=float(scores.p_voice[index]),
        )


def audit_result(
    batches: list[SegmentBatch[SegmentScores]], config: ArtifactNetConfig
) -> AuditedTrack | ErrorRow:
    """The one result of a track whose batches are all here; the first failure wins."""
    batches = sorted(batches, key=lambda batch: batch.part)
    track = batches[-1].track  # the last piece knows the notes and the facts of the whole
    segments: list[ScoredSegment] = []
    problem: StageFailure | None = None
    for batch in batches:
        if isinstance(batch.payload, StageFailure):
            problem = problem or batch.payload
        else:
            segments.extend(scored_segments(batch, batch.payload))
    # Codec by codec, whatever the pieces were in which the track came.
    order = list(dict.fromkeys(segment.codec for segment in segments))
    segments.sort(key=lambda one: order.index(one.codec))
    if problem is None:
        try:
            verdict = decide(segments, config, track.info.duration if track.info else 0.0)
            if verdict.reason:
                track = replace(track, notes=(*track.notes, NOTES[verdict.reason]))
            return AuditedTrack(track, verdict, tuple(segments))
        except Exception as error:  # one bad track must not fail the job
            problem = failure("verdict", track.row.track_id, error)
    return ErrorRow(track.row, problem)


class VerdictDoFn(beam.DoFn):
    """Gathers the batches of each track and decides."""

    def __init__(self, options: DetectorOptions) -> None:
        self._options = options
        self._metrics = StageMetrics("verdict")
        self._tracks = Metrics.counter(NAMESPACE, "tracks")
        self._errors = Metrics.counter(NAMESPACE, "errors")
        self._audio_seconds = Metrics.counter(NAMESPACE, "audio_seconds")
        self._waiting: dict[tuple[str, int], list[SegmentBatch]] = {}

    def start_bundle(self) -> None:
        """Begin with nothing: a bundle that failed may have left batches behind."""
        self._waiting = {}

    def process(self, element: SegmentBatch) -> Iterator[AuditedTrack | ErrorRow]:
        """Keep a batch; with the last one of its row, yield the result."""
        line = (element.track.row.manifest, element.track.row.line)
        batches = self._waiting.setdefault(line, [])
        batches.append(element)
        if len(batches) == max(one.parts for one in batches):
            yield self._result(self._waiting.pop(line))

    def _result(self, batches: list[SegmentBatch]) -> AuditedTrack | ErrorRow:
        config = detector_of(self._options).config
        with self._metrics.timed():
            result = audit_result(batches, config)
        if isinstance(result, ErrorRow):
            self._errors.inc()
        else:
            self._tracks.inc()
            self._audio_seconds.inc(round(len(result.segments) * config.segment_seconds))
        return result

    def finish_bundle(self) -> None:
        """Check that no track is left half-way.

        Raises:
          RuntimeError: batches are missing, which a fused stage can't do.
        """
        if self._waiting:
            batches = next(iter(self._waiting.values()))
            raise RuntimeError(
                f"track {batches[0].track.row.track_id}: {len(batches)} of its batches, not all, "
                "reached the verdict; the runner must keep the stages from decode to verdict fused"
            )
