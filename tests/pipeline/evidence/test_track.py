"""A page hears a track as the audit did, whatever the pieces in which it came."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from artifactnet.models.artifactnet import load_detector
from artifactnet.models.pooling import bounded_logits
from artifactnet.models.statistics.track_mean import SIDE_BY_SIDE
from artifactnet.pipeline.audit.request import AuditRequest
from artifactnet.pipeline.audit.run import run_audit
from artifactnet.pipeline.audit.score import score_track
from artifactnet.pipeline.evidence.track import (
    heard,
    track_evidence,
    track_scores,
    window_scores,
)
from artifactnet.pipeline.output.latest import read_audit
from artifactnet.transforms.audio.codec_spec import parse_codec
from artifactnet.transforms.audio.windows import AudioInfo, DecodedAudio
from artifactnet.transforms.decode import BLOCK, DecodeOptions, decode_blocks, decode_row
from artifactnet.transforms.detector.detector import DetectorOptions, detector_of
from artifactnet.transforms.detector.evidence import NONE
from artifactnet.transforms.detector.network_detector import Detector
from artifactnet.transforms.elements.records import AuditedTrack, ManifestRow
from artifactnet.transforms.manifests.parquet import EmbeddedAudioReader
from artifactnet.transforms.storage.object_store import S3Access
from tests.conftest import music

RATE = 44_100


@pytest.fixture(scope="module")
def detector() -> Detector:
    """The shipped one, whose windows are heard together."""
    network, _, head = load_detector()
    assert head is not None
    return Detector(network, "one", torch.device("cpu"), replace(head, together=0.5), NONE)


def row_of(path: Path, audio: np.ndarray) -> ManifestRow:
    soundfile.write(path, audio, RATE)
    return ManifestRow("track", str(path), "manifest.jsonl", 1)


def audited(row: ManifestRow, detector: Detector, segments: int | None) -> AuditedTrack:
    options = DecodeOptions(segments)
    pieces = decode_blocks(row, detector.config, options, EmbeddedAudioReader())
    codecs = (parse_codec("wav"), parse_codec("mp3:128k"))
    found = score_track(pieces, detector, codecs, "pyav")
    assert isinstance(found, AuditedTrack), found
    return found


def changing(seconds: float) -> np.ndarray:
    """Music that differs from window to window, float32 ``[frames]``."""
    audio = music(seconds)[:, 0]
    loudness = np.interp(np.arange(len(audio)), [0, len(audio)], [1.0, 0.05])
    noise = np.random.default_rng(0).standard_normal(len(audio))
    return (audio * loudness + 0.02 * noise * (1 - loudness)).astype(np.float32)


@pytest.mark.slow
def test_a_long_track_with_silence_in_it_is_heard_as_it_was_audited(
    tmp_path: Path, detector: Detector
) -> None:
    audio = changing(4.0 * (BLOCK + 9))
    audio[RATE * 40 : RATE * 60] = 0  # so that the first piece holds no multiple of eight windows
    row = row_of(tmp_path / "long.wav", audio)
    found = audited(row, detector, None)
    own = [one for one in found.segments if one.codec == "wav"]
    decoded = decode_row(row, detector.config, DecodeOptions(None), EmbeddedAudioReader()).audio
    assert len(decoded.pieces) == 2
    assert decoded.pieces[0] % SIDE_BY_SIDE
    assert sum(decoded.pieces) == len(own) > BLOCK
    scores = track_scores(detector, decoded)
    np.testing.assert_allclose(scores.p_ai, [one.p_ai for one in own], atol=1e-5)
    joined = score_track(
        decode_row(row, detector.config, DecodeOptions(None), EmbeddedAudioReader()),
        detector, (parse_codec("wav"),), "pyav",
    )  # fmt: skip
    assert isinstance(joined, AuditedTrack)
    assert joined.verdict.p_ai == pytest.approx(found.verdict.p_ai, abs=1e-6)
    np.testing.assert_allclose(
        scores.group_logits, np.stack([one.group_logits for one in own]), atol=1e-4
    )


def test_a_piece_of_silence_is_no_piece_to_hear(detector: Detector) -> None:
    windows = changing(8.0).reshape(2, -1)
    audio = DecodedAudio(
        AudioInfo("wav", "pcm_16", RATE, 1, 264.0), (256.0, 260.0), windows, (), pieces=(0, 2)
    )
    np.testing.assert_array_equal(
        track_scores(detector, audio).p_ai, window_scores(detector, windows).p_ai
    )


def test_silent_windows_are_planned_again_for_a_page(tmp_path: Path) -> None:
    audio = changing(60.0)
    audio[: RATE * 20] = 0
    row = row_of(tmp_path / "half.wav", audio)
    manifest, output = tmp_path / "m.jsonl", str(tmp_path / "out")
    manifest.write_text(json.dumps({"track_id": "half", "uri": row.uri}))
    run_audit(AuditRequest(str(manifest), output, workers=1, quiet=True))
    (facts,) = read_audit(output).tracks.to_pylist()
    assert facts["segments"] < 7
    detector = detector_of(DetectorOptions())
    decoded = heard(facts, output, detector, S3Access())
    assert len(decoded.audio.starts) == facts["segments"]
    found, _ = track_evidence(facts, decoded, detector, None)
    assert found.notes == tuple(facts["notes"])  # no word of another score


def test_windows_are_heard_with_those_of_their_codec_alone(
    tmp_path: Path, detector: Detector
) -> None:
    row = row_of(tmp_path / "one.wav", changing(16.0))
    found = audited(row, detector, 4)
    decoded = decode_row(row, detector.config, DecodeOptions(4), EmbeddedAudioReader()).audio
    own = [one.p_ai for one in found.segments if one.codec == "wav"]
    together = window_scores(detector, decoded.windows).p_ai
    np.testing.assert_allclose(own, together, atol=1e-5)
    alone = np.concatenate([window_scores(detector, w[None]).p_ai for w in decoded.windows])
    nearer = bounded_logits(together).std() < bounded_logits(alone).std()
    assert nearer
    assert abs(alone - together).max() > 1e-3
    assert len(found.segments) == 8
