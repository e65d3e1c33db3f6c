import json

import pytest

from artifactnet.models.config import ArtifactNetConfig


def test_json_round_trip() -> None:
    config = ArtifactNetConfig(threshold_ai=0.75, unet_channels=(1, 2))
    assert ArtifactNetConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


@pytest.mark.parametrize("change", [{"surprise": 1}, {"n_fft": None}])
def test_unknown_and_missing_fields(change: dict) -> None:
    stored = ArtifactNetConfig().to_json() | change
    stored = {name: value for name, value in stored.items() if value is not None}
    with pytest.raises(ValueError, match="fields differ"):
        ArtifactNetConfig.from_json(stored)


@pytest.mark.parametrize(
    "change",
    [
        {"unet_channels": [100_000]},
        {"hop_length": 0},
        {"n_fft": 2048.0},
        {"hpss_kernel": 16},
        {"classifier_channels": [8]},
        {"threshold_real": 0.9, "threshold_ai": 0.1},
        {"threshold_ai": float("nan")},
        {"mask_bound": 2},
    ],
)
def test_values_out_of_bounds_are_refused(change: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(change)).split("_")[0]):
        ArtifactNetConfig.from_json(ArtifactNetConfig().to_json() | change)


def test_geometry_of_a_segment() -> None:
    config = ArtifactNetConfig()
    assert (config.segment_seconds, config.bins, config.frames) == (4.0, 1025, 345)
