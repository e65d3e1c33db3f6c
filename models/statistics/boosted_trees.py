"""Boosted trees on forensic statistics, as plain arrays.

Enters: float32 ``[segments, features]``, NaN where a statistic could not be measured. Leaves: one
logit a segment, and how much each statistic moved it. The trees are arrays that any weights file
can hold; nothing is unpickled, and scikit-learn, which grew them, is not needed.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAF = -1
"""Feature of a node without children."""
DEEPEST = 64
"""Levels of a tree that are believed; bounds what a crafted file can cost."""

LARGEST_VALUE = 1e4
"""Of a logit's part that is believed of a file."""
DTYPES: Mapping[str, type[np.generic]] = {
    "roots": np.int32,
    "feature": np.int32,
    "threshold": np.float32,
    "left": np.int32,
    "right": np.int32,
    "missing_left": np.uint8,
    "value": np.float32,
    "baseline": np.float32,
    "features": np.int32,
}
"""The tensors of the trees. ``roots`` ``[trees]`` ascends from 0; ``baseline`` and ``features`` are
``[1]``; the others are ``[nodes]``, the nodes of one tree after those of another."""


class BoostedTrees:
    """Boosted trees over ``features`` statistics.

    A node sends a segment left where its statistic is at most ``threshold``, or missing and
    ``missing_left`` is set. ``value`` of a leaf is what the tree adds to the logit; that of an
    inner node is the mean of the leaves below it, weighted by the crops that they were learnt
    from, and serves the contributions only.

    Attributes:
      features: statistics that it reads.
      trees: how many there are.
      baseline: of the logit.
      expected: logit that the contributions start from.
    """

    def __init__(self, tensors: Mapping[str, NDArray[Any]]) -> None:
        """Check and take over ``tensors``, named and typed as in ``DTYPES``.

        Raises:
          ValueError: naming the tensor that is missing, misshapen or out of bounds.
        """
        _check(tensors)
        self._tensors = {name: np.array(tensors[name]) for name in DTYPES}
        self.features = int(self._tensors["features"][0])
        self.trees = len(self._tensors["roots"])
        feature = self._tensors["feature"]
        leaf = feature == LEAF
        itself = np.arange(len(feature), dtype=np.intp)
        # A leaf points to itself, so all trees take the same number of steps.
        self._roots = self._tensors["roots"].astype(np.intp)
        self._feature = np.where(leaf, 0, feature).astype(np.intp)
        self._threshold = self._tensors["threshold"]
        self._missing_left = self._tensors["missing_left"].astype(bool)
        self._children = np.stack(
            [
                np.where(leaf, itself, self._tensors["right"]),
                np.where(leaf, itself, self._tensors["left"]),
            ],
            axis=1,
        ).ravel()
        self._value = self._tensors["value"].astype(np.float64)
        self._steps = _depth(self._roots, leaf, self._tensors["left"], self._tensors["right"])
        self.baseline = float(self._tensors["baseline"][0])
        self.expected = self.baseline + float(self._value[self._roots].sum())

    def _step(
        self, flat: NDArray[np.float32], row: NDArray[np.intp], node: NDArray[np.intp]
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The next nodes ``[segments, trees]`` and where in ``flat`` each node looked."""
        place = row + self._feature.take(node)
        seen = flat.take(place)
        left = seen <= self._threshold.take(node)
        missing = np.isnan(seen)
        if missing.any():
            left |= missing & self._missing_left.take(node)
        return self._children.take(2 * node + left), place

    def _start(
        self, features: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.intp], NDArray[np.intp]]:
        features = np.ascontiguousarray(features, np.float32)
        if features.ndim != 2 or features.shape[1] != self.features:
            raise ValueError(f"features are {features.shape}; [segments, {self.features}] expected")
        row = np.arange(len(features), dtype=np.intp)[:, None] * self.features
        node = np.broadcast_to(self._roots, (len(features), len(self._roots)))
        return features.ravel(), row, node

    def logit(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Logit ``[segments]`` of ``features`` ``[segments, features]``; positive is generated."""
        flat, row, node = self._start(features)
        for _ in range(self._steps):
            node, _ = self._step(flat, row, node)
        return self.baseline + self._value.take(node).sum(axis=1)

    def contributions(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """What each statistic adds to the logit, ``[segments, features]``.

        Each step down a tree moves its expected value, and the move is the statistic's that
        decided the step. With ``expected``, a segment's contributions sum to its logit.
        """
        flat, row, node = self._start(features)
        total = np.zeros(flat.shape, np.float64)
        for _ in range(self._steps):
            child, place = self._step(flat, row, node)
            moved = self._value.take(child) - self._value.take(node)
            total += np.bincount(place.ravel(), moved.ravel(), len(flat))
            node = child
        return total.reshape(-1, self.features)

    def to_tensors(self) -> dict[str, NDArray[Any]]:
        """The arrays that ``from_tensors`` takes."""
        return {name: tensor.copy() for name, tensor in self._tensors.items()}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[Any]]) -> "BoostedTrees":
        """Trees of untrusted ``tensors``.

        Raises:
          ValueError: naming the tensor that is missing, misshapen or out of bounds.
        """
        return cls(tensors)


def _require(holds: bool, complaint: str) -> None:
    if not holds:
        raise ValueError(f"boosted trees: {complaint}")


def _check(tensors: Mapping[str, NDArray[Any]]) -> None:
    _require(set(tensors) == set(DTYPES), f"tensors must be {', '.join(sorted(DTYPES))}")
    for name, dtype in DTYPES.items():
        tensor = tensors[name]
        _require(tensor.dtype == dtype, f"{name} is {tensor.dtype}, not {np.dtype(dtype)}")
        _require(tensor.ndim == 1, f"{name} has {tensor.ndim} dimensions, not one")
    roots, feature = tensors["roots"], tensors["feature"]
    nodes = len(feature)
    for name in ("threshold", "left", "right", "missing_left", "value"):
        _require(len(tensors[name]) == nodes, f"{name} has {len(tensors[name])} of {nodes} nodes")
    for name in ("baseline", "features"):
        _require(len(tensors[name]) == 1, f"{name} holds {len(tensors[name])} numbers, not one")
    _require(0 < len(roots) <= nodes and roots[0] == 0, "roots must begin at node 0")
    _require(bool((np.diff(roots) > 0).all()) and roots[-1] < nodes, "roots must ascend in bounds")
    count = int(tensors["features"][0])
    _require(count > 0, "features must be positive")
    _require(bool(((feature >= LEAF) & (feature < count)).all()), "feature out of bounds")
    for name in ("value", "baseline"):
        believed = bool((np.abs(tensors[name]) <= LARGEST_VALUE).all())
        _require(believed, f"{name} must be finite, at most {LARGEST_VALUE:g}")
    _require(not bool(np.isnan(tensors["threshold"]).any()), "threshold must not be NaN")
    _require(bool((tensors["missing_left"] <= 1).all()), "missing_left must be 0 or 1")
    inner = np.flatnonzero(feature != LEAF)
    # Children come after their parent and before the next tree's root: no walk can turn back.
    ends = np.append(roots[1:], nodes)[np.searchsorted(roots, inner, side="right") - 1]
    for name in ("left", "right"):
        child = tensors[name][inner]
        _require(bool(((child > inner) & (child < ends)).all()), f"{name} leaves its tree")


def _depth(
    roots: NDArray[np.intp],
    leaf: NDArray[np.bool_],
    left: NDArray[np.int32],
    right: NDArray[np.int32],
) -> int:
    """Most steps from a root to a leaf.

    Raises:
      ValueError: more than ``DEEPEST``.
    """
    level, steps = roots[~leaf[roots]], 0
    while len(level):
        steps += 1
        _require(steps <= DEEPEST, f"a tree is deeper than {DEEPEST}")
        level = np.unique(np.concatenate([left[level], right[level]]))
        level = level[~leaf[level]]
    return steps
