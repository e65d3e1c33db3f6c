import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from artifactnet.models.artifactnet import load_detector
from artifactnet.pipeline.evaluation.calibrate import CalibrateRequest, run_calibrate
from artifactnet.pipeline.evaluation.metrics import (
    ClaimError,
    calibrate,
    claim,
    tracks_needed,
    upper_bound,
)
from artifactnet.pipeline.output.folder import OutputError


@settings(max_examples=50, deadline=None)
@given(n=st.integers(1, 2000), share=st.floats(0, 1), confidence=st.sampled_from([0.9, 0.95, 0.99]))
def test_bound_is_that_of_scipy(n: int, share: float, confidence: float) -> None:
    k = int(share * n)
    interval = binomtest(k, n, alternative="less").proportion_ci(confidence)
    assert upper_bound(k, n, confidence) == pytest.approx(interval.high, abs=1e-9)


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), rate=st.sampled_from([0.02, 0.05]))
def test_the_claim_holds_as_often_as_it_says(seed: int, rate: float) -> None:
    rng = np.random.default_rng(seed)
    # Scores are uniform, so the true rate of a threshold t is 1 - t.
    broken = [1 - claim(rng.random(300), rate, 0.95).threshold > rate for _ in range(300)]
    assert np.mean(broken) <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / 300)


def test_a_claim_that_the_data_cannot_carry_is_refused() -> None:
    scores = np.random.default_rng(0).random(298)
    with pytest.raises(ClaimError, match=r"298 tracks can't carry .* takes at least 299"):
        claim(scores, 0.01, 0.95)
    assert tracks_needed(0.01, 0.95) == 299
    found = claim(np.append(scores, 2.0), 0.01, 0.95)
    assert (found.exceeding, found.threshold > 2) == (0, True)
    assert found.upper_bound <= 0.01


def test_equal_scores_stay_below() -> None:
    found = claim(np.full(500, 0.3), 0.02, 0.95)
    assert found.exceeding == 0
    assert found.threshold == np.nextafter(0.3, 1)


def test_thresholds_are_in_order_even_when_the_classes_part_cleanly() -> None:
    rng = np.random.default_rng(0)
    human, generated = rng.random(400) * 0.1, 0.9 + rng.random(400) * 0.1
    both = calibrate(human, generated, 0.02, 0.05, 0.95)
    assert both.real.threshold <= both.ai.threshold <= 0.11
    alone = calibrate(human, np.array([]), 0.02, 0.1, 0.95)
    assert alone.real_by == "real"
    assert (human >= alone.real.threshold).mean() <= 0.1


def test_thresholds_that_cannot_be_had_are_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ClaimError, match="100 of 400 real tracks have the score 1"):
        calibrate(np.repeat([1.0, 0.1], [100, 300]), np.array([]), 0.02, 0.1, 0.95)
    with pytest.raises(ClaimError, match=r"above that of ai.*; ask for a rate of at least 0\.1"):
        calibrate(rng.random(1000), np.array([]), 0.1, 0.02, 0.95)
    silent = calibrate(rng.random(400) + 0, np.zeros(100), 0.02, 0.1, 0.95)
    assert (silent.real.threshold, silent.real.exceeding) == (0.0, 0)


@pytest.mark.parametrize("rate", [0.0, 1.0, float("nan")])
def test_rates_that_mean_nothing_are_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="can't be claimed; use one between 0 and 1"):
        claim(np.zeros(400), rate, 0.95)


def test_overwrite_spares_an_audit(tmp_path: Path) -> None:
    held = tmp_path / "held"
    (held / "tracks").mkdir(parents=True)
    (held / "tracks" / "tracks-1-00000.parquet").write_bytes(b"kept")
    (held / "run.json").write_text(json.dumps({"run_id": "1"}))
    wanted = request(tmp_path, scores="", manifest="m.jsonl", work=str(held), overwrite=True)
    with pytest.raises(OutputError, match=r"holds an audit.*--scores .*/tracks"):
        run_calibrate(wanted)
    assert (held / "tracks" / "tracks-1-00000.parquet").read_bytes() == b"kept"


def test_the_bound_is_that_of_the_threshold_in_use() -> None:
    human, generated = np.linspace(0, 0.1, 400), np.linspace(0.5, 1, 400)
    both = calibrate(human, generated, 0.02, 0.05, 0.95)
    assert both.real.threshold == both.ai.threshold
    assert both.real.exceeding == 0
    assert both.real.upper_bound < 0.01


def request(tmp_path: Path, **changes: object) -> CalibrateRequest:
    usual = CalibrateRequest(
        manifest="", scores=str(tmp_path / "s.parquet"), work="", weights=None,
        save=tmp_path / "w.safetensors", fpr=0.02, miss_rate=0.1, confidence=0.95,
    )  # fmt: skip
    return replace(usual, **changes)  # type: ignore[arg-type]


def test_command_writes_weights_with_the_thresholds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    scores = {"label": ["real"] * 400 + ["ai"] * 100, "p_ai": rng.random(500)}
    pq.write_table(pa.table(scores), tmp_path / "s.parquet")
    found = run_calibrate(request(tmp_path))
    config = load_detector(tmp_path / "w.safetensors").network.config
    assert config.threshold_ai == found.ai.threshold
    assert config.threshold_real == found.real.threshold
    printed = capsys.readouterr().out
    assert "of 400 real tracks are called ai" in printed
    assert "at 95% confidence" in printed
    with pytest.raises(ValueError, match="is there already; replace it with --overwrite"):
        run_calibrate(request(tmp_path))


def test_short_tracks_get_a_threshold_of_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    p_ai = np.concatenate([rng.random(400) * 0.5, rng.random(300) * 0.8, rng.random(100)])
    columns = {
        "label": ["real"] * 700 + ["ai"] * 100,
        "p_ai": p_ai,
        "segments": [7] * 400 + [1] * 300 + [7] * 100,
    }
    pq.write_table(pa.table(columns), tmp_path / "s.parquet")
    run_calibrate(request(tmp_path))
    config = load_detector(tmp_path / "w.safetensors").network.config
    assert 0.45 < config.threshold_ai < 0.5
    assert 0.75 < config.threshold_ai_short < 0.8
    printed = capsys.readouterr().out
    assert "of 300 real tracks of fewer than 4 segments are called ai" in printed
    few = pa.table(columns).slice(0, 409)  # nine short ones can't carry the claim
    pq.write_table(few, tmp_path / "s.parquet")
    run_calibrate(request(tmp_path, overwrite=True))
    config = load_detector(tmp_path / "w.safetensors").network.config
    assert config.threshold_ai_short > p_ai[400:409].max()


def test_command_refuses_without_writing(tmp_path: Path) -> None:
    pq.write_table(pa.table({"label": ["real"] * 9, "p_ai": [0.1] * 9}), tmp_path / "s.parquet")
    with pytest.raises(ClaimError, match="9 tracks can't carry"):
        run_calibrate(request(tmp_path))
    assert not (tmp_path / "w.safetensors").exists()
    pq.write_table(pa.table({"label": ["ai"], "p_ai": [0.1]}), tmp_path / "s.parquet")
    with pytest.raises(ValueError, match="no track has the label 'real'"):
        run_calibrate(request(tmp_path))
    nothing = pa.table({"label": pa.array([], pa.string()), "p_ai": pa.array([], pa.float64())})
    pq.write_table(nothing, tmp_path / "s.parquet")
    with pytest.raises(ValueError, match="no track has the label 'real'"):
        run_calibrate(request(tmp_path))
    with pytest.raises(ValueError, match="no Parquet with 'label' and 'p_ai'"):
        run_calibrate(request(tmp_path, scores=str(tmp_path / "none")))
    with pytest.raises(ValueError, match="name a manifest to audit or --scores"):
        run_calibrate(request(tmp_path, scores=""))


def test_scores_that_are_no_probabilities_or_of_two_models_are_refused(tmp_path: Path) -> None:
    def refused(said: str, **columns: list) -> None:
        pq.write_table(pa.table({"label": ["real"] * 3, **columns}), tmp_path / "s.parquet")
        with pytest.raises(ValueError, match=said):
            run_calibrate(request(tmp_path))

    refused("1 of 3 rows have no p_ai between 0 and 1", p_ai=[0.1, None, 0.2])
    refused("3 of 3 rows have no p_ai", p_ai=["x", "y", "z"])
    refused("scores of several models", p_ai=[0.1] * 3, model_id=["a", "b", "b"])
    refused("scores of model a, and the detector is", p_ai=[0.1] * 3, model_id=["a"] * 3)
    refused("1 of 3 rows repeat a track_id", p_ai=[0.1] * 3, track_id=["a", "b", "b"])


def test_of_a_track_that_was_audited_again_the_latest_score_counts(tmp_path: Path) -> None:
    rows = {
        "label": ["real"] * 800,
        "p_ai": [0.9] * 400 + [0.1] * 400,
        "track_id": [f"t{n % 400}" for n in range(800)],
        "run_id": ["1"] * 400 + ["2"] * 400,
    }
    pq.write_table(pa.table(rows), tmp_path / "s.parquet")
    found = run_calibrate(request(tmp_path))
    assert (found.ai.tracks, found.ai.threshold < 0.2) == (400, True)
