"""The head that decides by forensic statistics: boosted trees, and dense networks beside them.

Enters: float32 ``[segments, statistics]``, NaN where a statistic could not be measured. Leaves: one
logit a segment, and how much each statistic moved it. Trees and networks err differently: on
generators that neither has seen their weighted sum finds more than either.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from artifactnet.models.statistics.boosted_trees import BoostedTrees
from artifactnet.models.statistics.network import StatisticsNetwork

NETWORK = "network."
"""Prefix of the networks' tensors; those of the trees have none."""
VOICE = "voice."
"""Prefix of the tensors of the trees that know a voice alone."""
VOICE_DOUBT = 0.5
"""By how much P(a voice alone) of 1 shrinks a logit: of such sound it says less either way."""
MIX = "mix"
"""float32 ``[2]``: what the logit of the trees and that of the networks are multiplied by."""


@dataclass(frozen=True, eq=False)
class StatisticsHead:
    """What decides.

    Attributes:
      trees: boosted trees.
      network: dense networks; ``None`` where the trees decide alone.
      mix: what the two logits are multiplied by before they are added.
      voice: trees that tell a voice alone from music; ``None`` where nobody asks. Speech and
        unaccompanied singing in a studio look like a vocoder's output, so nothing is said of them.
    """

    trees: BoostedTrees
    network: StatisticsNetwork | None = None
    mix: tuple[float, float] = (1.0, 0.0)
    voice: BoostedTrees | None = None

    @property
    def features(self) -> int:
        """Statistics that it reads."""
        return self.trees.features

    def logit(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Logit ``[segments]`` of ``features`` ``[segments, features]``; positive is generated."""
        logit = self.mix[0] * self.trees.logit(features)
        if self.network is not None:
            with torch.inference_mode():
                logit += self.mix[1] * self.network(torch.from_numpy(features)).double().numpy()
        return logit

    def contributions(self, features: NDArray[np.float32]) -> tuple[float, NDArray[np.float64]]:
        """The logit that all segments start from, and what each statistic adds to it.

        Args:
          features: ``[segments, features]``.

        Returns:
          The start, and contributions ``[segments, features]``; they sum to ``logit``.
        """
        start = self.mix[0] * self.trees.expected
        parts = self.mix[0] * self.trees.contributions(features)
        if self.network is not None:
            origin, moved = self.network.contributions(torch.from_numpy(features))
            start += self.mix[1] * float(origin)
            parts += self.mix[1] * moved.double().numpy()
        return start, parts

    def p_voice(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """P(a voice alone) ``[segments]``; NaN where nobody asks."""
        if self.voice is None:
            return np.full(len(features), np.nan)
        return 1 / (1 + np.exp(-self.voice.logit(features)))

    def to_tensors(self) -> dict[str, NDArray[Any]]:
        """The arrays that ``from_tensors`` takes."""
        tensors = self.trees.to_tensors()
        if self.network is not None:
            tensors |= {NETWORK + name: a for name, a in self.network.to_arrays().items()}
            tensors[MIX] = np.array(self.mix, np.float32)
        if self.voice is not None:
            tensors |= {VOICE + name: a for name, a in self.voice.to_tensors().items()}
        return tensors

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[Any]]) -> "StatisticsHead":
        """A head of untrusted ``tensors``.

        Raises:
          ValueError: naming the tensor that is missing, misshapen or out of bounds.
        """
        of_network, of_voice = _part(tensors, NETWORK), _part(tensors, VOICE)
        own = {n: t for n, t in tensors.items() if not n.startswith((NETWORK, VOICE)) and n != MIX}
        trees = BoostedTrees.from_tensors(own)
        voice = BoostedTrees.from_tensors(of_voice) if of_voice else None
        if voice is not None and voice.features != trees.features:
            raise ValueError(f"voice: reads {voice.features} statistics, not {trees.features}")
        if not of_network and MIX not in tensors:
            return cls(trees, voice=voice)
        network = StatisticsNetwork.from_arrays(of_network)
        if len(network.center) != trees.features:
            raise ValueError(
                f"statistics network: reads {len(network.center)} statistics, the trees "
                f"{trees.features}"
            )
        mix = np.asarray(tensors.get(MIX, ()))
        if mix.shape != (2,) or not np.isfinite(mix).all():
            raise ValueError("statistics head: mix must be two finite numbers")
        return cls(trees, network, (float(mix[0]), float(mix[1])), voice)


def _part(tensors: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
