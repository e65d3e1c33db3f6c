"""The CNN that reads the forensic channels.

Enters: channels, float32 ``[batch, 7, bins, frames]``. Leaves: one logit a segment and the
embedding it was read from. Time is averaged out at the end (what a decoder leaves, it
leaves throughout); frequency keeps eight bands, since the same line means different
things at 2 kHz and at 20 kHz.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

BANDS = 8


class Classification(NamedTuple):
    """``logit`` float32 ``[batch]`` (sigmoid gives P(AI)), ``embedding`` ``[batch, size]``."""

    logit: Tensor
    embedding: Tensor


STRIDES = ((4, 2), (2, 2), (2, 2), (2, 1), (2, 1))
"""Down-sampling in frequency and time, level by level."""


def _block(inputs: int, outputs: int, stride: tuple[int, int]) -> nn.Sequential:
    kernel = (stride[0] + 1, 3)
    padding = (kernel[0] // 2, 1)
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False),
        nn.BatchNorm2d(outputs),
        nn.SiLU(),
    )


class SegmentClassifier(nn.Module):
    """Strided CNN, mean and deviation over time, a small head.

    Args:
      channels: width of each level.
      embedding_size: length of the embedding.
    """

    def __init__(self, inputs: int, channels: tuple[int, ...], embedding_size: int) -> None:
        super().__init__()
        widths = (inputs, *channels)
        self.layers = nn.Sequential(
            *(_block(a, b, stride) for a, b, stride in zip(widths, channels, STRIDES, strict=False))
        )
        self.embed = nn.Linear(2 * BANDS * channels[-1] // 2, embedding_size)
        self.squeeze = nn.Conv2d(channels[-1], channels[-1] // 2, 1)
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(embedding_size, 1)

    def forward(self, channels: Tensor) -> Classification:
        """Classify ``[batch, 7, bins, frames]``."""
        x = self.squeeze(self.layers(channels))
        x = torch.cat([x.mean(dim=-1), x.std(dim=-1)], dim=1)
        x = functional.adaptive_avg_pool1d(x, BANDS).flatten(1)
        embedding = functional.silu(self.embed(self.dropout(x)))
        return Classification(self.head(embedding).squeeze(-1), embedding)
