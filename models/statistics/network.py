"""Small dense networks on forensic statistics, several side by side.

Enters: float32 ``[segments, statistics]``, NaN where a statistic could not be measured. Leaves: one
logit a segment, the mean over the networks, and how much each statistic moved it.
"""

from collections.abc import Mapping
from typing import ClassVar, Self, cast

import torch
from torch import Tensor, nn

from artifactnet.models.statistics.parallel import (
    LAYERS,
    NETWORKS,
    WIDTHS,
    Hidden,
    ParallelLinear,
    ParallelNetworks,
    hidden_layers,
    midpoints,
)

PATH_POINTS = 32
"""Of the straight path from the centre to a segment along which gradients are averaged."""


class StatisticsNetwork(ParallelNetworks):
    """``networks`` dense networks: every layer reads all of the one before."""

    NAME: ClassVar[str] = "statistics network"

    def __init__(
        self,
        statistics: int,
        flagged: int,
        networks: int = 4,
        width: int = 256,
        layers: int = 2,
        input_dropout: float = 0.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(statistics, flagged)
        self.input_dropout = nn.Dropout(input_dropout)
        self.hidden = hidden_layers(networks, [statistics + flagged] + [width] * layers, dropout)
        self.output = ParallelLinear(networks, width, 1)

    @property
    def _first(self) -> Hidden:
        return cast(Hidden, self.hidden[0])

    def of_inputs(self, inputs: Tensor) -> Tensor:
        """Logits ``[networks, rows]`` of ``inputs`` ``[networks, rows, statistics + flagged]``."""
        return self._of_first(self._first.linear(self.input_dropout(inputs)))

    def _of_first(self, x: Tensor) -> Tensor:
        """Logits ``[networks, rows]`` of what the first linear layer gives."""
        x = self._first.after_linear(x)
        for layer in self.hidden[1:]:
            x = layer(x)
        return self.output(x)[..., 0]

    def path_parts(self, inputs: Tensor) -> Tensor:
        """See ``ParallelNetworks.path_parts``.

        The first layer is linear, so it is walked once and not at every point of the path.
        """
        weight, bias = self._first.linear.weight, self._first.linear.bias
        moved = inputs.expand(self.networks, -1, -1) @ weight.detach()
        path = midpoints(PATH_POINTS)[:, None, None] * moved[:, None] + bias.detach()[:, None]
        path = path.flatten(1, 2).requires_grad_()  # [networks, points * segments, width]
        (gradient,) = torch.autograd.grad(self._of_first(path).mean(dim=0).sum(), path)
        steps = gradient.unflatten(1, (PATH_POINTS, len(inputs))).mean(dim=1)
        return (steps @ weight.detach().mT).sum(dim=0) * inputs

    @classmethod
    def of_shapes(cls, tensors: Mapping[str, Tensor]) -> Self:
        """See ``ParallelNetworks.of_shapes``."""
        layers = sum(name.endswith("linear.weight") for name in tensors)
        networks, _, width = tensors["hidden.0.linear.weight"].shape
        if networks not in NETWORKS or width not in WIDTHS or layers not in LAYERS:
            raise ValueError("hidden layers are larger or smaller than is believed")
        return cls(len(tensors["center"]), len(tensors["flagged"]), networks, width, layers)
