"""Seven forensic channels of a residual.

Enters: magnitude ``M``, residual ``R``, its harmonic and percussive parts ``H`` and ``P``,
float32 ``[batch, bins, frames]``. Leaves: channels, float32 ``[batch, 7, bins, frames]``.

ArtifactNet (arXiv 2604.16254) names seven channels without listing them; these are ours,
with ``L(x) = (log(x + 1e-5) + 6) / 3``:

====================== ======================================= =============================
channel                formula                                 what it shows
====================== ======================================= =============================
``residual``           ``L(R)``                                how much the decoder left
``harmonic``           ``L(H)``                                steady lines: up-sampling tones
``percussive``         ``L(P)``                                smeared or doubled transients
``residual_share``     ``2 log(R / M / b + 1e-3) / 3``, b=0.5  where the mask opens, level-free
``harmonic_share``     ``2 H / R - 1``                         lines or clicks, level-free
``temporal_change``    ``L(R)[t] - L(R)[t-1]``                 frame-rate flutter
``spectral_curvature`` ``L(R)[f] - (L(R)[f-1] + L(R)[f+1])/2`` spikes one bin wide, imaging
====================== ======================================= =============================
"""

import torch
from torch import Tensor

FLOOR = 1e-5
SHARE_SCALE = 0.5


def _level(x: Tensor) -> Tensor:
    return (torch.log(x + FLOOR) + 6.0) / 3.0


def forensic_channels(
    magnitude: Tensor, residual: Tensor, harmonic: Tensor, percussive: Tensor
) -> Tensor:
    """Stack the channels in the order of ``FORENSIC_CHANNELS``.

    Args:
      magnitude: float32 ``[batch, bins, frames]``.
      residual: of the same shape.
      harmonic: of the same shape.
      percussive: of the same shape.

    Returns:
      float32 ``[batch, 7, bins, frames]``, each channel of order one.
    """
    level = _level(residual)
    share = residual / (magnitude + FLOOR) / SHARE_SCALE
    temporal = level - torch.cat([level[..., :1], level[..., :-1]], dim=-1)
    padded = torch.cat([level[:, :1], level, level[:, -1:]], dim=1)
    curvature = level - (padded[:, :-2] + padded[:, 2:]) / 2
    return torch.stack(
        [
            level,
            _level(harmonic),
            _level(percussive),
            2 * torch.log(share + 1e-3) / 3,
            2 * harmonic / (residual + FLOOR) - 1,
            temporal,
            curvature,
        ],
        dim=1,
    )


def channel_statistics(channels: Tensor) -> Tensor:
    """Mean and standard deviation of each channel over the segment, ``[batch, 7, 2]``."""
    return torch.stack([channels.mean(dim=(-2, -1)), channels.std(dim=(-2, -1))], dim=-1)
