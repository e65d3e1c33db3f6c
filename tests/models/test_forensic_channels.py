import numpy as np
import pytest
import torch

from artifactnet.models.config import FORENSIC_CHANNELS
from artifactnet.models.forensic_channels import (
    channel_statistics,
    forensic_channels,
)
from artifactnet.models.hpss import hpss


def spectra() -> tuple[torch.Tensor, ...]:
    magnitude = torch.rand(2, 60, 50, generator=torch.Generator().manual_seed(1))
    residual = 0.3 * magnitude
    return (magnitude, residual, *hpss(residual, 5))


def test_each_channel_is_its_formula() -> None:
    m, r, h, p = (x.numpy().astype(np.float64) for x in spectra())

    def level(x: np.ndarray) -> np.ndarray:
        return (np.log(x + 1e-5) + 6) / 3

    change = np.zeros_like(r)
    change[..., 1:] = np.diff(level(r), axis=-1)
    edges = np.pad(level(r), ((0, 0), (1, 1), (0, 0)), mode="edge")
    expected = {
        "residual": level(r),
        "harmonic": level(h),
        "percussive": level(p),
        "residual_share": 2 * np.log(r / (m + 1e-5) / 0.5 + 1e-3) / 3,
        "harmonic_share": 2 * h / (r + 1e-5) - 1,
        "temporal_change": change,
        "spectral_curvature": level(r) - (edges[:, :-2] + edges[:, 2:]) / 2,
    }
    channels = forensic_channels(*spectra()).numpy()
    assert channels.shape == (2, 7, 60, 50)
    for index, name in enumerate(FORENSIC_CHANNELS):
        np.testing.assert_allclose(channels[:, index], expected[name], atol=1e-4, err_msg=name)


def test_silence_has_no_nan() -> None:
    zero = torch.zeros(1, 60, 50)
    assert torch.isfinite(forensic_channels(zero, zero, zero, zero)).all()


def test_statistics_are_mean_and_deviation() -> None:
    channels = forensic_channels(*spectra())
    statistics = channel_statistics(channels)
    assert statistics.shape == (2, 7, 2)
    assert statistics[1, 3, 0].item() == pytest.approx(channels[1, 3].mean().item())
    assert statistics[1, 3, 1].item() == pytest.approx(channels[1, 3].std().item())
