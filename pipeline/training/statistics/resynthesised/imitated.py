"""Crops of human music through cheap imitations of decoders, beside each its matched original.

Enters: the tracks of a bank. Leaves: the section ``imitations`` of the bank, see
``section.py`` and ``decoders/imitations.py``.

Run as
``python -m artifactnet.pipeline.training.statistics.resynthesised.imitated BANK --manifest ...``.
"""

import numpy as np
import typer
from numpy.typing import NDArray

from artifactnet.pipeline.training.decoders.imitations import IMITATIONS as KINDS
from artifactnet.pipeline.training.statistics.crop_table import IMITATIONS
from artifactnet.pipeline.training.statistics.resynthesised.section import (
    Halves,
    command,
    levelled,
)


def halves(audio: NDArray[np.float32], sample_rate: int, rng: np.random.Generator) -> Halves:
    """A crop and an imitation of it, of a kind that is drawn; see ``Resynthesis``."""
    kind = KINDS[int(rng.integers(len(KINDS)))]
    fake = kind(audio, sample_rate, rng)
    return levelled(audio, fake, sample_rate, f"imitation-{kind.__name__}")


if __name__ == "__main__":
    typer.run(command(IMITATIONS, halves, salt="pseudo", seed=21, usual=1_600))
