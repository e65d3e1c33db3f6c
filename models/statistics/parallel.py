"""What networks on forensic statistics have in common: several side by side, standardised inputs.

Enters: float32 ``[segments, statistics]``, NaN where a statistic could not be measured. Leaves: one
logit a segment, the mean over the networks, and how much each statistic moved it.
"""

import itertools
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

LIMIT = 4.0
"""Standardised statistics are clipped here, so that none decides alone, however odd a file is."""
NETWORKS, WIDTHS, LAYERS = range(1, 65), range(1, 4097), range(1, 9)
"""What is believed of a file."""
LARGEST, LARGEST_UNIT = 1e4, 1e12
"""Of a tensor's numbers, and of those in a statistic's own unit, that are believed of a file."""
IN_UNITS = ("center", "scale")
BLOCK = 16
"""Segments whose path is walked at a time."""


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


def hidden_layers(networks: int, sizes: Iterable[int], dropout: float) -> nn.ModuleList:
    """A layer between each two neighbouring ``sizes``."""
    pairs = itertools.pairwise(sizes)
    return nn.ModuleList(Hidden(networks, before, after, dropout) for before, after in pairs)


class ParallelNetworks(nn.Module):
    """``networks`` networks that differ by their draw; their mean is the logit.

    A statistic enters less its median and over its spread, then as ``sign(x) log(1 + |x|)``: tails
    are long, and a coder can stretch them. A missing one enters as its median, and for those in
    ``flagged`` that it is missing is an input of its own.
    """

    NAME: ClassVar[str]
    """As complaints of a file call it."""
    center: Tensor
    scale: Tensor
    flagged: Tensor
    output: ParallelLinear

    def __init__(self, statistics: int, flagged: int) -> None:
        super().__init__()
        self.register_buffer("center", torch.zeros(statistics))
        self.register_buffer("scale", torch.ones(statistics))
        self.register_buffer("flagged", torch.zeros(flagged, dtype=torch.int64))

    @property
    def networks(self) -> int:
        """How many run side by side."""
        return len(self.output.bias)

    def inputs(self, statistics: Tensor) -> Tensor:
        """Standardised ``[segments, statistics + flagged]`` of ``[segments, statistics]``."""
        x = (statistics - self.center) / self.scale
        missing = torch.isnan(x)
        x = torch.nan_to_num(x, nan=0.0, posinf=0.0, neginf=0.0)
        x = (torch.sign(x) * torch.log1p(x.abs())).clamp(-LIMIT, LIMIT)
        return torch.cat([x, missing[:, self.flagged].to(x.dtype)], dim=1)

    def of_inputs(self, inputs: Tensor) -> Tensor:
        """Logits ``[networks, rows]`` of ``inputs`` ``[networks, rows, statistics + flagged]``."""
        raise NotImplementedError

    def path_parts(self, inputs: Tensor) -> Tensor:
        """What each of ``inputs`` ``[segments, inputs]`` adds along the way from all zeros.

        Integrated gradients (Sundararajan et al., arXiv 1703.01365, section 3) by the midpoint
        rule, float32 ``[segments, inputs]``; they sum to nearly what the logit gains.
        """
        raise NotImplementedError

    def forward(self, inputs: Tensor) -> Tensor:
        """Logit ``[segments]`` of what ``inputs`` returns."""
        return self.of_inputs(inputs.expand(self.networks, -1, -1)).mean(dim=0)

    def contributions(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Logit of the centre, and what each statistic adds to it.

        Parts of the straight path from a segment whose statistics are all the median; what the
        midpoint rule misses is shared out by size, so that the parts sum to what the logit gains.

        Args:
          inputs: as ``inputs`` returns them, ``[segments, statistics + flagged]``.

        Returns:
          The logit of the centre ``[]``, and contributions ``[segments, statistics]``.
        """
        with torch.inference_mode(False), torch.enable_grad():
            blocks = inputs.clone().split(BLOCK)
            parts = torch.cat([self.path_parts(block).detach() for block in blocks])
        with torch.no_grad():
            origin = self.of_inputs(inputs.new_zeros(self.networks, 1, inputs.shape[1])).mean()
            wanted = self(inputs) - origin
        size = parts.abs()
        missed = wanted - parts.sum(dim=1)
        parts = parts + missed[:, None] * size / size.sum(dim=1, keepdim=True).clamp_min(1e-12)
        count = len(self.center)
        own = parts[:, :count].clone()
        own.index_add_(1, self.flagged, parts[:, count:])
        return origin, own

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Its tensors; weights as float16."""
        return {
            name: (tensor.half() if name.endswith("weight") else tensor).cpu().contiguous().numpy()
            for name, tensor in self.state_dict().items()
        }

    @classmethod
    def of_shapes(cls, tensors: Mapping[str, Tensor]) -> Self:
        """Networks as large as ``tensors`` say, with numbers of their own.

        Raises:
          Exception: they don't say, or more than is believed.
        """
        raise NotImplementedError

    def check(self, tensors: Mapping[str, Tensor]) -> None:
        """Complain of ``tensors`` that have the right shapes but can't be used.

        Raises:
          ValueError: naming the tensor.
        """
        self.require(bool((tensors["scale"].float() > 0).all()), "scale must be positive")
        flagged, count = tensors["flagged"], len(tensors["center"])
        self.require(bool(((flagged >= 0) & (flagged < count)).all()), "flagged is out of bounds")

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Networks of untrusted ``arrays``, in evaluation mode.

        Raises:
          ValueError: naming what is missing, misshapen or not finite.
        """
        tensors = {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
        try:
            flags, statistics = len(tensors["flagged"]), len(tensors["center"])
            cls.require(statistics > 0 and flags <= statistics, "more flags than statistics")
            with torch.device("meta"):  # nothing is allocated before every shape is checked
                network = cls.of_shapes(tensors).eval()
        except Exception as error:  # whatever shapes that nobody meant can raise
            raise ValueError(f"{cls.NAME}: unusable shapes ({error})") from error
        expected = network.state_dict()
        for name in sorted(expected.keys() | tensors.keys()):
            cls.require(name in expected, f"{name!r:.80} is not expected")
            cls.require(name in tensors, f"{name} is missing")
            tensor, want = tensors[name], expected[name]
            cls.require(tensor.shape == want.shape, f"{name} is {tuple(tensor.shape)}")
            known = (torch.float16, torch.float32) if want.is_floating_point() else (torch.int64,)
            cls.require(tensor.dtype in known, f"{name} is {tensor.dtype}")
            most = LARGEST_UNIT if name in IN_UNITS or tensor.dtype == torch.int64 else LARGEST
            within = not tensor.numel() or float(tensor.abs().max()) <= most
            cls.require(bool(torch.isfinite(tensor).all()) and within, f"{name} must be finite")
        network.check(tensors)
        own = {name: tensor.to(expected[name].dtype) for name, tensor in tensors.items()}
        network.load_state_dict(own, assign=True)
        return network.requires_grad_(False)

    @classmethod
    def require(cls, holds: bool, complaint: str) -> None:
        """Raise ``ValueError`` with the networks' name unless ``holds``."""
        if not holds:
            raise ValueError(f"{cls.NAME}: {complaint}")


def midpoints(points: int) -> Tensor:
    """Where on a path of length 1 gradients are taken, ``[points]``."""
    return (torch.arange(points) + 0.5) / points
