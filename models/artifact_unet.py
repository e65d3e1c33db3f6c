"""ArtifactUNet: the part of a magnitude spectrogram that a codec left there.

Enters: magnitude, float32 ``[batch, bins, frames]``. Leaves: residual of the same shape,
``mask * magnitude`` with a mask in ``[0, mask_bound]`` (ArtifactNet, arXiv 2604.16254).

A UNet at full resolution with 3.6 M parameters costs 63 GFLOP a segment. Here a strided
stem takes 4 bins x 2 frames to 24 channels, three times as many numbers as it reads, so
that narrow spectral lines survive it, and the UNet works at an eighth of the resolution
for 9 GFLOP. The mask returns to full resolution by a sub-pixel convolution (Shi et al.,
arXiv 1609.05158), followed by a skip from the input.
"""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

LOG_FLOOR = 1e-4


def log_magnitude(magnitude: Tensor) -> Tensor:
    """``log(magnitude + 1e-4)`` brought to about zero mean and unit variance for music."""
    return (torch.log(magnitude + LOG_FLOOR) + 4.0) / 3.0


class ConvBlock(nn.Sequential):
    """Two 3 x 3 convolutions, each with batch normalisation and SiLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.SiLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.SiLU(),
        )


class ArtifactUNet(nn.Module):
    """Bounded-mask UNet over (frequency, time).

    Args:
      channels: width of each level, finest first.
      stem: down-sampling of the first convolution in frequency and time.
      mask_bound: upper bound of the mask.
    """

    def __init__(self, channels: tuple[int, ...], stem: tuple[int, int], mask_bound: float) -> None:
        super().__init__()
        self.stem_stride = stem
        self.mask_bound = mask_bound
        self.multiple = tuple(stride * 2 ** (len(channels) - 1) for stride in stem)
        kernel = (2 * stem[0] - 1, 2 * stem[1] + 1)
        padding = (kernel[0] // 2, kernel[1] // 2)
        self.stem = nn.Sequential(
            nn.Conv2d(1, channels[0], kernel, stem, padding, bias=False),
            nn.BatchNorm2d(channels[0]),
            nn.SiLU(),
        )
        pairs = list(pairwise(channels))
        self.encoder = nn.ModuleList(
            [ConvBlock(channels[0], channels[0])] + [ConvBlock(a, b) for a, b in pairs]
        )
        self.lateral = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairs)
        self.decoder = nn.ModuleList(ConvBlock(2 * a, a) for a, _ in pairs)
        self.head = nn.Conv2d(channels[0], 2 * math.prod(stem), 3, padding=1)
        self.refine = nn.Conv2d(3, 1, 3, padding=1)

    def mask(self, magnitude: Tensor) -> Tensor:
        """Mask in ``[0, mask_bound]``, shape of ``magnitude`` ``[batch, bins, frames]``."""
        bins, frames = magnitude.shape[-2:]
        # The Nyquist bin is left out so that the bins divide evenly; its mask is its neighbour's.
        usable = bins - bins % self.multiple[0] if bins > self.multiple[0] else bins
        image = log_magnitude(magnitude[:, None, :usable])
        image = functional.pad(
            image, (0, -frames % self.multiple[1], 0, -usable % self.multiple[0])
        )
        x = self.stem(image)
        skips = []
        for level, block in enumerate(self.encoder):
            x = block(functional.max_pool2d(x, 2) if level else x)
            skips.append(x)
        for level in range(len(self.decoder) - 1, -1, -1):
            x = functional.interpolate(self.lateral[level](x), scale_factor=2.0, mode="nearest")
            x = self.decoder[level](torch.cat([x, skips[level]], dim=1))
        fine = self._to_full_resolution(self.head(x))
        logits = self.refine(torch.cat([fine, image], dim=1))[:, 0, :usable, :frames]
        mask = self.mask_bound * torch.sigmoid(logits)
        return torch.cat([mask, mask[:, -1:].expand(-1, bins - usable, -1)], dim=1)

    def _to_full_resolution(self, x: Tensor) -> Tensor:
        batch, _, rows, columns = x.shape
        tall, wide = self.stem_stride
        x = x.view(batch, 2, tall, wide, rows, columns).permute(0, 1, 4, 2, 5, 3)
        return x.reshape(batch, 2, rows * tall, columns * wide)

    def forward(self, magnitude: Tensor) -> Tensor:
        """Residual ``mask * magnitude``, shape of ``magnitude`` ``[batch, bins, frames]``."""
        return self.mask(magnitude).to(magnitude.dtype) * magnitude
