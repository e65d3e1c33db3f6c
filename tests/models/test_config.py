import json

import pytest

from models.config import ArtifactNetConfig


def test_json_round_trip() -> None:
    config = ArtifactNetConfig(threshold_ai=0.75, unet_channels=(1, 2))
    assert ArtifactNetConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


@pytest.mark.parametrize("change", [{"surprise": 1}, {"n_fft": None}])
def test_unknown_and_missing_fields(change: dict) -> None:
    stored = ArtifactNetConfig().to_json() | change
    stored = {name: value for name, value in stored.items() if value is not None}
    with pytest.raises(ValueError, match="fields differ"):
        ArtifactNetConfig.from_json(stored)


def test_geometry_of_a_segment() -> None:
    config = ArtifactNetConfig()
    assert (config.segment_seconds, config.bins, config.frames) == (4.0, 1025, 345)
