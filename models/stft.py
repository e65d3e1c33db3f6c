"""Magnitude spectrogram of a segment.

Enters: audio, float32 ``[batch, samples]``, full scale 1. Leaves: magnitude, float32
``[batch, bins, frames]``, of audio brought to one loudness, so that level says nothing.
"""

import torch
from torch import Tensor, nn

RMS_FLOOR = 1e-5


class Stft(nn.Module):
    """Hann-windowed STFT, centred frames, zero padding at both ends.

    ``librosa.stft(audio, n_fft=n_fft, hop_length=hop_length)`` is the reference (librosa's
    defaults: periodic Hann window, ``center=True``, ``pad_mode="constant"``).
    """

    def __init__(self, n_fft: int, hop_length: int) -> None:
        super().__init__()
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.window: Tensor
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)

    def forward(self, audio: Tensor) -> Tensor:
        """Magnitude ``[batch, bins, frames]`` of ``audio`` ``[batch, samples]`` at unit RMS.

        The spectrum is divided by ``sqrt(n_fft)``: white noise of RMS 1 has magnitudes
        around 0.6, whatever ``n_fft``.
        """
        rms = audio.square().mean(dim=-1, keepdim=True).sqrt().clamp_min(RMS_FLOOR)
        spectrum = torch.stft(
            audio / rms,
            self.n_fft,
            self.hop_length,
            window=self.window,
            center=True,
            pad_mode="constant",
            return_complex=True,
        )
        return spectrum.abs() / self.n_fft**0.5
