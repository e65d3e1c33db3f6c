"""Small neural audio codecs: what a generator's last stage does to music.

Enters: waveform, float32 ``[batch, samples]`` at the codec's own rate. Leaves: the same
music as a neural decoder renders it. The decoders differ in how they climb from the latent
rate to the audio rate, which is where decoders leave their traces (Afchar et al., arXiv
2506.19108): strided transposed convolutions, nearest-neighbour or linear up-sampling
followed by a convolution, and a predicted spectrogram turned into sound by an inverse STFT
or an inverse MDCT. What they start from differs too: the waveform or its mel spectrogram,
in discrete levels or with the noise of a continuous latent.

They make the pairs that the detector learns from (same content, only the decoder
differs; Afchar et al., arXiv 2405.04181) and the machine-made sample tracks.
"""

from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from typing import Literal

import torch
from librosa.filters import mel
from torch import Tensor, nn
from torch.nn import functional

from artifactnet.models.weights.safetensors_io import load_module, save_module


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
        Mentzer et al., arXiv 2309.15505); 0 for a continuous latent with Gaussian noise, as a
        variational autoencoder has.
      front: what is encoded: the waveform, or its log-mel spectrogram as in a vocoder.
      sample_rate: Hz of the audio it takes.
    """

    decoder: Literal["transposed", "nearest", "linear", "istft", "mdct"] = "transposed"
    strides: tuple[int, ...] = (4, 8, 8)
    channels: int = 24
    max_channels: int = 128
    latent_channels: int = 24
    levels: int = 9
    front: Literal["waveform", "mel"] = "waveform"
    sample_rate: int = 44_100

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


class InverseMdctHead(nn.Module):
    """MDCT coefficients per frame, rendered by windowed overlap-add (Princen and Bradley, 1986)."""

    def __init__(self, channels: int, hop_length: int) -> None:
        super().__init__()
        self.project = nn.Conv1d(channels, hop_length, 1)
        time = torch.arange(2 * hop_length) + 0.5
        bins = torch.arange(hop_length) + 0.5
        angle = torch.pi / hop_length * (time + hop_length / 2) * bins[:, None]
        basis = torch.cos(angle) * torch.sin(torch.pi * time / (2 * hop_length))
        self.hop_length = hop_length
        self.basis: Tensor
        self.register_buffer("basis", basis.unsqueeze(1) / hop_length**0.5, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[batch, channels, frames]`` to ``[batch, 1, frames * hop_length]``."""
        audio = functional.conv_transpose1d(self.project(x), self.basis, stride=self.hop_length)
        return audio[..., : x.shape[-1] * self.hop_length]


MEL_BANDS = 96


class LogMel(nn.Module):
    """Log-mel spectrogram, ``[batch, 1, samples]`` to ``[batch, MEL_BANDS, frames]``."""

    def __init__(self, sample_rate: int, hop_length: int) -> None:
        super().__init__()
        self.hop_length = hop_length
        self.n_fft = max(1024, 4 * hop_length)
        bank = mel(sr=sample_rate, n_fft=self.n_fft, n_mels=MEL_BANDS)
        self.bank: Tensor
        self.window: Tensor
        self.register_buffer("bank", torch.from_numpy(bank), persistent=False)
        self.register_buffer("window", torch.hann_window(self.n_fft), persistent=False)

    def forward(self, audio: Tensor) -> Tensor:
        """One frame per hop."""
        spectrum = torch.stft(
            audio.squeeze(1), self.n_fft, self.hop_length, window=self.window, return_complex=True
        )
        return torch.log(self.bank @ spectrum.abs()[..., :-1] + 1e-4)


def _widths(config: NeuralCodecConfig) -> list[int]:
    steps = range(len(config.strides) + 1)
    return [min(config.channels * 2**step, config.max_channels) for step in steps]


def _encoder(config: NeuralCodecConfig) -> nn.Sequential:
    widths = _widths(config)
    if config.front == "mel":
        return nn.Sequential(
            LogMel(config.sample_rate, config.hop_length),
            nn.Conv1d(MEL_BANDS, widths[-1], 3, padding=1),
            ResidualUnit(widths[-1], 2),
            nn.Conv1d(widths[-1], config.latent_channels, 3, 1, 1),
        )
    layers: list[nn.Module] = [nn.Conv1d(1, widths[0], 7, padding=3)]
    for stride, narrow, wide in zip(config.strides, widths, widths[1:], strict=False):
        layers += [
            ResidualUnit(narrow, 1),
            Snake(narrow),
            nn.Conv1d(narrow, wide, 2 * stride, stride, padding=(stride + 1) // 2),
        ]
    layers += [ResidualUnit(widths[-1], 2), nn.Conv1d(widths[-1], config.latent_channels, 3, 1, 1)]
    return nn.Sequential(*layers)


def _decoder(config: NeuralCodecConfig) -> nn.Sequential:
    widths = _widths(config)[::-1]
    layers: list[nn.Module] = [nn.Conv1d(config.latent_channels, widths[0], 7, padding=3)]
    if config.decoder in ("istft", "mdct"):
        head = InverseStftHead if config.decoder == "istft" else InverseMdctHead
        layers += [ResidualUnit(widths[0], 2**step) for step in range(4)]
        layers += [head(widths[0], config.hop_length)]
        return nn.Sequential(*layers)
    for stride, wide, narrow in zip(config.strides[::-1], widths, widths[1:], strict=False):
        layers += [Snake(wide)]
        if config.decoder == "transposed":
            padding, odd = (stride + 1) // 2, stride % 2
            layers += [
                nn.ConvTranspose1d(wide, narrow, 2 * stride, stride, padding, output_padding=odd)
            ]
        else:
            layers += [
                nn.Conv1d(wide, narrow, 3, padding=1),
                nn.Upsample(scale_factor=stride, mode=config.decoder),
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
        """Round each scalar to one of ``levels`` values in [-1, 1]; gradients pass straight.

        Without levels, noise is added instead, a tenth of the latent's range.
        """
        bounded = torch.tanh(latent)
        if not self.config.levels:
            return bounded + 0.1 * torch.randn_like(bounded)
        half = (self.config.levels - 1) / 2
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
    """Read a codec written by ``save_neural_codec``.

    Raises:
      WeightsError: the file is missing, damaged, or holds another kind of model.
    """

    def build(fields: dict) -> NeuralCodec:
        return NeuralCodec(NeuralCodecConfig(**{**fields, "strides": tuple(fields["strides"])}))

    return load_module(build, path)[0].eval()
