"""Small networks that read the bands of forensic statistics by one set of weights.

Enters: float32 ``[segments, statistics]``, NaN where a statistic could not be measured. Leaves: one
logit a segment, the mean over the networks, and how much each statistic moved it. A decoder leaves
the same kind of trace at whatever frequency its stages put it: what was learnt from one band holds
in the others, so these networks know more of generators that nobody has heard than dense ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self, cast

import numpy as np
import torch
from torch import Tensor, nn

from artifactnet.models.statistics.band_layout import BandLayout
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

PATH_POINTS = 12
"""Of the straight path from the centre to a segment along which gradients are averaged."""
MOST_CELLS = 2**18
"""Numbers of one layer of all networks of a segment that are believed of a file."""


@dataclass(frozen=True)
class BandShape:
    """How large the networks are."""

    networks: int = 4
    band_width: int = 128
    """Of what the first layer makes of a band."""
    depth: int = 64
    """Of a band in all later layers."""
    neighbours: int = 1
    """Layers that read a band with the ones below and above."""
    width: int = 256
    """Of the layer behind the bands."""


class BandNetwork(ParallelNetworks):
    """``networks`` networks, in each of which all bands share their weights.

    Each band passes two layers, is told where it lies by an offset of its own in the first, and
    then is read with its neighbours. Mean, maximum and spread over the bands, and the statistics
    that belong to no band, go to a dense layer.
    """

    NAME: ClassVar[str] = "band network"
    cells: Tensor
    rest: Tensor

    def __init__(
        self,
        layout: BandLayout,
        statistics: int,
        flagged: int,
        shape: BandShape | None = None,
        input_dropout: float = 0.0,
        dropout: float = 0.0,
    ) -> None:
        """Networks for ``layout``, not yet trained.

        Raises:
          ValueError: the layout is of another number of inputs.
        """
        super().__init__(statistics, flagged)
        if statistics + flagged != layout.inputs:
            raise ValueError(
                f"the layout is of {layout.inputs} inputs, not of {statistics} and {flagged}"
            )
        shape = shape or BandShape()
        networks, depth = shape.networks, shape.depth
        count, measured = layout.cells.shape
        self.register_buffer("cells", torch.tensor(layout.cells))
        self.register_buffer("rest", torch.tensor(layout.rest))
        self.input_dropout = nn.Dropout(input_dropout)
        self.place = nn.Parameter(torch.zeros(networks, count, shape.band_width))
        sizes = (measured, shape.band_width, depth)
        # Twenty-four bands are many draws: half of the dropout does for them.
        self.band_layers = hidden_layers(networks, sizes, dropout / 2)
        self.neighbours = nn.ModuleList(
            Hidden(networks, 3 * depth, depth, dropout / 2) for _ in range(shape.neighbours)
        )
        self.behind = Hidden(networks, 3 * depth + len(layout.rest), shape.width, dropout)
        self.output = ParallelLinear(networks, shape.width, 1)

    @property
    def _first(self) -> Hidden:
        return cast(Hidden, self.band_layers[0])

    def _measured(self, inputs: Tensor) -> Tensor:
        """``[..., bands, measured]`` of ``inputs`` ``[..., inputs]``; 0 where a band lacks one."""
        return nn.functional.pad(inputs, (0, 1))[..., self.cells]

    def of_inputs(self, inputs: Tensor) -> Tensor:
        """Logits ``[networks, rows]`` of ``inputs`` ``[networks, rows, statistics + flagged]``."""
        inputs = self.input_dropout(inputs)
        first = self._first.linear(self._measured(inputs).flatten(1, 2))
        return self._of_first(first.unflatten(1, (-1, len(self.cells))), inputs[..., self.rest])

    def _of_first(self, x: Tensor, rest: Tensor) -> Tensor:
        """Logits ``[networks, rows]``.

        Args:
          x: what the first linear layer gives, ``[networks, rows, bands, band_width]``.
          rest: inputs that belong to no band, ``[networks, rows, others]``.
        """
        count = len(self.cells)
        x = self._first.after_linear((x + self.place[:, None]).flatten(1, 2))
        for layer in self.band_layers[1:]:
            x = layer(x)
        for layer in self.neighbours:
            own = x.unflatten(1, (-1, count))
            padded = nn.functional.pad(own, (0, 0, 1, 1))
            beside = torch.cat([padded[:, :, :-2], own, padded[:, :, 2:]], dim=-1)
            x = layer(beside.flatten(1, 2))
        own = x.unflatten(1, (-1, count))
        mean = own.mean(dim=2)
        spread = ((own - mean[:, :, None]).square().mean(dim=2) + 1e-4).sqrt()
        pooled = torch.cat([mean, own.amax(dim=2), spread, rest], dim=-1)
        return self.output(self.behind(pooled))[..., 0]

    def path_parts(self, inputs: Tensor) -> Tensor:
        """See ``ParallelNetworks.path_parts``.

        The first layer is linear, so it is walked once and not at every point of the path.
        """
        segments, weight = len(inputs), self._first.linear.weight.detach()
        measured = self._measured(inputs).flatten(0, 1).expand(self.networks, -1, -1)
        moved = (measured @ weight).unflatten(1, (-1, len(self.cells)))
        points = midpoints(PATH_POINTS)
        path = points[:, None, None, None] * moved[:, None]
        path = path + self._first.linear.bias.detach()[:, :, None, None]
        path = path.flatten(1, 2).requires_grad_()  # [networks, points * segments, bands, width]
        rest = points[:, None, None] * inputs[:, self.rest]
        rest = rest.flatten(0, 1).expand(self.networks, -1, -1).clone().requires_grad_()
        by_band, by_rest = torch.autograd.grad(
            self._of_first(path, rest).mean(dim=0).sum(), (path, rest)
        )
        steps = by_band.unflatten(1, (PATH_POINTS, segments)).mean(dim=1).flatten(1, 2)
        slopes = (steps @ weight.mT).sum(dim=0).unflatten(0, (-1, len(self.cells))).flatten(1)
        slope = inputs.new_zeros(segments, inputs.shape[1] + 1)
        slope.index_add_(1, self.cells.flatten(), slopes)
        beside = by_rest.unflatten(1, (PATH_POINTS, segments)).mean(dim=1).sum(dim=0)
        slope.index_add_(1, self.rest, beside)
        return slope[:, :-1] * inputs

    @classmethod
    def of_shapes(cls, tensors: Mapping[str, Tensor]) -> Self:
        """See ``ParallelNetworks.of_shapes``."""
        networks, measured, band_width = tensors["band_layers.0.linear.weight"].shape
        _, _, depth = tensors["band_layers.1.linear.weight"].shape
        _, _, width = tensors["behind.linear.weight"].shape
        count, own = tensors["cells"].shape
        neighbours = sum(
            name.startswith("neighbours.") and name.endswith("linear.weight") for name in tensors
        )
        believed = (
            networks in NETWORKS
            and all(one in WIDTHS for one in (band_width, depth, width))
            and neighbours <= max(LAYERS)
            and count > 0
            and own == measured > 0
            and networks * count * max(measured, band_width, 3 * depth) <= MOST_CELLS
            and len(tensors["rest"]) <= len(tensors["center"])
        )
        if not believed:
            raise ValueError("larger or smaller than is believed")
        statistics, flagged = len(tensors["center"]), len(tensors["flagged"])
        # Indices are read only once their type is known.
        empty = BandLayout(
            np.zeros(tuple(tensors["cells"].shape), np.int64),
            np.zeros(len(tensors["rest"]), np.int64),
            statistics + flagged,
        )
        shape = BandShape(networks, band_width, depth, neighbours, width)
        return cls(empty, statistics, flagged, shape)

    def check(self, tensors: Mapping[str, Tensor]) -> None:
        """See ``ParallelNetworks.check``."""
        super().check(tensors)
        inputs = len(tensors["center"]) + len(tensors["flagged"])
        for name, most in (("cells", inputs), ("rest", inputs - 1)):
            tensor = tensors[name]
            within = bool(((tensor >= 0) & (tensor <= most)).all())
            self.require(within, f"{name} is out of bounds")
