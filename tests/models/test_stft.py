import librosa
import numpy as np
import pytest
import torch

from artifactnet.models.stft import Stft
from tests.conftest import music


@pytest.mark.parametrize(("n_fft", "hop_length"), [(2048, 512), (1024, 256)])
def test_equals_librosa(n_fft: int, hop_length: int) -> None:
    audio = music(2)[:, 0]
    ours = Stft(n_fft, hop_length)(torch.from_numpy(audio)[None])[0].numpy()
    unit = audio / np.sqrt(np.mean(audio**2))
    theirs = np.abs(librosa.stft(unit, n_fft=n_fft, hop_length=hop_length)) / np.sqrt(n_fft)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_level_says_nothing() -> None:
    audio = torch.from_numpy(music(1).T)
    stft = Stft(2048, 512)
    torch.testing.assert_close(stft(audio), stft(audio * 0.01), rtol=1e-3, atol=1e-4)


def test_silence_is_zero() -> None:
    assert not Stft(2048, 512)(torch.zeros(1, 8192)).any()
