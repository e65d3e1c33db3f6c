"""Which examples a step takes: every one once an epoch, in an order that the seed decides."""

import numpy as np
from numpy.typing import NDArray


class Batches:
    """Batches as a function of the step, so that a resumed run takes the same ones.

    Args:
      chosen: indices ``[n]`` to draw from; at least one.
      size: of a batch.
      seed: decides the order of every epoch.
    """

    def __init__(self, chosen: NDArray[np.intp], size: int, seed: int) -> None:
        if not len(chosen):
            raise ValueError("no example is left to train on")
        self._chosen, self._size, self._seed = chosen, size, seed
        self._epoch, self._order = -1, chosen

    def __len__(self) -> int:
        """Size of a batch."""
        return self._size

    def _at(self, position: int) -> np.intp:
        epoch, place = divmod(position, len(self._chosen))
        if epoch != self._epoch:
            rng = np.random.default_rng([self._seed, epoch])
            self._epoch, self._order = epoch, rng.permutation(self._chosen)
        return self._order[place]

    def __call__(self, step: int) -> NDArray[np.intp]:
        """Indices of step ``step``, counted from 1."""
        first = (step - 1) * self._size
        return np.array([self._at(first + place) for place in range(self._size)], np.intp)
