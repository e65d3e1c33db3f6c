"""Learn dense networks on forensic statistics.

Enters: statistics of crops ``[crops, statistics]`` with their labels and weights. Leaves: a
``StatisticsNetwork``, a few networks of different draws side by side.
"""

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from artifactnet.models.statistics.network import StatisticsNetwork


@dataclass(frozen=True)
class NetworkConfig:
    """Of the networks and their training."""

    networks: int = 4
    width: int = 256
    layers: int = 2
    input_dropout: float = 0.2
    dropout: float = 0.4
    epochs: float = 12.0
    batch: int = 256
    learning_rate: float = 2e-3
    weight_decay: float = 0.1
    noise: float = 0.1
    """Standard deviation of what is added to the standardised statistics of a crop."""
    smoothing: float = 0.04
    """Of the labels."""


def fit_network(
    features: NDArray[np.float32],
    labels: NDArray[np.bool_],
    weights: NDArray[np.float64],
    flagged: NDArray[np.intp],
    config: NetworkConfig | None = None,
    seed: int = 0,
) -> StatisticsNetwork:
    """Fit networks.

    Args:
      features: float32 ``[crops, statistics]``, NaN where missing.
      labels: bool ``[crops]``, true for generated.
      weights: ``[crops]``, the probability with which each is drawn.
      flagged: indices of statistics whose absence is an input of its own.
      config: of networks and training.
      seed: of all draws.
    """
    config = config or NetworkConfig()
    torch.manual_seed(seed)
    network = StatisticsNetwork(
        features.shape[1],
        len(flagged),
        config.networks,
        config.width,
        config.layers,
        config.input_dropout,
        config.dropout,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a statistic that no crop has
        low, middle, high = np.nanquantile(features, (0.25, 0.5, 0.75), axis=0)
    spread = np.nan_to_num((high - low) / 1.35)
    network.center.copy_(torch.from_numpy(np.nan_to_num(middle)))
    # A statistic that hardly varies would be all noise.
    network.scale.copy_(torch.from_numpy(np.where(spread > 1e-6, spread, 1.0)))
    network.flagged.copy_(torch.from_numpy(flagged))
    inputs = network.inputs(torch.from_numpy(features))
    target = torch.from_numpy(labels.astype(np.float32))
    target = target * (1 - config.smoothing) + config.smoothing / 2
    share = torch.from_numpy(weights / weights.sum())
    steps = max(1, int(config.epochs * len(features) / config.batch))
    optimiser = torch.optim.AdamW(
        network.parameters(), config.learning_rate, weight_decay=config.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, config.learning_rate, steps)
    network.train()
    for _ in range(steps):
        drawn = torch.multinomial(share, config.networks * config.batch, replacement=True)
        drawn = drawn.view(config.networks, config.batch)
        rows = inputs[drawn]
        logit = network.of_inputs(rows + config.noise * torch.randn_like(rows))
        loss = nn.functional.binary_cross_entropy_with_logits(
            logit, target[drawn], reduction="none"
        )
        optimiser.zero_grad()
        loss.mean(dim=1).sum().backward()
        optimiser.step()
        schedule.step()
    return network.eval()
