"""The head that decides by forensic statistics: boosted trees, and networks beside them.

Enters: float32 ``[segments, statistics]``, NaN where a statistic could not be measured. Leaves: one
logit a segment, and how much each statistic moved it. Trees, dense networks and networks that share
weights over bands err differently: on generators that none has seen their weighted sum finds more
than any. Phases that were found anew are another matter, of which ``griffin_lim.py`` knows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from artifactnet.models.statistics.band_network import BandNetwork
from artifactnet.models.statistics.boosted_trees import BoostedTrees
from artifactnet.models.statistics.griffin_lim import GriffinLimHead, either, parts_of_either
from artifactnet.models.statistics.head_tensors import TYPICAL, less_typical, part, typical_of
from artifactnet.models.statistics.network import StatisticsNetwork
from artifactnet.models.statistics.parallel import ParallelNetworks
from artifactnet.models.statistics.track_mean import Together, heard

NETWORK = "network."
"""Prefix of the dense networks' tensors; those of the trees have none."""
BAND_NETWORK = "bands."
"""Prefix of the tensors of the networks that share weights over bands."""
VOICE = "voice."
"""Prefix of the tensors of the trees that know a voice alone."""
GRIFFIN_LIM = "griffin_lim."
"""Prefix of the tensors of what knows phases that were found anew."""
PREFIXES = (NETWORK, BAND_NETWORK, VOICE, GRIFFIN_LIM)
VOICE_DOUBT = 0.5
"""By how much P(a voice alone) of 1 shrinks a logit: of such sound it says less either way."""
MISSING_DOUBT = "missing_doubt"
"""float32 ``[1]``: by how much a logit shrinks where all statistics are missing, in proportion
where some are; without it by nothing."""
TOGETHER = "together"
"""float32 ``[1]``: how far of the way to the mean of those heard together band networks see the
statistics of a segment; without it they see each by itself."""
MIX = "mix"
"""float32, one number each for trees, dense networks and band networks, as far as there are any:
what their logits are multiplied by."""
LARGEST_MIX = 100.0
"""That is believed of a file."""


@dataclass(frozen=True, eq=False)
class StatisticsHead:
    """What decides.

    Attributes:
      trees: boosted trees.
      network: dense networks, if any.
      band_network: networks that share weights over bands, if any.
      mix: what the logits of trees, dense and band networks are multiplied by before they are
        added; of those there are.
      voice: trees that tell a voice alone from music; ``None`` where nobody asks. Speech and
        unaccompanied singing in a studio look like a vocoder's output, so nothing is said of them.
      typical: what each statistic adds in music by people on average, float32 ``[features]``;
        ``None`` where nobody knows.
      missing_doubt: by how much a logit shrinks where all statistics are missing, 0 to 1. The less
        of the spectrum holds sound, the less is known, whoever made it.
      griffin_lim: what knows phases that were found anew, if anything does; a segment is generated
        where it or the others say so.
      together: how far of the way to the mean of those heard together band networks, those of
        ``griffin_lim`` too, see the statistics of a segment, 0 to 1. Trees and dense networks
        gain nothing by it.
    """

    trees: BoostedTrees
    network: StatisticsNetwork | None = None
    band_network: BandNetwork | None = None
    mix: tuple[float, ...] = (1.0,)
    voice: BoostedTrees | None = None
    typical: NDArray[np.float32] | None = None
    missing_doubt: float = 0.0
    griffin_lim: GriffinLimHead | None = None
    together: float = 0.0

    @property
    def features(self) -> int:
        """Statistics that it reads."""
        return self.trees.features

    def _networks(
        self, features: NDArray[np.float32], together: Together
    ) -> list[tuple[float, ParallelNetworks, Tensor]]:
        """Each kind of network there is, its share of the mix, and what it reads."""
        found: list[tuple[float, ParallelNetworks, Tensor]] = []
        there = [one for one in (self.network, self.band_network) if one is not None]
        for share, network in zip(self.mix[1:], there, strict=True):
            way = self.together if network is self.band_network else 0.0
            found.append((share, network, heard(network, features, together, way)))
        return found

    def logits(
        self, features: NDArray[np.float32], together: Together = None
    ) -> NDArray[np.float64]:
        """What each kind of model says, before any mix.

        Args:
          features: ``[segments, features]``.
          together: segments of the same number, of one track, are heard together; ``None``: each
            by itself.

        Returns:
          ``[segments, kinds]``, in the order of ``mix`` those that there are, and last what knows
          phases that were found anew, if anything does, less its margin.
        """
        said = [self.trees.logit(features)]
        with torch.inference_mode():
            for _, network, inputs in self._networks(features, together):
                said.append(network(inputs).double().numpy())
        if self.griffin_lim is not None:
            said.append(self.griffin_lim.logit(features, together, self.together))
        return np.stack(said, axis=1)

    def logit(
        self, features: NDArray[np.float32], together: Together = None
    ) -> NDArray[np.float64]:
        """Logit ``[segments]``; positive is generated. Arguments as of ``logits``."""
        return joined(self.logits(features, together), self.mix)

    def contributions(
        self, features: NDArray[np.float32], together: Together = None
    ) -> tuple[float, NDArray[np.float64]]:
        """The logit that all segments start from, and what each statistic adds to it.

        Where it is known what is typical, the start is about the mean logit of music by people, and
        each statistic adds what it adds more than there. A point without statistics would be no
        start: no music is like it, so what it scores means nothing.

        Args:
          features: ``[segments, features]``.
          together: segments of the same number, of one track, are heard together; ``None``: each
            by itself.

        Returns:
          The start, and contributions ``[segments, features]``; they sum to ``logit``.
        """
        start = self.mix[0] * self.trees.expected
        parts = self.mix[0] * self.trees.contributions(features)
        for share, network, inputs in self._networks(features, together):
            origin, moved = network.contributions(inputs)
            start += share * float(origin)
            parts += share * moved.double().numpy()
        start, parts = less_typical(start, parts, self.typical)
        if self.griffin_lim is not None:
            other = self.griffin_lim.contributions(features, together, self.together)
            start, parts = parts_of_either((start, parts), other)
        return start, parts

    def p_voice(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """P(a voice alone) ``[segments]``; NaN where nobody asks."""
        if self.voice is None:
            return np.full(len(features), np.nan)
        return 1 / (1 + np.exp(-self.voice.logit(features)))

    def doubt(
        self, measured: NDArray[np.floating], p_voice: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """What logits, and all that adds up to them, are multiplied by.

        Args:
          measured: share of the statistics that could be measured, ``[segments]``.
          p_voice: P(a voice alone) ``[segments]``; NaN where nobody asks.

        Returns:
          float64 ``[segments]``, 0 to 1.
        """
        return doubt(measured, p_voice, self.missing_doubt)

    def to_tensors(self) -> dict[str, NDArray[Any]]:
        """The arrays that ``from_tensors`` takes."""
        tensors = self.trees.to_tensors()
        for prefix, network in ((NETWORK, self.network), (BAND_NETWORK, self.band_network)):
            if network is not None:
                tensors |= {prefix + name: a for name, a in network.to_arrays().items()}
        if self.mix[1:]:
            tensors[MIX] = np.array(self.mix, np.float32)
        if self.voice is not None:
            tensors |= {VOICE + name: a for name, a in self.voice.to_tensors().items()}
        if self.typical is not None:
            tensors[TYPICAL] = self.typical
        for name, one in ((MISSING_DOUBT, self.missing_doubt), (TOGETHER, self.together)):
            if one:
                tensors[name] = np.array([one], np.float32)
        if self.griffin_lim is not None:
            tensors |= {GRIFFIN_LIM + n: a for n, a in self.griffin_lim.to_tensors().items()}
        return tensors

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[Any]]) -> "StatisticsHead":
        """A head of untrusted ``tensors``.

        Raises:
          ValueError: naming the tensor that is missing, misshapen or out of bounds.
        """
        dense, banded, of_voice, of_phase = (part(tensors, one) for one in PREFIXES)
        apart = (MIX, TYPICAL, MISSING_DOUBT, TOGETHER)
        own = {n: t for n, t in tensors.items() if not n.startswith(PREFIXES) and n not in apart}
        trees = BoostedTrees.from_tensors(own)
        voice = BoostedTrees.from_tensors(of_voice) if of_voice else None
        if voice is not None and voice.features != trees.features:
            raise ValueError(f"voice: reads {voice.features} statistics, not {trees.features}")
        typical = typical_of(tensors, trees.features, "statistics head")
        missing, together = (_share(tensors, name) for name in (MISSING_DOUBT, TOGETHER))
        network = StatisticsNetwork.from_arrays(dense) if dense else None
        band_network = BandNetwork.from_arrays(banded) if banded else None
        there = [one for one in (network, band_network) if one is not None]
        for one in there:
            if len(one.center) != trees.features:
                raise ValueError(
                    f"{one.NAME}: reads {len(one.center)} statistics, the trees {trees.features}"
                )
        mix = np.asarray(tensors.get(MIX, () if there else (1.0,)))
        if mix.shape != (1 + len(there),):
            raise ValueError(
                f"statistics head: mix has {mix.size} numbers for trees and {len(there)} kinds of "
                "network"
            )
        if mix.dtype.kind != "f" or not ((mix >= 0) & (mix <= LARGEST_MIX)).all():
            raise ValueError(f"statistics head: mix must be from 0 to {LARGEST_MIX:g}")
        phase = GriffinLimHead.from_tensors(of_phase) if of_phase else None
        if phase is not None and len(phase.network.center) != trees.features:
            raise ValueError(
                f"griffin_lim: reads {len(phase.network.center)} statistics, the trees "
                f"{trees.features}"
            )
        shares = tuple(float(one) for one in mix)
        return cls(trees, network, band_network, shares, voice, typical, missing, phase, together)


def _share(tensors: Mapping[str, NDArray[Any]], name: str) -> float:
    """The number from 0 to 1 that an optional tensor holds; 0 where there is none."""
    found = np.asarray(tensors.get(name, np.zeros(1, np.float32)))
    if not (found.shape == (1,) and found.dtype == np.float32 and 0 <= found[0] <= 1):
        raise ValueError(f"statistics head: {name} must be one number from 0 to 1")
    return float(found[0])


def joined(logits: NDArray[np.float64], mix: Sequence[float]) -> NDArray[np.float64]:
    """The logit of a head of what its kinds of models say.

    Args:
      logits: as ``StatisticsHead.logits`` returns them, ``[segments, kinds]``.
      mix: what all of them but what knows phases found anew are multiplied by.

    Returns:
      float64 ``[segments]``.
    """
    logit = mix[0] * logits[:, 0]
    for share, other in zip(mix[1:], logits.T[1 : len(mix)], strict=True):
        logit += share * other
    return either(logit, logits[:, -1]) if logits.shape[1] > len(mix) else logit


def doubt(
    measured: NDArray[np.floating], p_voice: NDArray[np.float64], missing_doubt: float
) -> NDArray[np.float64]:
    """``StatisticsHead.doubt`` of a head with that ``missing_doubt``."""
    return (1 - VOICE_DOUBT * np.nan_to_num(p_voice)) * (1 - missing_doubt * (1 - measured))
