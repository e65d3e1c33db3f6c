"""Do statistics of tonal cells and of the valleys between them add to those that the head reads?

Enters: a bank, its random crops with their sound. Leaves: ``OUT/tonal-SECTION.npz``, then on
standard output figures of heads that learnt from the statistics of the one that ships, and from
both, by folds of unseen generators and sources.

A partial that an instrument plays goes on from frame to frame as it must; one that a decoder has
drawn trembles in phase, place and level. Between partials lies noise, or what a decoder fills in.

Run as ``python -m artifactnet.pipeline.experiments.tonal_statistics BANK OUT``.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from numpy.typing import NDArray
from rich.progress import track as progress
from scipy.ndimage import uniform_filter1d
from sklearn.metrics import roc_auc_score

from artifactnet.models.statistics.forensic_statistics import (
    LONG_FFT,
    LONG_HOP,
    SAMPLE_RATE,
    Array,
    Spectrum,
    at_percentiles,
    band_bins,
    levelled,
    sounding_bins,
    transform,
)
from artifactnet.models.whole_file import whole_file
from artifactnet.pipeline.training.distillation.bank_sound import BankSound
from artifactnet.pipeline.training.statistics.bank import WINDOW_SECONDS, mono_window, open_track
from artifactnet.pipeline.training.statistics.evaluate import (
    by_track,
    figures,
    load,
    out_of_fold,
)
from artifactnet.pipeline.training.statistics.heads import parsed_config

EDGES = (200, 500, 900, 1400, 2000, 2800, 3800, 5000, 6400, 8000, 10_000, 13_000, 16_200)
"""Hz; 12 bands."""
LEAST_CELLS = 30
"""Of a kind in a band, below which it has no statistics."""
PROMINENCE = 1.5
"""Nepers by which a tonal cell is above the mean of those four to six bins away."""
QUARTILES = (25, 50, 75)
A_BAND = 24
COUNT = (len(EDGES) - 1) * A_BAND


def of_spectrum(spectrum: Spectrum, sounding: NDArray[np.bool_]) -> Array:
    """Statistics ``[bands, 24]`` of local maxima and minima over frequency.

    Of tonal cells: log share of all cells; quartiles of the height over the bins one and two away;
    of the second difference of the phase over time; of the distance between the frequency by phase
    and by the parabola through the maximum; of the change of the phase step from bin to bin; of
    the second difference of the level. Of minima: share, depth (10, 50, 90 %), median width.

    Args:
      spectrum: of the long transform.
      sounding: of each bin, whether it holds sound.
    """
    log, cells = spectrum.log_magnitude, spectrum.cells
    result = np.full((len(EDGES) - 1, A_BAND), np.nan, np.float32)
    edge = 6
    inner = log[edge:-edge, 1:-1]

    def beside(bins: int) -> Array:
        return log[edge + bins : len(log) - edge + bins, 1:-1]

    heard = sounding[: len(log)][edge:-edge, None]
    around = np.mean([beside(bins) for bins in (-6, -5, -4, 4, 5, 6)], axis=0)
    nearest = np.max([beside(bins) for bins in (-2, -1, 1, 2)], axis=0)
    peaks = (inner > nearest) & (inner - around > PROMINENCE) & heard
    valleys = (inner < np.minimum(beside(-1), beside(1))) & heard

    k, t = (at + shift for at, shift in zip(peaks.nonzero(), (edge, 1), strict=True))
    below, top, above = log[k - 1, t], log[k, t], log[k + 1, t]
    offset = np.clip(0.5 * (below - above) / (below - 2 * top + above - 1e-9), -0.5, 0.5)
    unit = cells * np.exp(-log)
    step = unit[k, t] * unit[k, t - 1].conj()
    expected = np.exp(-2j * np.pi * LONG_HOP * k / LONG_FFT)
    by_phase = np.angle(step * expected) * LONG_FFT / (2 * np.pi * LONG_HOP)
    delay = np.angle(-unit[k + 1, t] * unit[k, t].conj())
    measured = (
        top - 0.5 * (below + above),
        top - 0.5 * (log[k - 2, t] + log[k + 2, t]),
        np.abs(np.angle(unit[k, t + 1] * unit[k, t].conj() * step.conj())),
        np.abs(by_phase - offset),
        np.abs(np.angle(-unit[k, t] * unit[k - 1, t].conj()) - delay),
        np.abs(top - 0.5 * (log[k, t - 1] + log[k, t + 1])),
    )
    low, when = (at + shift for at, shift in zip(valleys.nonzero(), (edge, 1), strict=True))
    depth = (log - uniform_filter1d(log, 9, axis=0))[low, when]
    width = log[low, when] - 0.5 * (log[low - 2, when] + log[low + 2, when])
    for row, band in enumerate(band_bins(EDGES, spectrum.hz)):
        if sounding[band].mean() <= 0.95:
            continue
        cells_of_band = (band.stop - band.start) * (log.shape[1] - 2)
        inside = (k >= band.start) & (k < band.stop)
        result[row, 0] = np.log(inside.sum() / cells_of_band + 1e-5)
        if inside.sum() >= LEAST_CELLS:
            result[row, 1:19] = np.concatenate(
                [at_percentiles(one[inside], QUARTILES) for one in measured]
            )
        inside = (low >= band.start) & (low < band.stop)
        if inside.sum() >= LEAST_CELLS:
            result[row, 19] = inside.sum() / cells_of_band
            result[row, 20:23] = at_percentiles(depth[inside], (10, 50, 90))
            result[row, 23] = np.median(width[inside])
    return result


def tonal_statistics(audio: Array) -> Array:
    """All of them, of one window.

    Args:
      audio: mono float32 ``[samples]`` at 44.1 kHz; zeros that pad it are passed over.

    Returns:
      float32 ``[COUNT]``; NaN where there is nothing to measure.
    """
    heard = levelled(audio)
    if heard is None:
        return np.full(COUNT, np.nan, np.float32)
    spectrum = transform(heard, LONG_FFT, LONG_HOP)
    return of_spectrum(spectrum, sounding_bins(spectrum.power, spectrum.hz)).ravel()


def of_crops(bank: Path) -> tuple[Array, pd.DataFrame]:
    """Statistics and table of the random crops whose sound the bank keeps."""
    sound = BankSound(bank)
    numbers = progress(range(len(sound)), "random crops")
    return np.stack([tonal_statistics(sound.crop(number)) for number in numbers]), sound.table


def of_windows(bank: Path) -> tuple[Array, pd.DataFrame]:
    """Statistics and table of the windows that an audit takes; NaN of a file that can't be read."""
    _, table = load(bank, ("audit",))
    found = np.full((len(table), COUNT), np.nan, np.float32)
    for path, rows in progress(table.groupby("path"), "windows of an audit"):
        try:
            with open_track(str(path)) as reader:
                rate = reader.info.sample_rate
                for number, start in rows.start.items():
                    samples = reader.read(start, WINDOW_SECONDS)
                    length = int(len(samples) * SAMPLE_RATE / rate)
                    audio = mono_window(samples, rate, SAMPLE_RATE, length)
                    found[int(str(number))] = tonal_statistics(audio)
        except (OSError, ValueError) as error:
            print(f"{path}: {error}")
    return found, table


def places(table: pd.DataFrame) -> pd.Series:
    """What tells a crop from all others."""
    start, round_ = table.start.round(4).astype(str), table["round"].astype(str)
    return table.track_id + table.section + start + table.channel.fillna("") + round_


def evaluate(bank: Path, found: Array, known: NDArray, folds: int, seed: int) -> None:
    """Print what heads reach by folds: on the statistics of the one that ships, and with these."""
    features, table = load(bank, ("train", "audit"))
    at = pd.Series(np.arange(len(known)), known).groupby(level=0).first()
    row = at.reindex(places(table)).to_numpy()
    kept = ~np.isnan(row)
    features, table = features[kept], table[kept].reset_index(drop=True)
    labels = (table.label == "ai").to_numpy()
    both = np.concatenate([features, found[row[kept].astype(int)]], axis=1)
    config = parsed_config(["bags=1", "networks=3"])
    for name, inputs in (("the head's", features), ("and tonal", both)):
        logit, tracks = out_of_fold(
            inputs,
            table,
            folds=folds,
            seed=seed,
            config=config,
            weighting={},
            learnt=("train", "audit"),
        )
        print(f"{name}: {inputs.shape[1]} statistics")
        for section in ("train", "audit"):
            own = (table.section == section).to_numpy() & ~np.isnan(logit)
            print(f"  AUC of crops, {section}: {roc_auc_score(labels[own], logit[own]):.4f}")
        for figure, value in figures(by_track(logit, table, tracks), "logit_mean").items():
            print(f"  {figure}: {value:.3f}")


def main(
    bank: Annotated[Path, typer.Argument(help="With sound in its section train.")],
    output: Annotated[Path, typer.Argument(help="Folder for what is measured.")],
    folds: int = 5,
    seeds: int = 2,
) -> None:
    """Measure what isn't there yet, then evaluate."""
    output.mkdir(parents=True, exist_ok=True)
    blocks, tables = [], []
    for section, measure in (("train", of_crops), ("audit", of_windows)):
        path = output / f"tonal-{section}.npz"
        if not path.exists():
            found, table = measure(bank)
            with whole_file(path) as partial, partial.open("wb") as file:
                np.savez_compressed(file, found=found, places=places(table).to_numpy(str))
        with np.load(path) as stored:
            blocks.append(stored["found"])
            tables.append(stored["places"])
    for seed in range(seeds):
        print(f"seed {seed}")
        evaluate(bank, np.concatenate(blocks), np.concatenate(tables), folds, seed)


if __name__ == "__main__":
    typer.run(main)
