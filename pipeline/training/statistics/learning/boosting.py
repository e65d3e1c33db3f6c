"""Grow boosted trees with scikit-learn and turn it into plain arrays.

Enters: statistics of crops ``[crops, features]`` with their labels and weights. Leaves: a
``BoostedTrees``, the mean of a few gradient boostings of different seeds.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

from artifactnet.models.statistics.boosted_trees import DTYPES, LEAF, BoostedTrees


@dataclass(frozen=True)
class BoostingConfig:
    """Of one boosting; the names are scikit-learn's. ``bags`` boostings are averaged."""

    learning_rate: float = 0.06
    max_iter: int = 300
    max_leaf_nodes: int = 15
    max_depth: int = 7
    min_samples_leaf: int = 30
    l2_regularization: float = 5.0
    max_features: float = 0.05
    bags: int = 2


BINS = 128
"""Most levels of a statistic that a tree can part."""


def bin_edges(features: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Of each statistic the values, at most ``BINS - 1``, that part it into even shares.

    The last level is above the last edge, so each edge parts something.
    """
    ordered = np.sort(features, axis=0)  # NaN come last
    counts = (~np.isnan(features)).sum(axis=0)
    edges = []
    for column, count in enumerate(counts):
        places = (np.arange(1, BINS) * count) // BINS
        values = np.unique(ordered[places, column]) if count else ordered[:0, column]
        edges.append(values[values < ordered[count - 1, column]] if count else values)
    return edges


def binned(features: NDArray[np.float32], edges: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Level of each statistic, NaN where missing; a level is at most ``i`` up to ``edges[i]``."""
    levels = np.empty_like(features)
    for column, parts in enumerate(edges):
        levels[:, column] = np.searchsorted(parts, features[:, column], side="left")
    levels[np.isnan(features)] = np.nan
    # scikit-learn finds no bins for a statistic that no crop has; a constant is never split.
    levels[:, np.isnan(levels).all(axis=0)] = 0
    return levels


def _thresholds(nodes: NDArray[np.void], edges: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """In the statistics' own units; infinite where a node parts the missing from the rest."""
    result = np.zeros(len(nodes), np.float32)
    for index in np.flatnonzero(nodes["is_leaf"] == 0):
        level = nodes["num_threshold"][index]
        parts = edges[nodes["feature_idx"][index]]
        result[index] = parts[int(level)] if level < len(parts) else np.inf
    return result


def _inner_values(nodes: NDArray[np.void]) -> NDArray[np.float64]:
    """Each node's value: a leaf's own, an inner node's the mean of those below, by crops."""
    value = nodes["value"].astype(np.float64)
    count = nodes["count"].astype(np.float64)
    for index in range(len(nodes) - 1, -1, -1):
        if not nodes["is_leaf"][index]:
            below = [nodes["left"][index], nodes["right"][index]]
            value[index] = np.average(value[below], weights=np.maximum(count[below], 1))
    return value


def trees_of(
    models: list[HistGradientBoostingClassifier], edges: list[NDArray[np.float32]]
) -> BoostedTrees:
    """The mean of ``models``, which were fitted to levels of ``edges``, as plain arrays."""
    columns: dict[str, list[NDArray[Any]]] = {name: [] for name in DTYPES}
    size = 0
    for model in models:
        for (tree,) in model._predictors:
            nodes = tree.nodes
            leaf = nodes["is_leaf"].astype(bool)
            columns["roots"].append(np.array([size]))
            columns["feature"].append(np.where(leaf, LEAF, nodes["feature_idx"].astype(np.int64)))
            columns["threshold"].append(_thresholds(nodes, edges))
            for side in ("left", "right"):
                columns[side].append(np.where(leaf, 0, nodes[side].astype(np.int64) + size))
            columns["missing_left"].append(np.where(leaf, 0, nodes["missing_go_to_left"]))
            columns["value"].append(_inner_values(nodes) / len(models))
            size += len(nodes)
    baseline = float(np.mean([np.ravel(model._baseline_prediction)[0] for model in models]))
    columns["baseline"].append(np.array([baseline]))
    columns["features"].append(np.array([len(edges)]))
    return BoostedTrees.from_tensors(
        {name: np.concatenate(columns[name]).astype(dtype) for name, dtype in DTYPES.items()}
    )


def fit_boostings(
    levels: NDArray[np.float32],
    labels: NDArray[np.bool_],
    weights: NDArray[np.float64],
    config: BoostingConfig,
    seed: int,
) -> list[HistGradientBoostingClassifier]:
    """``config.bags`` boostings on levels, each with its own draw of statistics at each split."""
    settings = asdict(config)
    bags = settings.pop("bags")
    weights = weights * (len(weights) / weights.sum())
    # scikit-learn fails on a statistic that no crop has; one that is the same in all parts none.
    unknown = np.isnan(levels).all(axis=0)
    levels = np.where(unknown, np.float32(0), levels) if unknown.any() else levels
    return [
        HistGradientBoostingClassifier(
            **settings, early_stopping=False, random_state=1000 * seed + bag
        ).fit(levels, labels, sample_weight=weights)
        for bag in range(bags)
    ]
