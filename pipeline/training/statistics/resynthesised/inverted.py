"""Crops of human music whose phases were found anew, beside each its matched original.

Enters: the tracks of a bank. Leaves: the section ``griffin_lim`` of the bank, see ``section.py``
and ``decoders/griffin_lim.py``.

Run as
``python -m artifactnet.pipeline.training.statistics.resynthesised.inverted BANK --manifest ...``.
"""

import warnings
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from artifactnet.pipeline.training.decoders.griffin_lim import griffin_lim
from artifactnet.pipeline.training.statistics.phases import GRIFFIN_LIM
from artifactnet.pipeline.training.statistics.resynthesised.section import (
    Halves,
    fill_section,
    human_items,
    levelled,
)


def halves(audio: NDArray[np.float32], sample_rate: int, rng: np.random.Generator) -> Halves:
    """A crop and what Griffin and Lim's iterations make of its magnitudes; see ``Resynthesis``."""
    real, fake, rate = griffin_lim(audio, sample_rate, rng)
    return levelled(real, fake, rate, "griffin-lim")


def main(
    bank: Path,
    manifest: Annotated[Path, typer.Option(help="The corpus.")],
    full: Annotated[Path, typer.Option(help="List of tracks at full length.")],
    music: Annotated[Path, typer.Option(help="Folder with a folder of human music a source.")],
    most: Annotated[int, typer.Option(help="Tracks, drawn at random.")] = 1_400,
    worker: int = 0,
    workers: int = 1,
) -> None:
    """Fill the section ``griffin_lim`` of a bank."""
    warnings.simplefilter("ignore")
    items = human_items(manifest, full, music, seed=23, most=most)
    fill_section(bank / GRIFFIN_LIM, items, halves, "gl", worker, workers)


if __name__ == "__main__":
    typer.run(main)
