"""SpecTTTra: a transformer on temporal and spectral clips of a log-mel spectrogram.

Enters: mono audio at 16 kHz, float32 ``[batch, samples]``. Leaves: one logit each; positive is
generated. Rahman et al., "SONICS: Synthetic Or Not", arXiv 2408.14080, section 4: a spectrogram is
cut into strips of ``t_clip`` frames and into strips of ``f_clip`` bins; every strip is one token,
so that tokens grow with the sum, not the product, of both sides. The names of the tensors are those
of the published weights, which load as they are.
"""

import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from librosa.filters import mel
from torch import Tensor, nn
from torch.nn import functional

from artifactnet.models.published.bounds import check_bounds
from artifactnet.models.published.tensors import fill, read_tensors
from artifactnet.models.weights.safetensors_io import load_module, save_module
from artifactnet.models.weights.weights_file import WeightsError

CONFIG = "config.json"
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
"""Files of a published folder, the one that is preferred first."""

CLIPS = {"alpha": (1, 3), "beta": (3, 5), "gamma": (5, 7)}
"""``f_clip`` and ``t_clip`` of the three variants (table 3)."""


@dataclass(frozen=True)
class SpecTTTraConfig:
    """Shape of the network and of its spectrogram.

    Attributes:
      f_clip: bins of a spectral strip.
      t_clip: frames of a temporal strip.
      bins: mel bins that the spectrogram is resized to.
      frames: frames that it is resized to.
      seconds: of audio.
      embed_dim: width of a token.
      num_heads: of attention.
      num_layers: of the transformer.
      mlp_ratio: width of a layer's hidden part over ``embed_dim``.
      sample_rate: Hz.
      n_fft: STFT length in samples, and that of its window.
      hop_length: samples between frames.
      n_mels: mel bins before resizing.
      f_min: Hz of the lowest.
      f_max: Hz of the highest.
      top_db: range of the spectrogram below its maximum.
    """

    f_clip: int = 5
    t_clip: int = 7
    bins: int = 128
    frames: int = 128
    seconds: float = 5.0
    embed_dim: int = 384
    num_heads: int = 6
    num_layers: int = 12
    mlp_ratio: float = 2.67
    sample_rate: int = 16_000
    n_fft: int = 2048
    hop_length: int = 512
    n_mels: int = 128
    f_min: float = 20.0
    f_max: float = 8000.0
    top_db: float = 80.0

    def __post_init__(self) -> None:
        """Check sizes, so that a crafted file can't exhaust memory.

        Raises:
          ValueError: naming the field.
        """
        bounds = {
            "f_clip": (1, self.bins), "t_clip": (1, self.frames), "bins": (8, 1024),
            "frames": (8, 20_000), "seconds": (0.5, 600), "embed_dim": (8, 2048),
            "num_heads": (1, 64), "num_layers": (1, 48), "mlp_ratio": (0.1, 8),
            "sample_rate": (4000, 192_000), "n_fft": (64, 16_384), "hop_length": (16, 16_384),
            "n_mels": (8, 1024), "f_min": (0, self.f_max), "f_max": (1, self.sample_rate / 2),
            "top_db": (1, 200),
        }  # fmt: skip
        check_bounds(self, bounds)
        if self.embed_dim % self.num_heads:
            raise ValueError(
                f"embed_dim {self.embed_dim} can't be parted by {self.num_heads} heads"
            )

    @classmethod
    def published(cls, stored: dict[str, Any]) -> "SpecTTTraConfig":
        """From the ``config.json`` of a published folder.

        Raises:
          KeyError, TypeError, ValueError: it lacks a field, or one is out of bounds.
        """
        model, front, audio = stored["model"], stored["melspec"], stored["audio"]
        bins, frames = model["input_shape"]
        rate = int(audio["sample_rate"])
        return cls(
            f_clip=int(model["f_clip"]),
            t_clip=int(model["t_clip"]),
            bins=int(bins),
            frames=int(frames),
            seconds=float(audio["max_len"]) / rate
            if "max_len" in audio
            else float(audio["max_time"]),
            embed_dim=int(model["embed_dim"]),
            num_heads=int(model["num_heads"]),
            num_layers=int(model["num_layers"]),
            mlp_ratio=float(model["mlp_ratio"]),
            sample_rate=rate,
            n_fft=int(front["n_fft"]),
            hop_length=int(front["hop_length"]),
            n_mels=int(front["n_mels"]),
            f_min=float(front["f_min"]),
            f_max=float(front["f_max"]),
            top_db=float(front["top_db"]),
        )


@cache
def _mel_bank(config: SpecTTTraConfig) -> Tensor:
    bank = mel(
        sr=config.sample_rate, n_fft=config.n_fft, n_mels=config.n_mels,
        fmin=config.f_min, fmax=config.f_max, htk=True, norm=None,
    )  # fmt: skip
    return torch.from_numpy(bank).float()


def log_mel(audio: Tensor, config: SpecTTTraConfig) -> Tensor:
    """Spectrograms ``[batch, bins, frames]`` in dB, each with mean 0 and deviation 1.

    The range of ``top_db`` is counted from each excerpt's own maximum, so that a score does not
    hang on what lies beside it in a batch.

    Args:
      audio: float32 ``[batch, samples]``.
      config: of the spectrogram.
    """
    window = torch.hann_window(config.n_fft, device=audio.device)
    spectrum = torch.stft(
        audio, config.n_fft, config.hop_length, window=window, return_complex=True
    )
    power = _mel_bank(config).to(audio.device) @ spectrum.abs().square()
    decibel = 10 * torch.log10(power.clamp_min(1e-10))
    decibel = torch.maximum(decibel, decibel.amax((1, 2), keepdim=True) - config.top_db)
    centred = decibel - decibel.mean((1, 2), keepdim=True)
    scaled = centred / (decibel.std((1, 2), keepdim=True) + 1e-6)
    resized = functional.interpolate(scaled[:, None], (config.bins, config.frames), mode="bilinear")
    return resized[:, 0]


class _Position(nn.Module):
    def __init__(self, size: int, tokens: int) -> None:
        super().__init__()
        self.pe = nn.Parameter(torch.randn(1, tokens, size) * 0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens + self.pe


class _Strips(nn.Module):
    """Strips of ``clip`` columns of ``[batch, rows, columns]`` as tokens."""

    def __init__(self, rows: int, columns: int, clip: int, size: int) -> None:
        super().__init__()
        self.conv1d = nn.Conv1d(rows, size, clip, stride=clip, bias=False)
        self.pos_encoder = _Position(size, columns // clip)
        self.norm_pre = nn.LayerNorm(size, eps=1e-6)

    def forward(self, image: Tensor) -> Tensor:
        tokens = functional.gelu(self.conv1d(image)).transpose(1, 2)
        return self.norm_pre(self.pos_encoder(tokens))


class _Tokenizer(nn.Module):
    def __init__(self, config: SpecTTTraConfig) -> None:
        super().__init__()
        self.temporal_tokenizer = _Strips(
            config.bins, config.frames, config.t_clip, config.embed_dim
        )
        self.spectral_tokenizer = _Strips(
            config.frames, config.bins, config.f_clip, config.embed_dim
        )

    def forward(self, spectrogram: Tensor) -> Tensor:
        temporal = self.temporal_tokenizer(spectrogram)
        return torch.cat((temporal, self.spectral_tokenizer(spectrogram.transpose(1, 2))), dim=1)


class _Attention(nn.Module):
    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(size, 3 * size, bias=False)
        self.proj = nn.Linear(size, size)

    def forward(self, tokens: Tensor) -> Tensor:
        batch, count, size = tokens.shape
        qkv = self.qkv(tokens).view(batch, count, 3, self.heads, size // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        return self.proj(mixed.transpose(1, 2).reshape(batch, count, size))


class _Mlp(nn.Module):
    def __init__(self, size: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(size, hidden)
        self.fc2 = nn.Linear(hidden, size)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.fc2(functional.gelu(self.fc1(tokens)))


class _Block(nn.Module):
    def __init__(self, config: SpecTTTraConfig, dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.embed_dim)
        self.attn = _Attention(config.embed_dim, config.num_heads)
        self.norm2 = nn.LayerNorm(config.embed_dim)
        self.mlp = _Mlp(config.embed_dim, int(config.embed_dim * config.mlp_ratio))
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.dropout(self.attn(self.norm1(tokens)))
        return tokens + self.dropout(self.mlp(self.norm2(tokens)))


class _Transformer(nn.Module):
    def __init__(self, config: SpecTTTraConfig, dropout: float) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(_Block(config, dropout) for _ in range(config.num_layers))

    def forward(self, tokens: Tensor) -> Tensor:
        for block in self.blocks:
            tokens = block(tokens)
        return tokens


class _Encoder(nn.Module):
    def __init__(self, config: SpecTTTraConfig, dropout: float) -> None:
        super().__init__()
        self.st_tokenizer = _Tokenizer(config)
        self.transformer = _Transformer(config, dropout)

    def forward(self, spectrogram: Tensor) -> Tensor:
        return self.transformer(self.st_tokenizer(spectrogram))


class SpecTTTra(nn.Module):
    """The network; see the module's docstring.

    Args:
      config: its shape.
      dropout: of each layer, in training.
    """

    def __init__(self, config: SpecTTTraConfig, dropout: float = 0.0) -> None:
        super().__init__()
        self.config = config
        self.encoder = _Encoder(config, dropout)
        self.classifier = nn.Linear(config.embed_dim, 1)

    def forward(self, audio: Tensor) -> Tensor:
        """Logits ``[batch]`` of mono ``audio`` ``[batch, samples]``."""
        tokens = self.encoder(log_mel(audio, self.config))
        return self.classifier(tokens.mean(dim=1))[:, 0]


def save_spectttra(network: SpecTTTra, path: Path) -> None:
    """Write a network that was trained here to ``path``, a safetensors file."""
    save_module(network, asdict(network.config), path)


def load_spectttra(path: Path) -> SpecTTTra:
    """A network, ready to score.

    Args:
      path: a file of ``save_spectttra``, or a published folder with ``config.json`` and weights.

    Raises:
      WeightsError: it can't be used.
    """
    if not path.is_dir():
        return load_module(lambda stored: SpecTTTra(SpecTTTraConfig(**stored)), path)[0].eval()
    weights = next((path / name for name in WEIGHTS if (path / name).is_file()), None)
    if weights is None:
        raise WeightsError(f"{path}: holds neither {' nor '.join(WEIGHTS)}")
    try:
        config = SpecTTTraConfig.published(json.loads((path / CONFIG).read_text()))
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{path / CONFIG}: no usable configuration ({error!r})") from error
    network = SpecTTTra(config)
    fill(network, read_tensors(weights), weights)
    return network.eval()
