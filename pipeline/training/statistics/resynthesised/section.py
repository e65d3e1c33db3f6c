"""Crops of human music that were made anew, and beside each its matched original, as a section.

Enters: tracks, and a function that makes a fake half and a real one of a crop. Leaves: rows of a
bank: both halves, each through a random chain of its own. A run goes on where the last one stopped.
"""

import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import typer
from numpy.typing import NDArray

from artifactnet.pipeline.training.statistics.bank import (
    SHORTEST_SECONDS,
    WINDOW_SECONDS,
    Row,
    fill,
    measured,
    open_track,
)
from artifactnet.pipeline.training.statistics.crops import draw, pass_through
from artifactnet.pipeline.training.statistics.tracks import Item, all_items
from artifactnet.transforms.audio.windows import mono_window

Audio = NDArray[np.float32]
SHARD_ROWS = 100


class Halves(NamedTuple):
    """A crop and its resynthesis, of one length, rate, bandwidth and level.

    Attributes:
      real: mono float32 ``[samples]``.
      fake: of the same shape.
      sample_rate: of both, Hz.
      generator: what made the fake half.
    """

    real: Audio
    fake: Audio
    sample_rate: int
    generator: str


Resynthesis = Callable[[Audio, int, np.random.Generator], Halves]
"""``resynthesis(audio, sample_rate, rng)``."""


def rms(audio: NDArray) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(audio, dtype=np.float64))))


def levelled(real: Audio, fake: Audio, sample_rate: int, generator: str) -> Halves:
    """Both halves at the level of ``real``, or lower where one of them would clip."""
    fake = fake - fake.mean()
    fake = fake * (rms(real) / (rms(fake) + 1e-9))
    top = max(float(np.abs(real).max()), float(np.abs(fake).max()), 1.0)
    return Halves(
        (real / top).astype(np.float32), (fake / top).astype(np.float32), sample_rate, generator
    )


def human_items(manifest: Path, full: Path, music: Path, seed: int, most: int) -> list[Item]:
    """``most`` human tracks in an order that ``seed`` decides."""
    human = [item for item in all_items(manifest, full, music) if item.label == "real"]
    human.sort(key=lambda item: item.track_id)
    order = np.random.default_rng(seed).permutation(len(human))[:most]
    return [human[place] for place in order]


def crops_of(item: Item, resynthesis: Resynthesis, salt: str) -> Iterator[Row]:
    """A fake crop and its matched original; none of a track that is short or silent there."""
    rng = np.random.default_rng(zlib.crc32(f"{item.track_id} {salt}".encode()))
    with open_track(item.path) as reader:
        info = reader.info
        start = float(rng.random()) * max(0.0, info.duration - WINDOW_SECONDS)
        samples = reader.read(start, WINDOW_SECONDS)
    if len(samples) < SHORTEST_SECONDS * info.sample_rate or np.abs(samples).max() < 1e-3:
        return
    audio = mono_window(samples, info.sample_rate, info.sample_rate, len(samples))
    halves = resynthesis(audio, info.sample_rate, rng)
    known = asdict(item) | {
        "commercial": False, "recorded": False, "sample_rate": info.sample_rate,
        "seconds": info.duration, "round": 0, "start": start,
    }  # fmt: skip
    of_fake = {"label": "ai", "kind": "codec", "generator": halves.generator}
    of_real = {"label": "real", "kind": "real", "generator": ""}
    for half, own in ((halves.fake, of_fake), (halves.real, of_real)):
        passed, chain = pass_through(half[:, None], halves.sample_rate, draw(rng), rng)
        yield measured(passed, known | own, chain)


def fill_section(
    folder: Path,
    items: Iterable[Item],
    resynthesis: Resynthesis,
    salt: str,
    worker: int = 0,
    workers: int = 1,
) -> None:
    """Fill ``folder`` with both halves of a crop of each of ``items``, see ``bank.fill``.

    Args:
      folder: of the section.
      items: tracks.
      resynthesis: makes the halves.
      salt: decides, with a track's id, what is drawn.
      worker: the part of the tracks that is filled now, from 0.
      workers: how many parts there are.
    """
    fill(
        folder,
        items,
        lambda item: crops_of(item, resynthesis, salt),
        worker=worker,
        workers=workers,
        audio=True,
        shard_rows=SHARD_ROWS,
    )


def command(
    section: str, resynthesis: Resynthesis, salt: str, seed: int, usual: int
) -> Callable[..., None]:
    """A command that fills ``section`` of a bank.

    Args:
      section: its name.
      resynthesis: makes the halves.
      salt: see ``fill_section``.
      seed: see ``human_items``.
      usual: tracks, where nobody says how many.
    """

    def main(
        bank: Path,
        manifest: Annotated[Path, typer.Option(help="The corpus.")],
        full: Annotated[Path, typer.Option(help="List of tracks at full length.")],
        music: Annotated[Path, typer.Option(help="Folder with a folder of human music a source.")],
        most: Annotated[int, typer.Option(help="Tracks, drawn at random.")] = usual,
        worker: int = 0,
        workers: int = 1,
    ) -> None:
        warnings.simplefilter("ignore")
        items = human_items(manifest, full, music, seed, most)
        fill_section(bank / section, items, resynthesis, salt, worker, workers)

    main.__doc__ = f"Fill the section ``{section}`` of a bank."
    return main
