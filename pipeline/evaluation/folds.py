"""Folds in which whole generators and whole real sources are unseen.

Enters: labelled rows. Leaves: each source's fold. Sources that share a piece (``pair``) or
a family (the first word of their names, as in ``musichifi-vocoder``) are never parted.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple


class LabelledSource(NamedTuple):
    """What the folds need to know of a row."""

    source: str
    label: str
    pair: str | None


def _together(rows: list[LabelledSource]) -> dict[str, str]:
    """A representative for each source, the same for sources that belong together."""
    parent = {row.source: row.source for row in rows}

    def root(name: str) -> str:
        while parent[name] != name:
            name = parent[name]
        return name

    first: dict[str, str] = {}
    for row in rows:
        keys = [f"family {row.source.split('-')[0]}", *([f"pair {row.pair}"] if row.pair else [])]
        for key in keys:
            parent[root(row.source)] = root(first.setdefault(key, row.source))
    return {name: root(name) for name in parent}


def assign_folds(rows: Iterable[LabelledSource], folds: int) -> dict[str, int]:
    """Fold of each source, from 0, balanced by tracks of either class.

    Raises:
      ValueError: fewer than two folds, or fewer groups of sources than folds.
    """
    rows = list(rows)
    if folds < 2:
        raise ValueError(f"{folds} folds leave nothing unseen; use two or more")
    together = _together(rows)
    members: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        members[together[row.source]][row.label] += 1
    if len(members) < folds:
        raise ValueError(f"{len(members)} groups of sources can't fill {folds} folds")
    totals = Counter(row.label for row in rows)
    filled: list[Counter[str]] = [Counter() for _ in range(folds)]
    fold_of: dict[str, int] = {}
    for group in sorted(members, key=lambda g: (-members[g].total(), g)):
        # The fold that is emptiest in what this group brings.
        weight = {label: members[group][label] / totals[label] ** 2 for label in totals}
        load = [
            sum(weight[label] * fold[label] for label in totals) + 1e-6 * fold.total()
            for fold in filled
        ]
        fold_of[group] = load.index(min(load))
        filled[fold_of[group]] += members[group]
    return {source: fold_of[group] for source, group in together.items()}
