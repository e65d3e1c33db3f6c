"""Several DoFns as one, for engines that carry out a stage for all elements before the next begins.

Enters: what the first one takes. Leaves: what the last one yields. Beam's portable runners fuse
stages that nothing shuffles between: an element goes all the way before the next one starts. Where
they don't, the sound of every track of a partition is in memory at once.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import apache_beam as beam


class FusedDoFn(beam.DoFn):
    """Sends every element through all of ``dofns`` before it takes the next.

    Args:
      dofns: in order; ``process`` of each takes an element alone, and ``finish_bundle`` yields
        nothing.
    """

    def __init__(self, dofns: Sequence[beam.DoFn]) -> None:
        self._dofns = tuple(dofns)

    def setup(self) -> None:
        """Set all up."""
        for dofn in self._dofns:
            dofn.setup()

    def start_bundle(self) -> None:
        """Start a bundle of each."""
        for dofn in self._dofns:
            dofn.start_bundle()

    def process(self, element: Any) -> Iterator[Any]:
        """Yield what comes out at the end."""
        yield from self._through(element, 0)

    def _through(self, element: Any, place: int) -> Iterator[Any]:
        if place == len(self._dofns):
            yield element
            return
        for one in self._dofns[place].process(element) or ():
            yield from self._through(one, place + 1)

    def finish_bundle(self) -> None:
        """Finish the bundle of each.

        Raises:
          TypeError: one yields elements there, which would be lost.
        """
        for dofn in self._dofns:
            if dofn.finish_bundle() is not None:
                raise TypeError(f"{type(dofn).__name__}.finish_bundle yields, and can't be fused")

    def teardown(self) -> None:
        """Tear all down."""
        for dofn in self._dofns:
            dofn.teardown()
