"""Crops of human music whose phases were found anew, beside each its matched original.

Enters: the tracks of a bank. Leaves: the section ``griffin_lim`` of the bank, see ``section.py``
and ``decoders/griffin_lim.py``.

Run as
``python -m artifactnet.pipeline.training.statistics.resynthesised.inverted BANK --manifest ...``.
"""

import numpy as np
import typer
from numpy.typing import NDArray

from artifactnet.pipeline.training.decoders.griffin_lim import griffin_lim
from artifactnet.pipeline.training.statistics.learning.phases import GRIFFIN_LIM
from artifactnet.pipeline.training.statistics.resynthesised.section import (
    Halves,
    command,
    levelled,
)


def halves(audio: NDArray[np.float32], sample_rate: int, rng: np.random.Generator) -> Halves:
    """A crop and what Griffin and Lim's iterations make of its magnitudes; see ``Resynthesis``."""
    real, fake, rate = griffin_lim(audio, sample_rate, rng)
    return levelled(real, fake, rate, "griffin-lim")


if __name__ == "__main__":
    typer.run(command(GRIFFIN_LIM, halves, salt="gl", seed=23, usual=1_400))
