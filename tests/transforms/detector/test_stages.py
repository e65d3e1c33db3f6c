"""Codec to CNN: the DoFns and RunInference give what the network gives in one call."""

from dataclasses import replace
from pathlib import Path

import apache_beam as beam
import numpy as np
import pytest
import torch
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that

from artifactnet.models.artifactnet import load_detector
from artifactnet.models.device import CPU_SEGMENTS
from artifactnet.transforms.audio.codec_spec import CodecSpec, parse_codecs
from artifactnet.transforms.audio.windows import AudioInfo, DecodedAudio
from artifactnet.transforms.detector.chain import segment_chain
from artifactnet.transforms.detector.detector import DetectorOptions, detector_of
from artifactnet.transforms.detector.stages import (
    RunSegmentStage,
    SegmentStage,
    SegmentStageDoFn,
    SegmentStageHandler,
)
from artifactnet.transforms.elements.records import (
    DecodedTrack,
    ManifestRow,
    SegmentBatch,
    SegmentScores,
    StageFailure,
    TrackFacts,
)
from artifactnet.transforms.reencode import ReencodeDoFn, ReencodeOptions, batches_of
from tests.conftest import music

ROW = ManifestRow("t", "/t.wav", "m.jsonl", 1)


def decoded(segments: int) -> DecodedTrack:
    windows = music(4 * segments)[:, 0].reshape(segments, -1)
    info = AudioInfo("wav", "pcm_16", 44_100, 1, 4.0 * segments)
    starts = tuple(4.0 * n for n in range(segments))
    return DecodedTrack(ROW, "00", DecodedAudio(info, starts, windows, ()))


@pytest.mark.parametrize(
    ("segments", "size", "parts"), [(7, 4, 2), (4, 4, 1), (1, 4, 1), (9, 2, 5)]
)
def test_batches_hold_every_segment_once(segments: int, size: int, parts: int) -> None:
    track = decoded(segments)
    specs = parse_codecs("mp3,opus")
    batches = [batch for _, batch in batches_of(track, specs, size)]
    assert [batch.part for batch in batches] == list(range(3 * parts))
    assert {batch.parts for batch in batches} == {3 * parts}
    for codec in ("wav", "mp3:128k", "opus:96k"):
        windows = np.concatenate([b.payload for b in batches if b.codec == codec])
        np.testing.assert_array_equal(windows, track.audio.windows)


def test_a_track_that_failed_is_one_batch() -> None:
    failed = StageFailure("decode", "NotAudioError", "no")
    ((_, batch),) = batches_of(DecodedTrack(ROW, None, failed), parse_codecs("mp3"), 4)
    assert (batch.payload, batch.part, batch.parts) == (failed, 0, 1)


def test_pieces_of_a_track_are_counted_on() -> None:
    """Two pieces and an empty last one: every batch has a number, the last ones know how many."""
    first, second = replace(decoded(3), last=False), replace(decoded(2), last=False)
    silent = decoded(1)
    silent = replace(silent, audio=silent.audio._replace(starts=(), windows=np.zeros((0, 9))))
    specs, done = parse_codecs("mp3"), []
    for piece in (first, second, silent):
        done += [batch for _, batch in batches_of(piece, specs, 2, len(done))]
    assert [batch.part for batch in done] == list(range(7))
    assert [batch.parts for batch in done] == [0] * 6 + [7]
    assert len(done[-1].payload.p_ai) == 0


def test_codec_do_fn_numbers_pieces(tiny_weights: Path) -> None:
    do_fn = ReencodeDoFn(ReencodeOptions(), DetectorOptions(tiny_weights))
    do_fn.setup()
    do_fn.start_bundle()
    found = []
    for piece in (replace(decoded(3), last=False), decoded(CPU_SEGMENTS + 1), decoded(1)):
        found += [(batch.part, batch.parts) for batch in do_fn.process(piece)]
    assert found == [(0, 0), (1, 3), (2, 3), (0, 1)]


def test_codec_do_fn_recodes_all_but_the_unprocessed(tiny_weights: Path) -> None:
    do_fn = ReencodeDoFn(ReencodeOptions(parse_codecs("mp3:64k")), DetectorOptions(tiny_weights))
    do_fn.setup()
    track = decoded(2)
    plain, recoded = do_fn.process(track)
    np.testing.assert_array_equal(plain.payload, track.audio.windows)
    assert recoded.payload.shape == track.audio.windows.shape
    assert not np.allclose(recoded.payload, plain.payload, atol=1e-3)


def test_missing_encoder_fails_the_track_not_the_job(tiny_weights: Path) -> None:
    options = ReencodeOptions((CodecSpec("wav"), CodecSpec("aac", 64_000, "libfdk_aac")))
    do_fn = ReencodeDoFn(options, DetectorOptions(tiny_weights))
    do_fn.setup()
    payloads = [batch.payload for batch in do_fn.process(decoded(1))]
    assert isinstance(payloads[1], StageFailure)
    assert (payloads[1].stage, payloads[1].error_class) == ("codec", "CodecError")


@pytest.mark.slow
def test_stages_in_a_pipeline_equal_the_network(tiny_weights: Path) -> None:
    track = decoded(CPU_SEGMENTS + 2)
    network = load_detector(tiny_weights).network
    with torch.inference_mode():
        expected = torch.sigmoid(network(torch.from_numpy(track.audio.windows)).logit).numpy()
    options = DetectorOptions(tiny_weights)

    def check(batches: list) -> None:
        payloads = [batch.payload for batch in sorted(batches, key=lambda batch: batch.part)]
        assert all(isinstance(payload, SegmentScores) for payload in payloads)
        found = np.concatenate([payload.p_ai for payload in payloads])
        np.testing.assert_allclose(found, expected, atol=1e-5)
        assert payloads[0].embedding.shape == (CPU_SEGMENTS, 8)
        assert payloads[0].channel_statistics.shape == (CPU_SEGMENTS, 7, 2)

    with TestPipeline("FnApiRunner") as pipeline:
        scored = (
            pipeline | beam.Create([track]) | beam.ParDo(ReencodeDoFn(ReencodeOptions(), options))
        )
        for stage in segment_chain(tiny_weights):
            scored = scored | stage.name >> RunSegmentStage(stage, options)
        assert_that(scored, check)


def test_a_process_loads_a_detector_once(tiny_weights: Path) -> None:
    options = DetectorOptions(tiny_weights)
    assert detector_of(options) is detector_of(DetectorOptions(tiny_weights))
    stage = SegmentStage("residual", lambda detector, payload: payload, has_network=True)
    handler = SegmentStageHandler(stage, options)
    assert handler.load_model() is detector_of(options)
    assert handler.should_skip_batching()


def test_do_fn_applies_its_function(tiny_weights: Path) -> None:
    facts = TrackFacts(ManifestRow("t", "u", "m", 1))
    batch = SegmentBatch(facts, "wav", 0, 1, (0.0,), 20)
    stage = SegmentStage("double", lambda detector, payload: 2 * payload)
    do_fn = SegmentStageDoFn(stage, DetectorOptions(tiny_weights))
    assert [batch.payload for batch in do_fn.process(batch)] == [40]
