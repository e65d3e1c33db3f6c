"""Crops of human music that published vocoders resynthesised, and beside each its matched original.

Enters: the tracks of a bank, and vocoders (``decoders/vocoders.py``). Leaves: the section
``vocoders`` of the bank: of each human track one crop out of a vocoder, and the same crop at the
same rate without it, each through a random chain of its own. A vocoder of 22 kHz serves as one of
18 to 44 kHz too, by a rate that is not its own. A run goes on where the last one stopped.

Run as ``python -m artifactnet.pipeline.training.statistics.vocoded BANK PACKAGES --manifest ...``.
"""

import time
import warnings
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import numpy as np
import soxr
import torch
import typer
from numpy.typing import NDArray

from artifactnet.pipeline.training.decoders.vocoders import Vocoder, load_vocoders
from artifactnet.pipeline.training.statistics.bank import (
    SHORTEST_SECONDS,
    WINDOW_SECONDS,
    Row,
    finished,
    measured,
    open_track,
    store,
)
from artifactnet.pipeline.training.statistics.crops import draw, pass_through
from artifactnet.pipeline.training.statistics.evaluate import VOCODERS
from artifactnet.pipeline.training.statistics.tracks import Item, all_items
from artifactnet.transforms.audio.windows import mono_window

Audio = NDArray[np.float32]
OWN_RATE = 2 / 3
"""Share of crops that a vocoder gets at its own rate; the rest at 0.8 to 2 times."""
SHARD_ROWS = 100


def rms(audio: NDArray) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(audio, dtype=np.float64))))


def halves(
    audio: Audio, sample_rate: int, vocoder: Vocoder, rng: np.random.Generator
) -> tuple[Audio, Audio, int]:
    """A crop and its resynthesis, of one length, rate, bandwidth and level; and that rate in Hz.

    Args:
      audio: mono ``[samples]``.
      sample_rate: of ``audio``.
      vocoder: that makes the fake half.
      rng: draws rate and level.
    """
    factor = 1.0 if rng.random() < OWN_RATE else float(2 ** rng.uniform(np.log2(0.8), 1))
    rate = round(vocoder.shape.sample_rate * factor)
    real = soxr.resample(audio, sample_rate, rate) if rate != sample_rate else audio
    fake = vocoder(real * (float(rng.uniform(0.3, 0.95)) / float(np.abs(real).max())))
    real = real[: len(fake)]
    if rate > sample_rate:  # above the crop's own band only the vocoder would sound
        real, fake = (soxr.resample(one, rate, sample_rate) for one in (real, fake))
        rate = sample_rate
    fake = fake - fake.mean()
    fake = fake * (rms(real) / (rms(fake) + 1e-9))
    top = max(float(np.abs(real).max()), float(np.abs(fake).max()), 1.0)
    return (real / top).astype(np.float32), (fake / top).astype(np.float32), rate


def crops_of(item: Item, vocoders: Sequence[Vocoder]) -> Iterator[Row]:
    """A fake crop and its matched original; none of a track that is short or silent there."""
    rng = np.random.default_rng(zlib.crc32(f"{item.track_id} voc 0".encode()))
    reader = open_track(item.path)
    info = reader.info
    start = float(rng.random()) * max(0.0, info.duration - WINDOW_SECONDS)
    samples = reader.read(start, WINDOW_SECONDS)
    reader.close()
    if len(samples) < SHORTEST_SECONDS * info.sample_rate or np.abs(samples).max() < 1e-3:
        return
    audio = mono_window(samples, info.sample_rate, info.sample_rate, len(samples))
    vocoder = vocoders[int(rng.integers(len(vocoders)))]
    real, fake, rate = halves(audio, info.sample_rate, vocoder, rng)
    known = asdict(item) | {
        "commercial": False, "recorded": False, "sample_rate": info.sample_rate,
        "seconds": info.duration, "round": 0, "start": start,
    }  # fmt: skip
    of_fake = {"label": "ai", "kind": "codec", "generator": vocoder.name}
    for half, own in ((fake, of_fake), (real, {"label": "real", "kind": "real", "generator": ""})):
        passed, chain = pass_through(half[:, None], rate, draw(rng), rng)
        yield measured(passed, known | own, chain)


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
    folder = bank / VOCODERS
    folder.mkdir(parents=True, exist_ok=True)
    done = finished(folder)
    vocoders = sorted(load_vocoders(packages), key=lambda one: one.name)
    human = [item for item in all_items(manifest, full, music) if item.label == "real"]
    human.sort(key=lambda item: item.track_id)
    order = np.random.default_rng(20).permutation(len(human))[:most]
    rows: list[Row] = []
    tracks: list[tuple[str, int]] = []
    begin, crops = time.monotonic(), 0
    for number, place in enumerate(order, start=1):
        item = human[place]
        if (item.track_id, 0) not in done:
            try:
                found = list(crops_of(item, vocoders))
                rows += found
                crops += len(found)
            except Exception as error:  # one bad track must not end a run of hours
                print(f"{item.track_id}: {type(error).__name__}: {error}"[:200], flush=True)
            tracks.append((item.track_id, 0))
        if len(rows) >= SHARD_ROWS or number == len(order):
            store(folder, 0, rows, tracks, True)
            rows, tracks = [], []
            rate = crops / (time.monotonic() - begin)
            print(
                f"{number} of {len(order)} tracks, {crops} crops, {rate:.2f} a second", flush=True
            )


if __name__ == "__main__":
    typer.run(main)
