import librosa
import numpy as np
import pytest
import scipy.ndimage
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from artifactnet.models import hpss as hpss_module
from artifactnet.models.hpss import hpss, median_filter, median_network
from artifactnet.models.stft import Stft
from tests.conftest import music


@pytest.fixture(scope="module")
def magnitude() -> torch.Tensor:
    return Stft(2048, 512)(torch.from_numpy(music(4).T))


@pytest.mark.parametrize("kernel", [5, 17, 31])
def test_equals_librosa(magnitude: torch.Tensor, kernel: int) -> None:
    harmonic, percussive = hpss(magnitude, kernel)
    expected = librosa.decompose.hpss(magnitude[0].numpy(), kernel_size=kernel)
    np.testing.assert_allclose(harmonic[0].numpy(), expected[0], atol=1e-4)
    np.testing.assert_allclose(percussive[0].numpy(), expected[1], atol=1e-4)


def test_parts_add_up(magnitude: torch.Tensor) -> None:
    harmonic, percussive = hpss(magnitude, 17)
    torch.testing.assert_close(harmonic + percussive, magnitude)
    assert min(harmonic.min(), percussive.min()) >= 0


def test_a_tone_is_harmonic_and_a_click_percussive() -> None:
    spectrum = torch.zeros(1, 200, 200)
    spectrum[0, 50, :] = 1
    spectrum[0, :, 120] += 1
    harmonic, percussive = hpss(spectrum, 17)
    assert harmonic[0, 50, 10] > 0.99
    assert percussive[0, 100, 120] > 0.99


def test_silence_has_no_nan() -> None:
    harmonic, percussive = hpss(torch.zeros(1, 64, 64), 17)
    assert not harmonic.any()
    assert not percussive.any()


@settings(max_examples=40, deadline=None)
@given(
    bins=st.integers(1, 40),
    frames=st.integers(1, 40),
    size=st.sampled_from([1, 3, 5, 9, 17]),
    dim=st.sampled_from([-1, -2]),
    seed=st.integers(0, 99),
)
def test_both_medians_equal_scipy(bins: int, frames: int, size: int, dim: int, seed: int) -> None:
    x = np.random.default_rng(seed).random((2, bins, frames)).astype(np.float32)
    length = x.shape[dim]
    if length <= size // 2:
        return  # scipy reflects several times over, which no spectrogram needs
    shape = (1, 1, size) if dim == -1 else (1, size, 1)
    expected = scipy.ndimage.median_filter(x, size=shape, mode="reflect")
    running = median_filter(torch.from_numpy(x), size, dim)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hpss_module, "_running_median", hpss_module._network_median)
        network = median_filter(torch.from_numpy(x), size, dim)
    np.testing.assert_array_equal(running.numpy(), expected)
    np.testing.assert_array_equal(network.numpy(), expected)


def test_network_is_pruned() -> None:
    assert len(median_network(17)) < 150
    assert len(median_network(31)) < 180


def test_even_window_is_refused() -> None:
    with pytest.raises(ValueError, match="odd"):
        median_filter(torch.zeros(1, 4, 4), 4, -1)


def test_gradients_flow_through_the_residual() -> None:
    residual = torch.rand(1, 32, 32, requires_grad=True)
    harmonic, _ = hpss(residual, 5)
    harmonic.sum().backward()
    assert residual.grad is not None
    assert torch.isfinite(residual.grad).all()
