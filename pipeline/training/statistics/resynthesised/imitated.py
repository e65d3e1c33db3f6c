"""Crops of human music through cheap imitations of decoders, beside each its matched original.

Enters: the tracks of a bank. Leaves: the section ``imitations`` of the bank, see
``section.py`` and ``decoders/imitations.py``.

Run as
``python -m artifactnet.pipeline.training.statistics.resynthesised.imitated BANK --manifest ...``.
"""

import warnings
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from artifactnet.pipeline.training.decoders.imitations import IMITATIONS as KINDS
from artifactnet.pipeline.training.statistics.evaluate import IMITATIONS
from artifactnet.pipeline.training.statistics.resynthesised.section import (
    Halves,
    fill_section,
    human_items,
    levelled,
)


def halves(audio: NDArray[np.float32], sample_rate: int, rng: np.random.Generator) -> Halves:
    """A crop and an imitation of it, of a kind that is drawn; see ``Resynthesis``."""
    kind = KINDS[int(rng.integers(len(KINDS)))]
    fake = kind(audio, sample_rate, rng)
    return levelled(audio, fake, sample_rate, f"imitation-{kind.__name__}")


def main(
    bank: Path,
    manifest: Annotated[Path, typer.Option(help="The corpus.")],
    full: Annotated[Path, typer.Option(help="List of tracks at full length.")],
    music: Annotated[Path, typer.Option(help="Folder with a folder of human music a source.")],
    most: Annotated[int, typer.Option(help="Tracks, drawn at random.")] = 1_600,
    worker: int = 0,
    workers: int = 1,
) -> None:
    """Fill the section ``imitations`` of a bank."""
    warnings.simplefilter("ignore")
    items = human_items(manifest, full, music, seed=21, most=most)
    fill_section(bank / IMITATIONS, items, halves, "pseudo", worker, workers)


if __name__ == "__main__":
    typer.run(main)
