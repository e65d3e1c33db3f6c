"""Harmonic-percussive separation of a residual by median filtering.

Enters: residual, float32 ``[batch, bins, frames]``, non-negative. Leaves: its harmonic and
percussive parts, same shape. A median over time keeps what is steady (lines), one over
frequency keeps what is broad and short (clicks); soft masks of the two share the residual
out (Fitzgerald 2010, with the Wiener-like masks of Driedger et al. 2014).
``librosa.decompose.hpss`` is the reference, equal to 1e-4.

The median costs more than a UNet when done carelessly. On a CPU it is bottleneck's running
median (two heaps, O(log k) a step). On other devices it is a sorting network whose
comparators are element-wise minima and maxima of shifted copies, without those that the
median does not depend on.
"""

from functools import lru_cache

import bottleneck
import torch
from torch import Tensor
from torch.nn import functional

MASK_FLOOR = 1e-10


@lru_cache
def median_network(size: int) -> tuple[tuple[int, int], ...]:
    """Comparators ``(low, high)`` that leave the median of ``size`` values at ``size // 2``.

    Batcher's odd-even merge sort for the next power of two, without the comparators that
    touch padding or that the median's place does not depend on.
    """
    width = 1 << (size - 1).bit_length()
    comparators = []
    p = 1
    while p < width:
        k = p
        while k >= 1:
            for j in range(k % p, width - k, 2 * k):
                for i in range(min(k, width - j - k)):
                    if (i + j) // (2 * p) == (i + j + k) // (2 * p) and i + j + k < size:
                        comparators.append((i + j, i + j + k))
            k //= 2
        p *= 2
    wanted, kept = {size // 2}, []
    for low, high in reversed(comparators):
        if low in wanted or high in wanted:
            wanted |= {low, high}
            kept.append((low, high))
    return tuple(reversed(kept))


def _network_median(padded: Tensor, size: int) -> Tensor:
    length = padded.shape[-1] - size + 1
    values = [padded[..., shift : shift + length] for shift in range(size)]
    for low, high in median_network(size):
        a, b = values[low], values[high]
        values[low], values[high] = torch.minimum(a, b), torch.maximum(a, b)
    return values[size // 2]


def _running_median(padded: Tensor, size: int) -> Tensor:
    medians = bottleneck.move_median(padded.numpy(), size, axis=-1)
    return torch.from_numpy(medians[..., size - 1 :])


def _reflect(x: Tensor, half: int) -> Tensor:
    # scipy's "reflect" repeats the edge sample, which torch's padding modes don't offer.
    length = x.shape[-1]
    reach = min(half, length)
    x = torch.cat([x[..., :reach].flip(-1), x, x[..., length - reach :].flip(-1)], dim=-1)
    return functional.pad(x, (half - reach, half - reach), mode="replicate") if reach < half else x


def median_filter(x: Tensor, size: int, dim: int, network: bool = False) -> Tensor:
    """Running median along one dimension.

    Args:
      x: float32 ``[batch, bins, frames]``; no gradient flows through.
      size: odd length of the window.
      dim: -1 for time, -2 for frequency.
      network: use the sorting network on a CPU too.

    Returns:
      Medians of the shape of ``x``; the borders are reflected, edge sample included
      (``scipy.ndimage.median_filter(mode="reflect")``).

    Raises:
      ValueError: ``size`` is even.
    """
    if size % 2 == 0:
        raise ValueError(f"the median window must be odd, got {size}")
    x = x.detach().transpose(dim, -1)
    padded = _reflect(x, size // 2).contiguous()
    running = x.device.type == "cpu" and not network
    median = _running_median if running else _network_median
    return median(padded, size).transpose(dim, -1)


def hpss(residual: Tensor, kernel: int, network: bool = False) -> tuple[Tensor, Tensor]:
    """Split ``residual`` ``[batch, bins, frames]`` into harmonic and percussive parts.

    Args:
      residual: non-negative magnitudes; gradients flow through it, not through the masks.
      kernel: length of both median filters (librosa's ``kernel_size``).
      network: use the sorting network on a CPU too, as an exported graph must.

    Returns:
      ``(harmonic, percussive)``; they add up to ``residual`` wherever it is above the floor.
    """
    steady = median_filter(residual, kernel, -1, network).square()
    broad = median_filter(residual, kernel, -2, network).square()
    total = steady + broad
    harmonic_mask = torch.where(total > MASK_FLOOR**2, steady / total.clamp_min(1e-30), 0.5)
    harmonic = residual * harmonic_mask
    return harmonic, residual - harmonic
