"""A detector whose head decides: stored, loaded, scored, shown as evidence."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import duckdb
import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import artifactnet
from artifactnet.models.artifactnet import load_detector, save_detector
from artifactnet.models.statistics.forensic_statistics import (
    FEATURES,
    GROUPS,
    VERSIONS,
    forensic_statistics,
)
from artifactnet.models.statistics.head import StatisticsHead
from artifactnet.models.weights.weights_file import WeightsError
from artifactnet.pipeline.audit.request import AuditRequest
from artifactnet.pipeline.audit.run import run_audit
from artifactnet.pipeline.training.statistics.learning.boosting import BoostingConfig
from artifactnet.pipeline.training.statistics.learning.heads import HeadConfig, Levels, fit_head
from artifactnet.pipeline.training.statistics.learning.networks import Learning, NetworkConfig
from artifactnet.transforms.detector.chain import chain_of
from artifactnet.transforms.detector.detector import DetectorOptions, detector_of
from artifactnet.transforms.detector.evidence import GROUP, to_look_at
from artifactnet.transforms.detector.network_detector import Detector
from artifactnet.transforms.elements.records import (
    ManifestRow,
    SegmentBatch,
    SegmentScores,
    TrackFacts,
)
from artifactnet.transforms.elements.stage import StageMetrics, run_stage
from artifactnet.transforms.statistics import head_scores
from tests.conftest import music

ROW = ManifestRow("t", "/t.wav", "m.jsonl", 1)


@pytest.fixture(scope="module")
def head() -> StatisticsHead:
    rng = np.random.default_rng(0)
    audio = [music(4)[:, 0] + rng.normal(0, s, 176_400) for s in np.linspace(0, 0.3, 40)]
    x = np.stack([forensic_statistics(one.astype(np.float32)) for one in audio])
    config = HeadConfig(
        BoostingConfig(max_iter=8, bags=1, min_samples_leaf=2, max_features=1.0),
        NetworkConfig(2, 16, learning=Learning(epochs=20, batch=16)),
    )
    return fit_head(Levels.of(x), np.ones(40, bool), np.arange(40) >= 20, np.ones(40), config)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory, tiny_weights: Path, head) -> Path:
    path = tmp_path_factory.mktemp("head") / "h.safetensors"
    save_detector(load_detector(tiny_weights).network, path, head)
    return path


def test_a_head_is_stored_beside_the_networks(weights: Path, head: StatisticsHead) -> None:
    loaded = load_detector(weights)
    assert loaded.head is not None
    x = np.random.default_rng(1).standard_normal((5, FEATURES)).astype(np.float32)
    # The networks' weights are stored as float16.
    np.testing.assert_allclose(loaded.head.logit(x), head.logit(x), atol=0.02)
    assert loaded.network.config.statistics


def test_the_head_decides_and_the_audit_shows_why(
    weights: Path, tiny_weights: Path, tmp_path: Path, wav, head: StatisticsHead
) -> None:
    path = wav("a.wav", 9.0)
    request = AuditRequest(
        str(path), str(tmp_path / "out"), weights=weights, evidence="all", quiet=True
    )
    run_audit(request)
    rows = duckdb.sql(f"FROM '{tmp_path}/out/segments/*.parquet' ORDER BY start").df()
    found = artifactnet.load_detector(weights).score(path)
    np.testing.assert_allclose(rows.p_ai, [one.p_ai for one in found.segments], atol=1e-6)
    stored = load_detector(weights).head
    assert stored is not None
    start, _ = stored.contributions(np.zeros((1, FEATURES), np.float32))
    samples = soundfile.read(path, dtype="float32", always_2d=True)[0].mean(axis=1)
    for row in rows.itertuples():
        assert [one["group"] for one in row.statistics_logits] == list(GROUPS)
        window = samples[round(row.start * 44_100) :][: 4 * 44_100]
        measured = np.isfinite(forensic_statistics(window)).mean(keepdims=True)
        doubt = stored.doubt(measured, np.full(1, np.nan))[0]
        logit = start * doubt + sum(one["logit"] for one in row.statistics_logits)
        assert row.p_ai == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-4)
    networks = artifactnet.load_detector(tiny_weights).score(path)
    np.testing.assert_allclose(
        rows.network_p_ai, [one.p_ai for one in networks.segments], atol=1e-5
    )


def test_the_networks_read_what_looks_generated(weights: Path) -> None:
    audio = np.stack([music(4)[:, 0]] * 6).astype(np.float32)
    detector = detector_of(DetectorOptions(weights, evidence="all"))
    assert isinstance(detector, Detector)

    def scored(evidence: str, threshold: float) -> SegmentScores:
        detector.evidence = evidence
        config = replace(detector.network.config, threshold_real=0.0, threshold_ai=threshold)
        detector.network.config = config
        batch = SegmentBatch(TrackFacts(ROW), "wav", 0, 1, (0.0,) * 6, audio)
        for stage in chain_of(detector):
            compute = partial(stage.compute, detector)
            batch = run_stage(StageMetrics(stage.name), batch, compute)
        assert isinstance(batch.payload, SegmentScores)
        return batch.payload

    every = scored("all", 0.0)
    assert np.isfinite(every.network_p_ai).all()
    for evidence, threshold, read in (
        ("flagged", 0.0, [0, 4]),  # of each four side by side one
        ("flagged", 1.0, []),
        ("none", 0.0, []),
    ):
        some = scored(evidence, threshold)
        np.testing.assert_array_equal(some.p_ai, every.p_ai)
        np.testing.assert_array_equal(np.flatnonzero(np.isfinite(some.network_p_ai)), read)
        np.testing.assert_allclose(some.network_p_ai[read], every.network_p_ai[read], atol=1e-5)
        np.testing.assert_allclose(some.embedding[read], every.embedding[read], atol=1e-4)


@given(
    p_ai=arrays(np.float32, st.integers(1, 20), elements=st.floats(0, 1, width=32)),
    threshold=st.floats(0, 1, width=32),
)
def test_of_each_four_windows_at_most_the_strongest(p_ai, threshold: float) -> None:
    looked_at = np.array(to_look_at(p_ai.tolist(), threshold, "flagged"), int)
    assert len(set(looked_at // GROUP)) == len(looked_at)
    for first in range(0, len(p_ai), GROUP):
        four = p_ai[first : first + GROUP]
        inside = looked_at[(looked_at >= first) & (looked_at < first + GROUP)]
        assert [p_ai[one] for one in inside] == [four.max()] * int(four.max() >= threshold)


def test_a_head_of_other_statistics_is_refused(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from artifactnet.models import artifactnet as module

    own = load_detector(weights).network.config.statistics
    monkeypatch.setattr(module, "VERSIONS", {"later": FEATURES})
    with pytest.raises(WeightsError, match=f"reads the statistics {own}, and these are later"):
        load_detector(weights)
    monkeypatch.setattr(module, "VERSIONS", {own: FEATURES + 1})
    with pytest.raises(WeightsError, match=f"reads {FEATURES} statistics, version {own} has"):
        load_detector(weights)


def test_a_head_of_the_first_statistics_still_decides(tiny_weights: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((60, VERSIONS["1"])).astype(np.float32)
    labels = x[:, 0] > 0
    config = HeadConfig(
        BoostingConfig(max_iter=8, bags=1, min_samples_leaf=2, max_features=1.0),
        NetworkConfig(2, 16, learning=Learning(epochs=5, batch=16)),
    )
    head = fit_head(Levels.of(x), np.ones(60, bool), labels, np.ones(60), config)
    path = tmp_path / "older.safetensors"
    save_detector(load_detector(tiny_weights).network, path, head)
    loaded = load_detector(path)
    assert loaded.head is not None
    assert loaded.network.config.statistics == "1"
    later = rng.standard_normal((60, FEATURES - VERSIONS["1"])).astype(np.float32)
    scores = head_scores(loaded.head, np.concatenate([x, later], axis=1), 4)
    np.testing.assert_allclose(scores.p_ai, 1 / (1 + np.exp(-head.logit(x))), atol=0.01)
    assert scores.group_logits.shape == (60, len(GROUPS))
    assert not scores.group_logits[:, GROUPS.index("tonal")].any()
