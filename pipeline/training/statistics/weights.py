"""Weights and folds of a bank's crops, so that no page and no bandwidth tells the classes apart.

Enters: the bank's table, one row a crop. Leaves: a weight or a fold for each.
"""

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable
from inspect import signature
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.cluster.hierarchy import DisjointSet

KIND_SHARES = {"real": 0.5, "ai": 0.34, "codec": 0.16}
"""Of the total weight."""


def parsed_weighting(settings: Iterable[str]) -> dict[str, Any]:
    """Arguments of ``crop_weights`` from ``name=value`` texts.

    Raises:
      ValueError: no such name, or no such number.
    """
    known = [
        name for name in signature(crop_weights).parameters if name not in ("table", "missing")
    ]
    found: dict[str, Any] = {}
    for one in settings:
        name, _, text = one.partition("=")
        if name not in known:
            raise ValueError(f"--weighting {one}: use one of {', '.join(known)}")
        try:
            value = float(text)
        except ValueError as error:
            raise ValueError(f"--weighting {one}: not a number") from error
        if not 0 <= value < math.inf:
            raise ValueError(f"--weighting {one}: use a number from 0")
        found[name] = int(value) if name.endswith("_bins") else value
    return found


def crop_weights(
    table: pd.DataFrame,
    missing: NDArray[np.intp],
    evenness: float = 0.5,
    bandwidth_bins: int = 6,
    plain_share: float = 0.5,
    rate_bins: bool = True,
) -> NDArray[np.float64]:
    """Weight of each crop.

    Args:
      table: columns ``kind``, ``source``, ``generator``, ``section``, ``sample_rate``.
      missing: how many bands of each crop are empty, ``[crops]``.
      evenness: 0 weighs crops alike, 1 sources and generators alike.
      bandwidth_bins: crops of like bandwidth form a bin, and in each both classes weigh alike;
        then what is missing says nothing. 0 for none.
      rate_bins: of the crops as they are, classes weigh alike among the files of like sample rate.
      plain_share: weight of a window as it is against a crop through a random chain.
    """
    as_is = table.section.isin(("plain", "audit")).to_numpy()
    weight = np.where(as_is, plain_share, 1.0)
    page = table.kind + "/" + table.generator + "/" + table.source
    for key in (page, table.kind + "/" + np.where(table.generator == "", page, table.generator)):
        total = pd.Series(weight).groupby(key.to_numpy()).transform("sum").to_numpy()
        weight = weight * total ** (-evenness / 2)
    kind = table.kind.to_numpy()
    for name, share in KIND_SHARES.items():
        own = kind == name
        if own.any():
            weight[own] *= share / weight[own].sum()
    if bandwidth_bins:
        edges = np.unique(np.quantile(missing, np.linspace(0, 1, bandwidth_bins + 1)[1:-1]))
        bin_ = np.searchsorted(edges, missing, side="left")
        for one in np.unique(bin_):
            _balance(weight, bin_ == one, kind == "real")
    if rate_bins:
        lattice = np.digitize(table.sample_rate, (44_100, 48_000))
        for one in range(3):
            _balance(weight, as_is & (lattice == one), kind == "real")
    return weight / weight.sum()


def _balance(
    weight: NDArray[np.float64], inside: NDArray[np.bool_], real: NDArray[np.bool_]
) -> None:
    """Bring both classes ``inside`` to one total, by a factor of 4 at most."""
    both = weight[inside].sum()
    for side in (inside & real, inside & ~real):
        if side.any():
            weight[side] *= np.clip(both / 2 / weight[side].sum(), 0.25, 4)


def assign_folds(tracks: pd.DataFrame, folds: int, seed: int) -> NDArray[np.intp]:
    """Fold of each track; what belongs together is never parted.

    Together are: a source; the sources of one family (first word of their names); the versions of
    one piece; and, but for commercial generators, all that one generator made. Of a commercial
    generator whole accounts are left out: its other songs are there to be learnt, as in use.

    Args:
      tracks: columns ``source``, ``generator``, ``pair``, ``kind``, ``commercial``, ``recorded``.
      folds: how many.
      seed: of the order in which groups are dealt.
    """
    together: DisjointSet = DisjointSet()
    for row in tracks.itertuples():
        keys = [("family", row.source.split("-")[0])]
        if row.generator and not row.commercial:
            keys.append(("generator", row.generator))
        if row.pair:
            keys.append(("pair", row.pair))
        if row.commercial:
            keys = keys[1:]  # whole accounts are left out, not the family of their names
        source = ("source", row.source)
        together.add(source)
        for key in keys:
            together.add(key)
            together.merge(source, key)
    group = [together[("source", source)] for source in tracks.source]
    what = np.where(tracks.commercial, "commercial", tracks.kind + tracks.recorded.astype(str))
    members: dict[Hashable, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for one, name in zip(group, what, strict=True):
        members[one][name] += 1
    totals = pd.Series(what).value_counts().to_dict()
    rng = np.random.default_rng(seed)
    order = sorted(members, key=lambda g: -sum(members[g].values()) * rng.uniform(0.5, 1.5))
    filled: list[dict[str, float]] = [defaultdict(float) for _ in range(folds)]
    fold_of: dict[Hashable, int] = {}
    for one in order:
        load = [
            sum(members[one][name] * fold[name] / totals[name] ** 2 for name in members[one])
            + 1e-4 * rng.random()
            for fold in filled
        ]
        fold_of[one] = int(np.argmin(load))
        for name, count in members[one].items():
            filled[fold_of[one]][name] += count
    return np.array([fold_of[one] for one in group])
