"""The detector of a process: what is loaded once, and when it is loaded anew."""

from pathlib import Path

import pytest

from artifactnet.models.artifactnet import load_detector, save_detector
from artifactnet.models.weights.weights_file import WeightsError
from artifactnet.transforms.detector.detector import DetectorOptions, detector_of


def test_a_file_that_was_replaced_is_loaded_anew(tiny_weights: Path, tmp_path: Path) -> None:
    path = tmp_path / "own.safetensors"
    path.write_bytes(tiny_weights.read_bytes())
    options = DetectorOptions(weights=path)
    first = detector_of(options)
    assert detector_of(options) is first
    network = load_detector(tiny_weights).network
    next(network.unet.parameters()).data.add_(0.25)
    other = save_detector(network, path)
    assert other != first.model_id
    assert detector_of(options).model_id == other
    path.write_bytes(b"garbage")
    with pytest.raises(WeightsError, match="not a readable safetensors"):
        detector_of(options)
