"""Crops of human music that published vocoders resynthesised, and beside each its matched original.

Enters: the tracks of a bank, and vocoders (``decoders/vocoders.py``). Leaves: the section
``vocoders`` of the bank, see ``section.py``. A vocoder of 22 kHz serves as one of 18 to 44
kHz too, by a rate that is not its own.

Run as
``python -m artifactnet.pipeline.training.statistics.resynthesised.vocoded BANK PACKAGES ...``.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import soxr
import torch
import typer
from numpy.typing import NDArray

from artifactnet.pipeline.training.decoders.vocoders import Vocoder, load_vocoders
from artifactnet.pipeline.training.statistics.crop_table import VOCODERS
from artifactnet.pipeline.training.statistics.resynthesised.section import (
    Halves,
    fill_section,
    human_items,
    levelled,
)

Audio = NDArray[np.float32]
OWN_RATE = 2 / 3
"""Share of crops that a vocoder gets at its own rate; the rest at 0.8 to 2 times."""


def halves(
    audio: Audio, sample_rate: int, vocoders: Sequence[Vocoder], rng: np.random.Generator
) -> Halves:
    """A crop and its resynthesis by one of ``vocoders``.

    Args:
      audio: mono ``[samples]``.
      sample_rate: of ``audio``.
      vocoders: of which one makes the fake half.
      rng: draws vocoder, rate and level.
    """
    vocoder = vocoders[int(rng.integers(len(vocoders)))]
    factor = 1.0 if rng.random() < OWN_RATE else float(2 ** rng.uniform(np.log2(0.8), 1))
    rate = round(vocoder.shape.sample_rate * factor)
    real = soxr.resample(audio, sample_rate, rate) if rate != sample_rate else audio
    fake = vocoder(real * (float(rng.uniform(0.3, 0.95)) / float(np.abs(real).max())))
    real = real[: len(fake)]
    if rate > sample_rate:  # above the crop's own band only the vocoder would sound
        real, fake = (soxr.resample(one, rate, sample_rate) for one in (real, fake))
        rate = sample_rate
    return levelled(real, fake, rate, vocoder.name)


def main(
    bank: Path,
    packages: Annotated[Path, typer.Argument(help="Unpacked packages with vocoders.")],
    manifest: Annotated[Path, typer.Option(help="The corpus.")],
    full: Annotated[Path, typer.Option(help="List of tracks at full length.")],
    music: Annotated[Path, typer.Option(help="Folder with a folder of human music a source.")],
    most: Annotated[int, typer.Option(help="Tracks, drawn at random.")] = 1_400,
) -> None:
    """Fill the section ``vocoders`` of a bank."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    vocoders = sorted(load_vocoders(packages), key=lambda one: one.name)
    items = human_items(manifest, full, music, seed=20, most=most)

    def one_of_them(audio: Audio, sample_rate: int, rng: np.random.Generator) -> Halves:
        return halves(audio, sample_rate, vocoders, rng)

    fill_section(bank / VOCODERS, items, one_of_them, "voc 0")


if __name__ == "__main__":
    typer.run(main)
