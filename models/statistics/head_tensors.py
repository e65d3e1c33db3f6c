"""What the heads on forensic statistics share: tensors of a part, and what is typical of people.

Enters: untrusted tensors by name, or a start and contributions. Leaves: those of one prefix, a
checked ``typical``, or the account less what is typical.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artifactnet.models.statistics.boosted_trees import LARGEST_VALUE

TYPICAL = "typical"
"""float32 ``[features]``: what each statistic adds in music by people, on average."""


def part(tensors: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    """Those of ``tensors`` that begin with ``prefix``, by the rest of their names."""
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}


def typical_of(
    tensors: Mapping[str, NDArray[Any]], features: int, owner: str
) -> NDArray[np.float32] | None:
    """``TYPICAL`` of untrusted ``tensors``; ``None`` where there is none.

    Raises:
      ValueError: of ``owner``, it is no ``features`` finite float32 numbers within bounds.
    """
    typical = tensors.get(TYPICAL)
    if typical is not None and not (
        typical.shape == (features,)
        and typical.dtype == np.float32
        and (np.abs(typical) <= LARGEST_VALUE).all()
    ):
        raise ValueError(f"{owner}: typical must be {features} finite numbers")
    return typical


def less_typical(
    start: float, parts: NDArray[np.float64], typical: NDArray[np.float32] | None
) -> tuple[float, NDArray[np.float64]]:
    """``start`` and contributions ``[segments, features]``, told from music by people.

    Their sums stay; without ``typical`` so do they.
    """
    if typical is None:
        return start, parts
    return start + float(typical.sum(dtype=np.float64)), parts - typical
