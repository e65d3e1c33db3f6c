"""Small dense networks on forensic statistics, several side by side.

Enters: float32 ``[segments, statistics]``, NaN where a statistic could not be measured. Leaves: one
logit a segment, the mean over the networks, and how much each statistic moved it.
"""

import itertools
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

LIMIT = 4.0
"""Standardised statistics are clipped here, so that none decides alone, however odd a file is."""
NETWORKS, WIDTHS, LAYERS = range(1, 65), range(1, 4097), range(1, 9)
"""What is believed of a file."""
LARGEST = 1e12
"""Of a tensor's numbers; beyond it a logit could be none."""
PATH_POINTS = 32
"""Of the straight path from the centre to a segment along which gradients are averaged."""


class ParallelLinear(nn.Module):
    """Linear layers: ``[networks, rows, before]`` to ``[networks, rows, after]``."""

    def __init__(self, networks: int, before: int, after: int) -> None:
        super().__init__()
        bound = before**-0.5
        self.weight = nn.Parameter(torch.empty(networks, before, after).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(networks, 1, after))

    def forward(self, x: Tensor) -> Tensor:
        """Apply each network's layer to its rows."""
        return torch.baddbmm(self.bias, x, self.weight)


class Hidden(nn.Module):
    """Linear layer, layer norm, GELU, dropout."""

    def __init__(self, networks: int, before: int, width: int, dropout: float) -> None:
        super().__init__()
        self.linear = ParallelLinear(networks, before, width)
        self.gain = nn.Parameter(torch.ones(networks, 1, width))
        self.shift = nn.Parameter(torch.zeros(networks, 1, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """``[networks, rows, before]`` to ``[networks, rows, width]``."""
        return self.after_linear(self.linear(x))

    def after_linear(self, x: Tensor) -> Tensor:
        """All but the linear layer, ``[networks, rows, width]``."""
        x = nn.functional.layer_norm(x, x.shape[-1:]) * self.gain + self.shift
        return self.dropout(nn.functional.gelu(x))


class StatisticsNetwork(nn.Module):
    """``networks`` dense networks that differ by their draw; their mean is the logit.

    A statistic enters less its median and over its spread, then as ``sign(x) log(1 + |x|)``: tails
    are long, and a coder can stretch them. A missing one enters as its median, and for those in
    ``flagged`` that it is missing is an input of its own.
    """

    center: Tensor
    scale: Tensor
    flagged: Tensor

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
        super().__init__()
        self.register_buffer("center", torch.zeros(statistics))
        self.register_buffer("scale", torch.ones(statistics))
        self.register_buffer("flagged", torch.zeros(flagged, dtype=torch.int64))
        self.input_dropout = nn.Dropout(input_dropout)
        sizes = [statistics + flagged] + [width] * layers
        self.hidden = nn.ModuleList(
            Hidden(networks, before, after, dropout) for before, after in itertools.pairwise(sizes)
        )
        self.output = ParallelLinear(networks, sizes[-1], 1)

    @property
    def networks(self) -> int:
        """How many run side by side."""
        return len(self.output.bias)

    @property
    def _first(self) -> Hidden:
        return cast(Hidden, self.hidden[0])

    def inputs(self, statistics: Tensor) -> Tensor:
        """Standardised ``[segments, statistics + flagged]`` of ``[segments, statistics]``."""
        x = (statistics - self.center) / self.scale
        missing = torch.isnan(x)
        x = torch.nan_to_num(x, nan=0.0, posinf=0.0, neginf=0.0)
        x = (torch.sign(x) * torch.log1p(x.abs())).clamp(-LIMIT, LIMIT)
        return torch.cat([x, missing[:, self.flagged].to(x.dtype)], dim=1)

    def of_inputs(self, inputs: Tensor) -> Tensor:
        """Logits ``[networks, rows]`` of ``inputs`` ``[networks, rows, statistics + flagged]``."""
        return self._of_first(self._first.linear(self.input_dropout(inputs)))

    def _of_first(self, x: Tensor) -> Tensor:
        """Logits ``[networks, rows]`` of what the first linear layer gives."""
        x = self._first.after_linear(x)
        for layer in self.hidden[1:]:
            x = layer(x)
        return self.output(x)[..., 0]

    def forward(self, statistics: Tensor) -> Tensor:
        """Logit ``[segments]`` of ``statistics`` ``[segments, statistics]``."""
        inputs = self.inputs(statistics)
        return self.of_inputs(inputs.expand(self.networks, -1, -1)).mean(dim=0)

    def contributions(self, statistics: Tensor) -> tuple[Tensor, Tensor]:
        """Logit of the centre, and what each statistic adds to it.

        Integrated gradients from a segment whose statistics are all the median (Sundararajan et
        al., arXiv 1703.01365, section 3), by the midpoint rule; what the rule misses is shared out
        by size, so that the parts sum to the logit. The first layer is linear, so it is walked
        once and not at every point of the path.

        Args:
          statistics: ``[segments, statistics]``.

        Returns:
          The logit of the centre ``[]``, and contributions ``[segments, statistics]``.
        """
        inputs = self.inputs(statistics)
        with torch.inference_mode(False), torch.enable_grad():
            inputs = inputs.clone()
            weight, bias = self._first.linear.weight, self._first.linear.bias
            moved = inputs.expand(self.networks, -1, -1) @ weight.detach()
            points = (torch.arange(PATH_POINTS) + 0.5) / PATH_POINTS
            path = points[:, None, None] * moved[:, None] + bias.detach()[:, None]
            path = path.flatten(1, 2).requires_grad_()  # [networks, points * segments, width]
            logit = self._of_first(path).mean(dim=0)
            (gradient,) = torch.autograd.grad(logit.sum(), path)
        steps = gradient.unflatten(1, (PATH_POINTS, len(inputs))).mean(dim=1)
        parts = (steps @ weight.detach().mT).sum(dim=0) * inputs
        with torch.no_grad():
            origin = self.of_inputs(inputs.new_zeros(self.networks, 1, inputs.shape[1])).mean()
            wanted = self.of_inputs(inputs.expand(self.networks, -1, -1)).mean(dim=0) - origin
        size = parts.abs()
        missed = wanted - parts.sum(dim=1)
        parts = parts + missed[:, None] * size / size.sum(dim=1, keepdim=True).clamp_min(1e-12)
        count = statistics.shape[1]
        own = parts[:, :count].clone()
        own.index_add_(1, self.flagged, parts[:, count:])
        return origin, own

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Its tensors; weights as float16, which moves a logit by less than .01."""
        return {
            name: (tensor.half() if name.endswith("weight") else tensor).cpu().numpy()
            for name, tensor in self.state_dict().items()
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> "StatisticsNetwork":
        """Networks of untrusted ``arrays``, in evaluation mode.

        Raises:
          ValueError: naming what is missing, misshapen or not finite.
        """
        tensors = {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
        layers = sum(name.endswith("linear.weight") for name in tensors)
        try:
            networks, _, width = tensors["hidden.0.linear.weight"].shape
            _require(networks in NETWORKS and width in WIDTHS and layers in LAYERS, "too large")
            with torch.device("meta"):  # nothing is allocated before every shape is checked
                network = cls(
                    len(tensors["center"]), len(tensors["flagged"]), networks, width, layers
                ).eval()
        except (KeyError, ValueError, TypeError, RuntimeError) as error:
            raise ValueError(f"statistics network: no usable first layer ({error})") from error
        expected = network.state_dict()
        for name in sorted(expected.keys() | tensors.keys()):
            _require(name in expected, f"{name} is not expected")
            _require(name in tensors, f"{name} is missing")
            tensor, want = tensors[name], expected[name]
            _require(tensor.shape == want.shape, f"{name} is {tuple(tensor.shape)}")
            _require(
                tensor.is_floating_point() == want.is_floating_point(), f"{name} is {tensor.dtype}"
            )
            within = not tensor.numel() or float(tensor.abs().max()) < LARGEST
            _require(bool(torch.isfinite(tensor).all()) and within, f"{name} must be finite")
        _require(bool((tensors["scale"] > 0).all()), "scale must be positive")
        flagged, count = tensors["flagged"], len(tensors["center"])
        _require(bool(((flagged >= 0) & (flagged < count)).all()), "flagged is out of bounds")
        own = {name: tensor.to(expected[name].dtype) for name, tensor in tensors.items()}
        network.load_state_dict(own, assign=True)
        return network


def _require(holds: bool, complaint: str) -> None:
    if not holds:
        raise ValueError(f"statistics network: {complaint}")
