"""SpecTTTra: the published size and names, and a spectrogram that librosa agrees with."""

import json
from pathlib import Path

import librosa
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from artifactnet.models.published.spectttra import (
    CLIPS,
    SpecTTTra,
    SpecTTTraConfig,
    load_spectttra,
    log_mel,
    save_spectttra,
)
from artifactnet.models.weights.weights_file import WeightsError

SMALL = SpecTTTraConfig(embed_dim=24, num_heads=3, num_layers=2, bins=32, frames=40, seconds=1.0)


def published(folder: Path, config: SpecTTTraConfig = SMALL) -> SpecTTTra:
    """Lay a network out as its authors do."""
    torch.manual_seed(1)
    network = SpecTTTra(config).eval()
    stored = {
        "audio": {
            "sample_rate": config.sample_rate,
            "max_len": round(config.seconds * config.sample_rate),
        },
        "melspec": {
            name: getattr(config, name)
            for name in ("n_fft", "hop_length", "n_mels", "f_min", "f_max", "top_db")
        },
        "model": {
            "input_shape": [config.bins, config.frames],
            **{
                name: getattr(config, name)
                for name in (
                    *("embed_dim", "num_heads", "num_layers", "mlp_ratio"),
                    *("f_clip", "t_clip"),
                )
            },
        },
    }
    (folder / "config.json").write_text(json.dumps(stored))
    save_file(network.state_dict(), folder / "model.safetensors")
    return network


def test_parameters_are_those_of_the_published_weights() -> None:
    f_clip, t_clip = CLIPS["alpha"]
    with torch.device("meta"):
        network = SpecTTTra(
            SpecTTTraConfig(f_clip=f_clip, t_clip=t_clip, frames=3744, seconds=120.0)
        )
    # As stated for spectttra-alpha-120s.
    assert sum(one.numel() for one in network.parameters()) == 18_679_693


def test_tokens_are_strips_of_time_and_of_frequency() -> None:
    network = SpecTTTra(SMALL)
    tokens = network.encoder.st_tokenizer(torch.zeros(2, SMALL.bins, SMALL.frames))
    strips = SMALL.frames // SMALL.t_clip + SMALL.bins // SMALL.f_clip
    assert tokens.shape == (2, strips, SMALL.embed_dim)


def test_spectrogram_is_librosas() -> None:
    config = SpecTTTraConfig(bins=128, frames=32, seconds=1.0)
    rng = np.random.default_rng(0)
    audio = (rng.standard_normal(16_000) * np.linspace(0, 0.3, 16_000)).astype(np.float32)
    power = librosa.feature.melspectrogram(
        y=audio, sr=16_000, n_fft=2048, hop_length=512, n_mels=128, fmin=20.0, fmax=8000.0,
        htk=True, norm=None, pad_mode="reflect",
    )  # fmt: skip
    decibel = librosa.power_to_db(power, top_db=80.0)
    expected = (decibel - decibel.mean()) / decibel.std(ddof=1)
    assert expected.shape == (128, 32)
    found = log_mel(torch.from_numpy(audio)[None], config)[0].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_score_does_not_hang_on_what_lies_beside() -> None:
    network = SpecTTTra(SMALL).eval()
    torch.manual_seed(0)
    audio = torch.randn(3, 16_000) * torch.tensor([[1.0], [1e-3], [0.1]])
    together = network(audio)
    alone = torch.cat([network(one[None]) for one in audio])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


def test_published_folder_loads(tmp_path: Path) -> None:
    network = published(tmp_path)
    audio = torch.randn(2, 16_000)
    torch.testing.assert_close(load_spectttra(tmp_path)(audio), network(audio))


def test_pickle_of_tensors_alone_loads(tmp_path: Path) -> None:
    network = published(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save(network.state_dict(), tmp_path / "pytorch_model.bin")
    assert load_spectttra(tmp_path).config == SMALL


class Evil:
    """Would write a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return Path.touch, (self.target,)


def test_pickle_that_runs_code_is_refused(tmp_path: Path) -> None:
    published(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save({"classifier.bias": Evil(tmp_path / "owned")}, tmp_path / "pytorch_model.bin")
    with pytest.raises(WeightsError, match="not a file of tensors alone"):
        load_spectttra(tmp_path)
    assert not (tmp_path / "owned").exists()


def test_what_was_trained_here_loads(tmp_path: Path) -> None:
    network = SpecTTTra(SMALL).eval()
    save_spectttra(network, tmp_path / "one.safetensors")
    audio = torch.randn(1, 16_000)
    torch.testing.assert_close(load_spectttra(tmp_path / "one.safetensors")(audio), network(audio))


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no such weights file"):
        load_spectttra(tmp_path / "absent.safetensors")
    with pytest.raises(WeightsError, match="holds neither"):
        load_spectttra(tmp_path)
    published(tmp_path)
    (tmp_path / "config.json").write_text('{"model": {}}')
    with pytest.raises(WeightsError, match="no usable configuration"):
        load_spectttra(tmp_path)
    with pytest.raises(ValueError, match="num_layers"):
        SpecTTTraConfig(num_layers=10_000)
