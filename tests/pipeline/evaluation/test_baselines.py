import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from artifactnet.pipeline.evaluation.baselines import (
    BaselineFeatures,
    baseline_features,
    baseline_scores,
)
from artifactnet.transforms.audio.windows import AudioInfo
from tests.conftest import music

INFO = AudioInfo("wav", "pcm_16", 44_100, 2, 8.0)


def features_of(audio: np.ndarray) -> BaselineFeatures:
    return baseline_features(audio.astype(np.float32).reshape(2, -1), 44_100, INFO)


def test_peaks_rise_where_a_tone_stands() -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(8 * 44_100)
    tone = 0.05 * np.sin(2 * np.pi * 11_025 * np.arange(8 * 44_100) / 44_100)
    plain, marked = features_of(noise).peaks, features_of(noise + tone).peaks
    assert marked.argmax() == 256
    assert marked.max() > plain.max() + 10


def test_confounds_see_bandwidth_and_level() -> None:
    audio = music(8)[:, 0]
    spectrum = np.fft.rfft(audio)
    spectrum[4000 * 8 :] = 0
    narrow = np.fft.irfft(spectrum, len(audio))
    full, low, quiet = (features_of(x).confounds for x in (audio, narrow, audio * 0.1))
    assert low[9] < full[9]
    assert quiet[10] == pytest.approx(full[10] - 20, abs=0.1)
    assert quiet[11] == pytest.approx(full[11], abs=0.1)


def test_silence_is_finite() -> None:
    found = features_of(np.zeros(8 * 44_100))
    assert np.isfinite(found.confounds).all()
    assert np.isfinite(found.peaks).all()


def test_baselines_find_what_they_look_for_and_nothing_in_shuffled_labels() -> None:
    rng = np.random.default_rng(0)
    is_ai = rng.random(300) < 0.5
    group = np.array([f"g{n // 2}" for n in range(300)])
    features = [
        BaselineFeatures(
            rng.standard_normal(4) + 2 * ai,
            "wav",
            rng.random(512) + (np.arange(512) % 64 == 9) * ai,
        )
        for ai in is_ai
    ]
    scores = baseline_scores(features, is_ai, group)
    assert roc_auc_score(is_ai, scores["confound probe"]) > 0.95
    assert roc_auc_score(is_ai, scores["spectral peaks"]) > 0.8
    assert abs(roc_auc_score(is_ai, scores["shuffled labels"]) - 0.5) < 0.15
