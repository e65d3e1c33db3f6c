"""What knows music whose phases were found anew, and how its word joins that of the other models.

Enters: float32 ``[segments, statistics]``, NaN where a statistic could not be measured. Leaves: one
logit a segment, and how much each statistic moved it. A generator that draws spectrograms and has
Griffin and Lim's iterations (1984) find the phases leaves no trace of a decoder: to models that
look for one it is further from generated than music by people is. So networks of its own know it,
from people's music alone, and a segment is generated where either says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from artifactnet.models.statistics.band_network import BandNetwork
from artifactnet.models.statistics.head_tensors import TYPICAL, less_typical, part, typical_of
from artifactnet.models.statistics.track_mean import Together, heard

NETWORK = "network."
"""Prefix of the networks' tensors."""
MARGIN = "margin"
"""float32 ``[1]``."""
LARGEST_MARGIN = 100.0
"""That is believed of a file."""
LEAST_APART = 1e-6
"""Logits that move less far apart are taken for parallel."""


@dataclass(frozen=True, eq=False)
class GriffinLimHead:
    """Networks that tell phases found anew from music by people.

    Attributes:
      network: what they are.
      margin: what is taken from their logit, so that they speak up only when sure.
      typical: what each statistic adds in music by people on average, float32 ``[features]``;
        ``None`` where nobody knows.
    """

    network: BandNetwork
    margin: float = 1.0
    typical: NDArray[np.float32] | None = None

    def logit(
        self, features: NDArray[np.float32], together: Together = None, share: float = 0.0
    ) -> NDArray[np.float64]:
        """Logit ``[segments]``, less the margin.

        Args:
          features: ``[segments, features]``.
          together: which segments are heard together.
          share: how far of the way to their mean; see ``track_mean.heard``.
        """
        with torch.inference_mode():
            inputs = heard(self.network, features, together, share)
            return self.network(inputs).double().numpy() - self.margin

    def contributions(
        self, features: NDArray[np.float32], together: Together = None, share: float = 0.0
    ) -> tuple[float, NDArray[np.float64]]:
        """The logit that all segments start from, and what each statistic adds to it.

        See ``StatisticsHead.contributions``; arguments as of ``logit``.
        """
        inputs = heard(self.network, features, together, share)
        origin, moved = self.network.contributions(inputs)
        return less_typical(float(origin) - self.margin, moved.double().numpy(), self.typical)

    def to_tensors(self) -> dict[str, NDArray[Any]]:
        """The arrays that ``from_tensors`` takes."""
        tensors = {NETWORK + name: array for name, array in self.network.to_arrays().items()}
        tensors[MARGIN] = np.array([self.margin], np.float32)
        return tensors if self.typical is None else tensors | {TYPICAL: self.typical}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[Any]]) -> "GriffinLimHead":
        """A head of untrusted ``tensors``.

        Raises:
          ValueError: naming the tensor that is missing, misshapen or out of bounds.
        """
        for name in tensors:
            if not name.startswith(NETWORK) and name not in (MARGIN, TYPICAL):
                raise ValueError(f"griffin_lim: {name!r:.80} is not expected")
        try:
            network = BandNetwork.from_arrays(part(tensors, NETWORK))
        except ValueError as error:
            raise ValueError(f"griffin_lim: {error}") from error
        margin = np.asarray(tensors.get(MARGIN, ()))
        if not (
            margin.shape == (1,) and margin.dtype == np.float32 and abs(margin[0]) <= LARGEST_MARGIN
        ):
            raise ValueError(
                f"griffin_lim: margin must be one float32 of at most {LARGEST_MARGIN:g} either way"
            )
        typical = typical_of(tensors, len(network.center), "griffin_lim")
        return cls(network, float(margin[0]), typical)


def either(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logit ``[segments]`` of what one of two logits says: the logarithm of their summed odds."""
    return np.logaddexp(one, other)


def parts_of_either(
    one: tuple[float, NDArray[np.float64]], other: tuple[float, NDArray[np.float64]]
) -> tuple[float, NDArray[np.float64]]:
    """The start of ``either``, and what each statistic adds to it.

    Integrated gradients (Sundararajan et al., arXiv 1703.01365, section 3) along the straight path
    from both starts to both logits. On it each logit grows evenly, so that its mean share in the
    sum's slope follows from the two ends, and contributions add up exactly.

    Args:
      one: a start, and contributions ``[segments, features]``.
      other: the same of the other logit.
    """
    (begin, parts), (other_begin, other_parts) = one, other
    moved, other_moved = parts.sum(axis=1), other_parts.sum(axis=1)
    start = float(np.logaddexp(begin, other_begin))
    gained = either(begin + moved, other_begin + other_moved) - start
    apart = moved - other_moved
    parallel = np.abs(apart) < LEAST_APART
    share = (gained - other_moved) / np.where(parallel, 1, apart)
    share = np.where(parallel, np.exp(begin - start), share).clip(0, 1)[:, None]
    return start, share * parts + (1 - share) * other_parts
