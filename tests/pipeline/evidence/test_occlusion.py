import numpy as np

from artifactnet.pipeline.evidence.occlusion import BANDS, occlusion, without_band
from artifactnet.pipeline.evidence.robustness import variants

RATE = 44_100


def tone(hz: float) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hz * np.arange(2 * RATE) / RATE))[None].astype(np.float32)


def level(windows: np.ndarray) -> np.ndarray:
    return np.log(np.square(windows).mean(axis=1) + 1e-9)


def test_only_the_band_goes() -> None:
    mixed = tone(500) + tone(3000)
    np.testing.assert_allclose(without_band(mixed, RATE, 2200, 3800), tone(500), atol=2e-3)
    np.testing.assert_allclose(without_band(mixed, RATE, 8000, 9000), mixed, atol=1e-4)


def test_the_band_that_holds_the_sound_is_named() -> None:
    windows = tone(3000) + 0.01 * tone(500)
    found = occlusion(windows, RATE, level, float(level(windows).mean()))
    assert [(one.low_hz, one.high_hz) for one in found] == list(BANDS)
    strongest = max(found, key=lambda one: one.logit)
    assert strongest.low_hz < 3000 < strongest.high_hz
    assert abs(found[-1].logit) < 0.01


def test_changes_keep_the_sound_or_change_what_they_say() -> None:
    windows = np.concatenate([tone(440), tone(880)])
    before = level(windows)
    found = {one.name: one.logits for one in variants(windows, RATE, level)}
    assert len(found) == 6
    for name, logits in found.items():
        assert logits is not None
        expected = before + (np.log(10 ** (-6 / 10)) if "quieter" in name else 0)
        expected = expected + (np.log(1 - 0.37 / 2) if "trimmed" in name else 0)
        np.testing.assert_allclose(logits, expected, atol=0.15)
