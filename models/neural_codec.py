"""Small neural audio codecs: what a generator's last stage does to music.

Enters: waveform, float32 ``[batch, samples]`` at 44.1 kHz. Leaves: the same music as a
neural decoder renders it. The three decoders differ in how they climb from the latent
rate to the audio rate, which is where decoders leave their traces (Afchar et al., arXiv
2506.19108): strided transposed convolutions, nearest-neighbour up-sampling followed by a
convolution, and a predicted spectrogram turned into sound by an inverse STFT.

They make the pairs that the detector learns from (same content, only the decoder
differs; Afchar et al., arXiv 2405.04181) and the machine-made sample tracks.
"""

from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.safetensors_io import load_module, save_module


@dataclass(frozen=True)
class NeuralCodecConfig:
    """Shape of one codec.

    Attributes:
      decoder: how the decoder reaches the audio rate.
      strides: down-sampling factors of the encoder; their product is the latent hop
        in samples.
      channels: width at the audio rate; doubled at every stride up to ``max_channels``.
      max_channels: the widest layer.
      latent_channels: scalars per latent frame.
      levels: values each latent scalar may take (finite scalar quantisation,
        Mentzer et al., arXiv 2309.15505).
    """

    decoder: Literal["transposed", "nearest", "istft"] = "transposed"
    strides: tuple[int, ...] = (4, 8, 8)
    channels: int = 24
    max_channels: int = 128
    latent_channels: int = 24
    levels: int = 9

    @property
    def hop_length(self) -> int:
        """Samples per latent frame."""
        return prod(self.strides)


class Snake(nn.Module):
    """``x + sin^2(a x) / a`` with a learned ``a`` per channel (Ziyin et al., arXiv 2006.08195)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.frequency = nn.Parameter(torch.ones(1, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Activate ``[batch, channels, time]``."""
        return x + torch.sin(self.frequency * x).square() / (self.frequency + 1e-6)


class ResidualUnit(nn.Module):
    """Dilated convolution and a pointwise one around a skip connection."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            Snake(channels),
            nn.Conv1d(channels, channels, 5, padding=2 * dilation, dilation=dilation),
            Snake(channels),
            nn.Conv1d(channels, channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape ``[batch, channels, time]``."""
        return x + self.layers(x)


class InverseStftHead(nn.Module):
    """Log-magnitude and phase per frame, rendered by an inverse STFT (Vocos, arXiv 2306.00814)."""

    def __init__(self, channels: int, hop_length: int) -> None:
        super().__init__()
        self.hop_length = hop_length
        self.n_fft = 4 * hop_length
        self.project = nn.Conv1d(channels, self.n_fft + 2, 1)
        self.window: Tensor
        self.register_buffer("window", torch.hann_window(self.n_fft), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[batch, channels, frames]`` to ``[batch, 1, frames * hop_length]``."""
        log_magnitude, phase = self.project(x).chunk(2, dim=1)
        spectrum = torch.polar(log_magnitude.clamp(max=6.0).exp(), phase)
        spectrum = torch.cat([spectrum, spectrum[..., -1:]], dim=-1)
        audio = torch.istft(
            spectrum,
            self.n_fft,
            self.hop_length,
            window=self.window,
            length=x.shape[-1] * self.hop_length,
        )
        return audio.unsqueeze(1)


def _widths(config: NeuralCodecConfig) -> list[int]:
    steps = range(len(config.strides) + 1)
    return [min(config.channels * 2**step, config.max_channels) for step in steps]


def _encoder(config: NeuralCodecConfig) -> nn.Sequential:
    widths = _widths(config)
    layers: list[nn.Module] = [nn.Conv1d(1, widths[0], 7, padding=3)]
    for stride, narrow, wide in zip(config.strides, widths, widths[1:], strict=False):
        layers += [
            ResidualUnit(narrow, 1),
            Snake(narrow),
            nn.Conv1d(narrow, wide, 2 * stride, stride, padding=stride // 2),
        ]
    layers += [ResidualUnit(widths[-1], 2), nn.Conv1d(widths[-1], config.latent_channels, 3, 1, 1)]
    return nn.Sequential(*layers)


def _decoder(config: NeuralCodecConfig) -> nn.Sequential:
    widths = _widths(config)[::-1]
    layers: list[nn.Module] = [nn.Conv1d(config.latent_channels, widths[0], 7, padding=3)]
    if config.decoder == "istft":
        layers += [ResidualUnit(widths[0], 2**step) for step in range(4)]
        layers += [InverseStftHead(widths[0], config.hop_length)]
        return nn.Sequential(*layers)
    for stride, wide, narrow in zip(config.strides[::-1], widths, widths[1:], strict=False):
        layers += [Snake(wide)]
        if config.decoder == "transposed":
            layers += [nn.ConvTranspose1d(wide, narrow, 2 * stride, stride, padding=stride // 2)]
        else:
            layers += [
                nn.Conv1d(wide, narrow, 3, padding=1),
                nn.Upsample(scale_factor=stride, mode="nearest"),
                nn.Conv1d(narrow, narrow, 5, padding=2),
            ]
        layers += [ResidualUnit(narrow, 1), ResidualUnit(narrow, 3)]
    layers += [Snake(widths[-1]), nn.Conv1d(widths[-1], 1, 7, padding=3)]
    return nn.Sequential(*layers)


class NeuralCodec(nn.Module):
    """Encoder, scalar quantiser and decoder."""

    def __init__(self, config: NeuralCodecConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = _encoder(config)
        self.decoder = _decoder(config)

    def quantise(self, latent: Tensor) -> Tensor:
        """Round each scalar to one of ``levels`` values in [-1, 1]; gradients pass straight."""
        half = (self.config.levels - 1) / 2
        bounded = torch.tanh(latent)
        return bounded + (torch.round(bounded * half) / half - bounded).detach()

    def forward(self, audio: Tensor) -> Tensor:
        """Encode and decode ``[batch, samples]``; the result has the same shape."""
        samples = audio.shape[-1]
        padded = functional.pad(audio, (0, -samples % self.config.hop_length))
        decoded = self.decoder(self.quantise(self.encoder(padded.unsqueeze(1))))
        return decoded.squeeze(1)[..., :samples]


def save_neural_codec(codec: NeuralCodec, path: Path) -> str:
    """Write weights and configuration to one safetensors file; returns its model id."""
    return save_module(codec, asdict(codec.config), path)


def load_neural_codec(path: Path) -> NeuralCodec:
    """Read a codec written by :func:`save_neural_codec`.

    Raises:
      WeightsError: the file is missing, damaged, or holds another kind of model.
    """

    def build(fields: dict) -> NeuralCodec:
        return NeuralCodec(NeuralCodecConfig(**{**fields, "strides": tuple(fields["strides"])}))

    return load_module(build, path)[0].eval()
