"""Learn a head on forensic statistics: trees and networks, mixed.

Enters: statistics of crops ``[crops, statistics]`` with their labels and weights. Leaves: a
``StatisticsHead``.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artifactnet.models.statistics.band_layout import BandLayout, band_layout
from artifactnet.models.statistics.boosted_trees import BoostedTrees
from artifactnet.models.statistics.forensic_statistics import FEATURE_NAMES
from artifactnet.models.statistics.head import StatisticsHead
from artifactnet.pipeline.training.statistics.learning.boosting import (
    BoostingConfig,
    bin_edges,
    binned,
    fit_boostings,
    trees_of,
)
from artifactnet.pipeline.training.statistics.learning.networks import (
    BandConfig,
    Lesson,
    NetworkConfig,
    fit_band_network,
    fit_network,
)

BANDS = np.flatnonzero([name.endswith("/spread") for name in FEATURE_NAMES])
"""Statistics whose NaN tell that a band is empty."""
LAYOUT = band_layout(FEATURE_NAMES, BANDS.tolist())
"""Which statistic belongs to which band."""
MIX = (0.2, 0.15, 0.6)
"""Of the logits of trees, dense and band networks."""
MISSING_DOUBT = 0.75
"""Of a head: by how much it trusts a window less whose statistics are all missing."""
TOGETHER = 0.5
"""Of a head: how far of the way to the mean of their track band networks see statistics."""
DENSE, BAND = "dense.", "band."
"""Before the names of settings of dense and of band networks."""
SETTINGS_HELP = (
    "Of the trees, like bags=1, of dense networks, like dense.epochs=6, of band networks, like "
    "band.depth=32; dense.networks=0 leaves a kind out. A wrong name lists them all."
)


@dataclass(frozen=True)
class HeadConfig:
    """Of trees and networks; ``None`` for those that there are not."""

    boosting: BoostingConfig = field(default_factory=BoostingConfig)
    network: NetworkConfig | None = field(default_factory=NetworkConfig)
    band_network: BandConfig | None = field(default_factory=BandConfig)


def _leaves(config: Any) -> dict[str, Any]:
    """Numbers of a configuration and of those within it, by name."""
    found: dict[str, Any] = {}
    for one in fields(config):
        value = getattr(config, one.name)
        found |= _leaves(value) if is_dataclass(value) else {one.name: value}
    return found


def _number(kind: type, name: str, text: str) -> Any:
    try:
        number = float(text)
    except ValueError as error:
        raise ValueError(f"--set {name}={text}: not a number") from error
    if number < 0 or kind(number) != number:
        raise ValueError(f"--set {name}={text}: use a number of type {kind.__name__} from 0")
    return kind(number)


def _changed(config: Any, settings: dict[str, str]) -> Any:
    """``config`` with those of ``settings`` that it or a configuration within it has."""
    changes = {}
    for one in fields(config):
        value = getattr(config, one.name)
        if is_dataclass(value):
            changes[one.name] = _changed(value, settings)
        elif one.name in settings:
            changes[one.name] = _number(type(value), one.name, settings[one.name])
    return replace(config, **changes)


def parsed_config(settings: Iterable[str]) -> HeadConfig:
    """A configuration from ``name=value`` texts.

    Of the trees ``bags=1``, of dense networks ``dense.epochs=6``, of band networks
    ``band.depth=32``; ``dense.networks=0`` and ``band.networks=0`` leave them out.

    Raises:
      ValueError: no such name, a value of another type, or no trees.
    """
    own = {"": BoostingConfig(), DENSE: NetworkConfig(), BAND: BandConfig()}
    known = {prefix: _leaves(config) for prefix, config in own.items()}
    found: dict[str, dict[str, str]] = {prefix: {} for prefix in own}
    for one in settings:
        name, _, value = one.partition("=")
        prefix = next((p for p in (DENSE, BAND) if name.startswith(p)), "")
        name = name.removeprefix(prefix)
        if name not in known[prefix]:
            names = [prefix + name for prefix, own in known.items() for name in own]
            raise ValueError(f"--set {one}: use one of {', '.join(names)}")
        found[prefix][name] = value
    boosting, network, band = (_changed(own[prefix], found[prefix]) for prefix in own)
    if not boosting.bags:
        raise ValueError("--set bags=0: a head has trees: use a number from 1")
    return HeadConfig(
        boosting, network if network.networks else None, band if band.shape.networks else None
    )


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
    layout: BandLayout | None = None,
) -> StatisticsHead:
    """Fit a head.

    Args:
      crops: all crops.
      chosen: bool ``[crops]``, those to learn from.
      labels: bool ``[crops]``, true for generated.
      weights: of the chosen ones.
      config: of trees and networks.
      seed: of all draws.
      layout: which statistics belong to which band; without it there are no band networks.
    """
    config = config or HeadConfig()
    own = labels[chosen]
    models = fit_boostings(crops.levels[chosen], own, weights, config.boosting, seed)
    trees: BoostedTrees = trees_of(models, crops.edges)
    flagged = BANDS[crops.features.shape[1] > BANDS]
    lesson = Lesson(crops.features[chosen], own, weights, flagged)
    network = fit_network(lesson, config.network, seed) if config.network else None
    band_network = None
    if config.band_network and layout is not None:
        band_network = fit_band_network(lesson, layout, config.band_network, seed)
    return mixed(StatisticsHead(trees, network, band_network))


def shares(dense: bool, bands: bool) -> tuple[float, ...]:
    """The mix that is set here, of the kinds that a head has."""
    if not (dense or bands):
        return (1.0,)
    # What is not there leaves its share to the others.
    mix = np.array(MIX)[[True, dense, bands]]
    mix *= sum(MIX) / mix.sum()
    return tuple(mix.tolist())


def mixed(head: StatisticsHead) -> StatisticsHead:
    """``head`` with the mix, the doubt and what windows say together as they are set here."""
    mix = shares(head.network is not None, head.band_network is not None)
    together = 0.0 if head.band_network is None else TOGETHER
    return replace(head, mix=mix, missing_doubt=MISSING_DOUBT, together=together)


def with_typical(
    head: StatisticsHead,
    human: NDArray[np.float32],
    weights: NDArray[np.float64],
    together: NDArray[np.intp],
    most: int = 3000,
    seed: int = 0,
) -> StatisticsHead:
    """``head`` that accounts for a score from where music by people lies.

    Args:
      head: as fitted.
      human: statistics of crops of it ``[crops, statistics]``.
      weights: ``[crops]``, the probability with which each is drawn.
      together: crops of the same number are heard together ``[crops]``.
      most: crops that the average is of.
      seed: of the draw.
    """
    drawn = np.random.default_rng(seed).choice(len(human), most, p=weights / weights.sum())
    times = np.bincount(drawn, minlength=len(human))
    # Those that nobody drew are there for the others' sake.
    blocks = np.array_split(np.unique(together[drawn]), max(1, most // 100))
    rows = [np.flatnonzero(np.isin(together, block)) for block in blocks]

    def mean_parts(account: Callable[..., tuple[float, NDArray[np.float64]]]) -> NDArray:
        parts = [times[own] @ account(human[own], together[own])[1] for own in rows]
        return (np.sum(parts, axis=0) / most).astype(np.float32)

    phases = head.griffin_lim
    if phases is not None:
        bare = replace(phases, typical=None)
        typical = mean_parts(partial(bare.contributions, share=head.together))
        phases = replace(phases, typical=typical)
    own = mean_parts(replace(head, typical=None, griffin_lim=None).contributions)
    return replace(head, typical=own, griffin_lim=phases)
