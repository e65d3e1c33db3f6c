"""Which forensic statistics belong to which band.

Enters: names of statistics. Leaves: for each of the 24 fine bands the indices of what was measured
in it, in one order for all bands, and the indices of what belongs to no band. A statistic of other
bands counts for each fine band whose middle lies in its own; on an edge, in the lower.
"""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from artifactnet.models.statistics.forensic_statistics import COARSE_EDGES, FINE_EDGES
from artifactnet.models.statistics.tonal_cells import TONAL_EDGES

EDGES = {len(edges) - 1: edges for edges in (COARSE_EDGES, FINE_EDGES, TONAL_EDGES)}
"""Hz, by the number of bands."""
OF_BAND = re.compile(r"(?P<group>\w+)/b(?P<band>\d+)/(?P<statistic>\w+)")
OF_PAIR = re.compile(r"b(?P<low>\d+)/b(?P<high>\d+)")


@dataclass(frozen=True, eq=False)
class BandLayout:
    """Indices into the inputs of a network, which are its statistics and then what is missing.

    Attributes:
      cells: int64 ``[bands, measured]``; ``inputs`` where a band lacks what others have.
      rest: int64 ``[others]``, what belongs to no band.
      inputs: how many there are.
    """

    cells: NDArray[np.int64]
    rest: NDArray[np.int64]
    inputs: int


def band_layout(names: Sequence[str], flagged: Sequence[int]) -> BandLayout:
    """The layout of statistics ``names``.

    Args:
      names: ``group/bBAND/statistic``, or ``group/bBAND/bBAND`` for what two fine bands share;
        all others belong to no band.
      flagged: indices of statistics whose absence is an input of its own: one of each fine band,
        or none.

    Raises:
      ValueError: as many bands as nobody knows the edges of, or flags for some bands only.
    """
    fine = len(FINE_EDGES) - 1
    if len(flagged) not in (0, fine):
        raise ValueError(f"{len(flagged)} statistics are flagged, not one of each of {fine} bands")
    absent = len(names) + len(flagged)
    index = {name: place for place, name in enumerate(names)}
    groups: dict[str, dict[str, int]] = {}
    apart = set()
    rest = []
    for place, name in enumerate(names):
        group, _, within = name.partition("/")
        if pair := OF_PAIR.fullmatch(within):
            apart.add((group, int(pair["high"]) - int(pair["low"])))
        elif found := OF_BAND.fullmatch(name):
            bands = groups.setdefault(group, {})
            bands[found["statistic"]] = max(
                bands.get(found["statistic"], 0), int(found["band"]) + 1
            )
        else:
            rest.append(place)
    middle = [(low + high) / 2 for low, high in itertools.pairwise(FINE_EDGES)]
    columns = []
    for group, statistics in groups.items():
        for statistic, count in statistics.items():
            if count not in EDGES:
                raise ValueError(f"{group}: {count} bands, whose edges nobody knows")
            around = np.searchsorted(EDGES[count], middle, side="left") - 1
            columns.append([index[f"{group}/b{band}/{statistic}"] for band in around])
    for group, distance in sorted(apart):
        for low in (0, -distance):  # with the band above, with the band below
            columns.append([
                index.get(f"{group}/b{band + low}/b{band + low + distance}", absent)
                for band in range(fine)
            ])  # fmt: skip
    if flagged:
        columns.append([len(names) + place for place in range(len(flagged))])
    return BandLayout(np.array(columns, np.int64).T, np.array(rest, np.int64), absent)
