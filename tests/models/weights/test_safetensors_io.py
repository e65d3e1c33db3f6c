import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from artifactnet.models.weights.safetensors_io import load_module, save_module
from artifactnet.models.weights.weights_file import WeightsError


def build(config: dict) -> nn.Module:
    return nn.Linear(config["inputs"], 2)


def test_round_trip(tmp_path: Path) -> None:
    module = nn.Linear(3, 2)
    path = tmp_path / "deep" / "w.safetensors"
    save_module(module, {"inputs": 3}, path)
    loaded, config = load_module(build, path)
    assert config == {"inputs": 3}
    torch.testing.assert_close(loaded.weight, module.weight)
    assert [file.name for file in path.parent.iterdir()] == ["w.safetensors"]


class Evil:
    def __reduce__(self) -> tuple:
        return (Path.touch, (Path("/tmp/artifactnet-was-here"),))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not a readable safetensors"),
        (b"junk" * 100, "not a readable safetensors"),
        (pickle.dumps(Evil()), "not a readable safetensors"),
    ],
)
def test_foreign_bytes(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=said):
        load_module(build, path)
    assert not Path("/tmp/artifactnet-was-here").exists()


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no such weights file"):
        load_module(build, tmp_path / "none.safetensors")


def test_no_configuration(tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(2, 3)}, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match="no usable configuration"):
        load_module(build, tmp_path / "w.safetensors")


def test_tensors_that_do_not_fit(tmp_path: Path) -> None:
    save_module(nn.Linear(3, 2), {"inputs": 4}, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match="1 tensors don't fit the network: weight"):
        load_module(build, tmp_path / "w.safetensors")


def test_numbers_that_are_not_finite_are_refused_by_name(tmp_path: Path) -> None:
    module = nn.Linear(3, 2)
    module.bias.data[1] = float("nan")
    path = tmp_path / "w.safetensors"
    save_module(module, {"inputs": 3}, path)
    with pytest.raises(WeightsError, match="numbers that are not finite in bias"):
        load_module(build, path)
