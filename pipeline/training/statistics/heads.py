"""Learn a head on forensic statistics: trees and networks, mixed.

Enters: statistics of crops ``[crops, statistics]`` with their labels and weights. Leaves: a
``StatisticsHead``.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from artifactnet.models.statistics.boosted_trees import BoostedTrees
from artifactnet.models.statistics.forensic_statistics import FEATURE_NAMES
from artifactnet.models.statistics.head import StatisticsHead
from artifactnet.pipeline.training.statistics.boosting import (
    BoostingConfig,
    bin_edges,
    binned,
    fit_boostings,
    trees_of,
)
from artifactnet.pipeline.training.statistics.networks import NetworkConfig, fit_network

BANDS = np.flatnonzero([name.endswith("/spread") for name in FEATURE_NAMES])
"""Statistics whose NaN tell that a band is empty."""
MIX = (0.5, 0.4)
"""Of both logits: networks are surer of themselves by a quarter, so both weigh alike."""


@dataclass(frozen=True)
class HeadConfig:
    """Of the trees and the networks; no network where ``network`` is ``None``."""

    boosting: BoostingConfig = field(default_factory=BoostingConfig)
    network: NetworkConfig | None = field(default_factory=NetworkConfig)


Config = TypeVar("Config", BoostingConfig, NetworkConfig)


def _with(config: Config, name: str, value: str) -> Config:
    kind = type(getattr(config, name))
    return replace(config, **{name: kind(float(value))})


def parsed_config(settings: Iterable[str]) -> HeadConfig:
    """A configuration from ``name=value`` texts; ``networks=0`` leaves the trees alone.

    Raises:
      ValueError: no such name, or a value of another type.
    """
    boosting, network = BoostingConfig(), NetworkConfig()
    for one in settings:
        name, _, value = one.partition("=")
        if name in {f.name for f in fields(boosting)}:
            boosting = _with(boosting, name, value)
        elif name in {f.name for f in fields(network)}:
            network = _with(network, name, value)
        else:
            known = ", ".join(f.name for f in (*fields(boosting), *fields(network)))
            raise ValueError(f"--set {one}: use one of {known}")
    return HeadConfig(boosting, network if network.networks else None)


@dataclass(frozen=True, eq=False)
class Levels:
    """Statistics of crops, and the levels that trees part.

    Levels know no labels, so folds share them, which saves most of a fold's time.
    """

    features: NDArray[np.float32]
    edges: list[NDArray[np.float32]]
    levels: NDArray[np.float32]

    @classmethod
    def of(cls, features: NDArray[np.float32]) -> "Levels":
        """Levels of ``features`` ``[crops, statistics]``."""
        # scikit-learn's own bins heed the weights, at two orders of magnitude more time.
        edges = bin_edges(features)
        return cls(features, edges, binned(features, edges))


def fit_head(
    crops: Levels,
    chosen: NDArray[np.bool_],
    labels: NDArray[np.bool_],
    weights: NDArray[np.float64],
    config: HeadConfig | None = None,
    seed: int = 0,
) -> StatisticsHead:
    """Fit a head.

    Args:
      crops: all crops.
      chosen: bool ``[crops]``, those to learn from.
      labels: bool ``[crops]``, true for generated.
      weights: of the chosen ones.
      config: of trees and networks.
      seed: of all draws.
    """
    config = config or HeadConfig()
    own = labels[chosen]
    models = fit_boostings(crops.levels[chosen], own, weights, config.boosting, seed)
    trees: BoostedTrees = trees_of(models, crops.edges)
    if config.network is None:
        return StatisticsHead(trees)
    flagged = BANDS[crops.features.shape[1] > BANDS]
    network = fit_network(crops.features[chosen], own, weights, flagged, config.network, seed)
    return StatisticsHead(trees, network, MIX)
