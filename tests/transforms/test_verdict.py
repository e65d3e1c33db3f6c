from dataclasses import replace

import numpy as np
import pytest

from artifactnet.models.config import ArtifactNetConfig
from artifactnet.transforms.audio.windows import AudioInfo
from artifactnet.transforms.detector.detector import DetectorOptions
from artifactnet.transforms.elements.records import (
    AuditedTrack,
    ErrorRow,
    ManifestRow,
    ScoredSegment,
    SegmentBatch,
    SegmentScores,
    StageFailure,
    TrackFacts,
)
from artifactnet.transforms.verdict import VerdictDoFn, audit_result, decide

FACTS = TrackFacts(
    ManifestRow("t", "/t.wav", "m.jsonl", 1), "00", AudioInfo("wav", "pcm_16", 44_100, 1, 28.0)
)


def thresholds(**others) -> ArtifactNetConfig:
    return ArtifactNetConfig(threshold_real=0.3, threshold_ai=0.8, **others)


def segment(codec: str, p_ai: float) -> ScoredSegment:
    return ScoredSegment(codec, 0.0, p_ai, np.zeros(2), np.zeros((7, 2)), float("nan"), np.zeros(0))


def batch(part: int, parts: int, p_ai: list[float] | StageFailure, codec: str = "wav"):
    starts = () if isinstance(p_ai, StageFailure) else tuple(4.0 * n for n in range(len(p_ai)))
    payload = (
        p_ai
        if isinstance(p_ai, StageFailure)
        else SegmentScores(
            np.array(p_ai, np.float32),
            np.zeros((len(p_ai), 2), np.float32),
            np.zeros((len(p_ai), 7, 2), np.float32),
            np.full(len(p_ai), np.nan, np.float32),
            np.zeros((len(p_ai), 0), np.float32),
            np.ones(len(p_ai), np.float32),
            np.full(len(p_ai), np.nan, np.float32),
        )
    )
    return SegmentBatch(FACTS, codec, part, parts, starts, payload)


@pytest.mark.parametrize(
    ("score", "verdict"),
    [(0.1, "real"), (0.2999, "real"), (0.3, "uncertain"), (0.79, "uncertain"), (0.8, "ai")],
)  # fmt: skip
def test_thresholds(score: float, verdict: str) -> None:
    assert decide([segment("wav", score)], thresholds(), 60.0).verdict == verdict


def test_the_mean_of_logits_is_bounded_so_that_odd_segments_accuse_nobody() -> None:
    segments = [segment("wav", p) for p in (0.1, 0.1, 0.1, 0.1, 0.1, 1.0)]
    verdict = decide(segments, thresholds(pooling="mean"), 60.0)
    logits = [-np.log(9)] * 5 + [8.0]
    assert verdict.p_ai == pytest.approx(1 / (1 + np.exp(-np.mean(logits))))
    assert verdict.verdict == "uncertain"
    assert decide([segment("wav", 0.7)], thresholds(pooling="mean"), 60.0).p_ai == pytest.approx(
        0.7
    )


def voice(p_ai: float, p_voice: float) -> ScoredSegment:
    return replace(segment("wav", p_ai), p_voice=p_voice)


def test_a_voice_alone_is_never_called_ai() -> None:
    for scores, verdict, reason in (
        ([(0.9, 0.9), (0.9, 0.8)], "uncertain", "voice alone"),
        ([(0.9, 0.1), (0.9, 0.2)], "ai", ""),
        ([(0.1, 0.9), (0.1, 0.9)], "real", ""),
        ([(0.9, float("nan"))], "ai", ""),
    ):
        found = decide([voice(*one) for one in scores], thresholds(threshold_voice=0.5), 60.0)
        assert (found.verdict, found.reason) == (verdict, reason)


def test_score_is_the_median_so_that_odd_segments_accuse_nobody() -> None:
    verdict = decide([segment("wav", p) for p in (0.1, 0.1, 0.1, 0.99, 0.99)], thresholds(), 60.0)
    assert verdict.p_ai == pytest.approx(0.1)
    assert verdict.verdict == "real"
    assert verdict.p_ai_spread == pytest.approx(0.89)
    assert verdict.codec_drift is None


def test_drift_is_the_largest_distance_from_the_unprocessed_score() -> None:
    scores = [("mp3:128k", 0.5), ("wav", 0.4), ("opus:96k", 0.1)]
    verdict = decide([segment(codec, p) for codec, p in scores], thresholds(), 60.0)
    assert verdict.codec_drift == pytest.approx(0.3)
    assert verdict.codec_scores[0] == ("wav", 0.4)
    assert dict(verdict.codec_scores)["mp3:128k"] == 0.5


def test_unprocessed_audio_is_needed() -> None:
    with pytest.raises(ValueError, match="unprocessed"):
        decide([segment("mp3:128k", 0.5)], thresholds(), 60.0)


def test_batches_in_any_order_make_the_same_track() -> None:
    batches = [batch(0, 3, [0.9, 0.8]), batch(1, 3, [0.7]), batch(2, 3, [0.1, 0.2], "mp3:128k")]
    results = [audit_result(order, thresholds()) for order in (batches, batches[::-1])]
    for result in results:
        assert isinstance(result, AuditedTrack)
        assert [round(s.p_ai, 3) for s in result.segments] == [0.9, 0.8, 0.7, 0.1, 0.2]
        assert result.verdict.p_ai == pytest.approx(0.8)


def test_a_failure_in_one_batch_is_one_error_for_the_track() -> None:
    failed = StageFailure("hpss", "OutOfMemoryError", "no room")
    later = StageFailure("classify", "ValueError", "other")
    result = audit_result(
        [batch(0, 3, [0.9]), batch(2, 3, later), batch(1, 3, failed)], thresholds()
    )
    assert result == ErrorRow(FACTS.row, failed)


def run_do_fn(batches, tiny_weights):
    do_fn = VerdictDoFn(DetectorOptions(tiny_weights))
    do_fn.start_bundle()
    return [out for element in batches for out in do_fn.process(element)], do_fn


def test_do_fn_waits_for_the_last_batch(tiny_weights) -> None:
    batches = [batch(0, 2, [0.9]), batch(1, 2, [0.8])]
    outputs, do_fn = run_do_fn(batches[:1], tiny_weights)
    assert outputs == []
    assert len(list(do_fn.process(batches[1]))) == 1
    do_fn.finish_bundle()


def test_do_fn_fails_the_bundle_rather_than_lose_a_track(tiny_weights) -> None:
    _, do_fn = run_do_fn([batch(0, 2, [0.9])], tiny_weights)
    with pytest.raises(RuntimeError, match="track t: 1 of its batches, not all, reached"):
        do_fn.finish_bundle()
    do_fn.start_bundle()
    do_fn.finish_bundle()


def test_a_failed_row_leaves_at_once(tiny_weights) -> None:
    failed = StageFailure("decode", "X", "y")
    outputs, _ = run_do_fn([batch(0, 1, failed)], tiny_weights)
    assert outputs == [ErrorRow(FACTS.row, failed)]


def test_a_short_track_has_a_threshold_of_its_own() -> None:
    short, long = (in_a_row([0.85] * count) for count in (3, 4))
    assert decide(short, thresholds(threshold_ai_short=0.9), 60.0).verdict == "uncertain"
    assert decide(short, thresholds(threshold_ai_short=0.9), 60.0).threshold_ai == 0.9
    assert decide(long, thresholds(threshold_ai_short=0.9), 60.0).verdict == "ai"
    assert decide(long, thresholds(threshold_ai_short=0.9), 60.0).threshold_ai == 0.8
    assert decide(short, thresholds(threshold_ai_short=0.0), 60.0).verdict == "ai"
    lower = thresholds(threshold_ai_short=0.7)
    assert decide(in_a_row([0.75] * 3), lower, 60.0).verdict == "ai"
    assert decide(in_a_row([0.75] * 4), lower, 60.0).verdict == "uncertain"
    # Windows that overlap are no more evidence than the sound that they cover.
    views = [replace(one, start=one.start / 2) for one in in_a_row([0.85] * 6)]
    found = decide(views, thresholds(threshold_ai_short=0.9), 60.0)
    assert (found.segments_apart, found.verdict) == (3, "uncertain")


def test_of_narrow_sound_nothing_is_said() -> None:
    narrow = replace(segment("wav", 0.99), measured=0.3)
    assert decide([narrow], thresholds(), 60.0).verdict == "uncertain"
    assert decide([replace(narrow, p_ai=0.01)], thresholds(), 60.0).verdict == "uncertain"
    wide = replace(narrow, measured=0.9)
    assert decide([wide, wide, narrow], thresholds(), 60.0).verdict == "ai"
    scores = batch(0, 1, [0.99])
    scores = scores.with_payload(replace(scores.payload, measured=np.array([0.2], np.float32)))
    result = audit_result([scores], thresholds())
    assert isinstance(result, AuditedTrack)
    assert result.verdict.verdict == "uncertain"
    assert "too little of the spectrum" in result.track.notes[-1]


def in_a_row(scores: list[float]) -> list[ScoredSegment]:
    return [replace(segment("wav", p), start=4.0 * n) for n, p in enumerate(scores)]


def test_a_generated_part_in_a_human_track() -> None:
    config = thresholds(pooling="mean", statistics="1")
    found = decide(in_a_row([0.02] * 9 + [0.999] * 6), config, 60.0)
    assert found.verdict == "partial"
    ((start, end, score),) = found.parts
    assert (start, end) == (36.0, 60.0)
    assert score > 0.99
    whole = decide(in_a_row([0.999] * 15), config, 60.0)
    assert (whole.verdict, len(whole.parts)) == ("ai", 1)
    assert decide(in_a_row([0.02] * 15), config, 60.0).parts == ()
    # Of the rest nothing is known where it speaks for neither.
    unclear = decide(in_a_row([0.6] * 9 + [0.999] * 6), config, 60.0)
    assert unclear.verdict == "ai"


def test_no_parts_without_a_rule_for_the_detector_and_of_a_voice_alone() -> None:
    scores = [0.02] * 9 + [0.999] * 6
    assert decide(in_a_row(scores), thresholds(pooling="mean"), 60.0).parts == ()
    alone = [replace(one, p_voice=0.99) for one in in_a_row(scores)]
    config = thresholds(pooling="mean", statistics="1", threshold_voice=0.5)
    found = decide(alone, config, 60.0)
    assert (found.verdict, found.reason, found.parts) == ("uncertain", "voice alone", ())
