"""Learn networks on forensic statistics.

Enters: statistics of crops ``[crops, statistics]`` with their labels and weights. Leaves: a
``StatisticsNetwork`` or a ``BandNetwork``, a few networks of different draws side by side.
"""

import warnings
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from artifactnet.models.device import pick_device
from artifactnet.models.statistics.band_layout import BandLayout
from artifactnet.models.statistics.band_network import BandNetwork, BandShape
from artifactnet.models.statistics.network import StatisticsNetwork
from artifactnet.models.statistics.parallel import ParallelNetworks

Network = TypeVar("Network", bound=ParallelNetworks)


@dataclass(frozen=True)
class Learning:
    """How networks are trained, of whatever kind."""

    input_dropout: float = 0.1
    dropout: float = 0.2
    epochs: float = 8.0
    batch: int = 256
    learning_rate: float = 2e-3
    weight_decay: float = 0.1
    noise: float = 0.1
    """Standard deviation of what is added to the standardised statistics of a crop."""
    smoothing: float = 0.04
    """Of the labels."""
    blend: float = 1.0
    """A crop is moved to a place between itself and another of its class, by at most this share
    of the way: what lies between two generators may be a third."""


@dataclass(frozen=True)
class NetworkConfig:
    """Of dense networks and their training."""

    networks: int = 4
    width: int = 256
    layers: int = 2
    learning: Learning = field(default_factory=Learning)


@dataclass(frozen=True)
class BandConfig:
    """Of networks whose bands share weights, and their training."""

    shape: BandShape = field(default_factory=BandShape)
    learning: Learning = field(default_factory=Learning)


@dataclass(frozen=True, eq=False)
class Lesson:
    """What there is to learn from.

    Attributes:
      features: float32 ``[crops, statistics]``, NaN where missing.
      labels: bool ``[crops]``, true for generated.
      weights: ``[crops]``, the probability with which each is drawn.
      flagged: indices of statistics whose absence is an input of its own.
    """

    features: NDArray[np.float32]
    labels: NDArray[np.bool_]
    weights: NDArray[np.float64]
    flagged: NDArray[np.intp]


def fit_network(
    lesson: Lesson, config: NetworkConfig | None = None, seed: int = 0
) -> StatisticsNetwork:
    """Fit dense networks to ``lesson``; ``seed`` is that of all draws."""
    config = config or NetworkConfig()
    torch.manual_seed(seed)
    network = StatisticsNetwork(
        lesson.features.shape[1],
        len(lesson.flagged),
        config.networks,
        config.width,
        config.layers,
        config.learning.input_dropout,
        config.learning.dropout,
    )
    return _trained(network, lesson, config.learning)


def fit_band_network(
    lesson: Lesson, layout: BandLayout, config: BandConfig | None = None, seed: int = 0
) -> BandNetwork:
    """Fit networks that share weights over the bands of ``layout``."""
    config = config or BandConfig()
    torch.manual_seed(seed)
    network = BandNetwork(
        layout,
        lesson.features.shape[1],
        len(lesson.flagged),
        config.shape,
        config.learning.input_dropout,
        config.learning.dropout,
    )
    return _trained(network, lesson, config.learning)


def _trained(network: Network, lesson: Lesson, learning: Learning) -> Network:
    """``network`` standardised and trained, on a GPU if there is one, in evaluation mode."""
    features = lesson.features
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a statistic that no crop has
        low, middle, high = np.nanquantile(features, (0.25, 0.5, 0.75), axis=0)
    spread = np.nan_to_num((high - low) / 1.35)
    network.center.copy_(torch.from_numpy(np.nan_to_num(middle)))
    # A statistic that hardly varies would be all noise.
    network.scale.copy_(torch.from_numpy(np.where(spread > 1e-6, spread, 1.0)))
    network.flagged.copy_(torch.from_numpy(lesson.flagged))
    device = pick_device()
    inputs = network.inputs(torch.from_numpy(features)).to(device)
    labels = torch.from_numpy(lesson.labels).to(device)
    target = labels.float() * (1 - learning.smoothing) + learning.smoothing / 2
    share = torch.from_numpy(lesson.weights / lesson.weights.sum()).to(device)
    network.to(device)
    steps = max(1, int(learning.epochs * len(features) / learning.batch))
    optimiser = torch.optim.AdamW(
        network.parameters(), learning.learning_rate, weight_decay=learning.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, learning.learning_rate, steps)
    shape = (network.networks, learning.batch)
    network.train()
    for _ in range(steps):
        drawn = torch.multinomial(share, shape[0] * shape[1], replacement=True).view(shape)
        rows = inputs[drawn]
        if learning.blend:
            other = inputs[torch.gather(drawn, 1, partners(labels[drawn]))]
            rows = torch.lerp(rows, other, learning.blend * torch.rand(*shape, 1, device=device))
        logit = network.of_inputs(rows + learning.noise * torch.randn_like(rows))
        loss = nn.functional.binary_cross_entropy_with_logits(
            logit, target[drawn], reduction="none"
        )
        optimiser.zero_grad()
        loss.mean(dim=1).sum().backward()
        optimiser.step()
        schedule.step()
    return network.cpu().eval()


def partners(labels: Tensor) -> Tensor:
    """For each of ``labels`` bool ``[networks, rows]`` a random row of its network and class."""
    # Sorted by class, in two random orders: the same ranks are of the same class.
    one, other = (
        (labels + 0.9 * torch.rand(labels.shape, device=labels.device)).argsort(dim=1)
        for _ in range(2)
    )
    return torch.empty_like(one).scatter_(1, one, other)
