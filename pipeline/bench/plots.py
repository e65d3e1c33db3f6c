"""Plots of a bench run.

Enters: labels, ``BenchTracks``, baseline scores and source results.
Leaves: ``roc.png`` (log FPR axis), ``sources.png``, ``drift.png`` and ``reliability.png``.
"""

from collections.abc import Mapping
from itertools import cycle
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.calibration import calibration_curve
from sklearn.metrics import roc_curve

from artifactnet.pipeline.bench.audited import BenchTracks
from artifactnet.pipeline.bench.sources import (
    FEWEST_TRUE_POSITIVES,
    MOST_DRIFT,
    MOST_FALSE_POSITIVES,
    SourceResult,
)

mpl.use("agg")


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=120, bbox_inches="tight")


LINES = ("-", "--", "-.", ":")
"""Told apart without colour too."""


def plot_roc(
    is_ai: NDArray[np.bool_],
    scores: Mapping[str, NDArray[np.float64]],
    path: Path,
    title: str = "ROC",
) -> None:
    """ROC of each scorer on a logarithmic axis of false positives, down to one real track."""
    figure = Figure(figsize=(7, 5))
    axes = figure.subplots()
    least = 0.5 / max(1, int((~is_ai).sum()))
    for style, (name, score) in zip(cycle(LINES), scores.items(), strict=False):
        false, true, _ = roc_curve(is_ai, score)
        axes.step(np.maximum(false, least), true, style, where="post", label=name)
    axes.axvline(0.01, color="grey", linewidth=0.8, linestyle=":")
    axes.set(xscale="log", xlim=(least, 1), ylim=(0, 1.01))
    axes.set(xlabel="false-positive rate", ylabel="true-positive rate", title=title)
    axes.legend(loc="lower right", fontsize=8)
    axes.grid(alpha=0.3)
    _save(figure, path)


def plot_sources(results: list[SourceResult], path: Path) -> None:
    """Share called ``ai`` by source, with the pass marks."""
    figure = Figure(figsize=(7, 0.22 * len(results) + 1.5))
    axes = figure.subplots()
    names = [f"{result.source} ({result.tracks})" for result in results]
    colours = ["tab:red" if result.label == "ai" else "tab:green" for result in results]
    axes.barh(names, [result.called_ai for result in results], color=colours)
    axes.axvline(FEWEST_TRUE_POSITIVES, color="tab:red", linestyle=":", label="least TPR")
    axes.axvline(MOST_FALSE_POSITIVES, color="tab:green", linestyle=":", label="most FPR")
    axes.set(xlim=(0, 1), xlabel="share called ai", title="Generators (red), real (green)")
    axes.invert_yaxis()
    axes.margins(y=0.01)
    axes.tick_params(axis="y", labelsize=7)
    axes.legend(loc="lower right")
    _save(figure, path)


def plot_drift(tracks: BenchTracks, path: Path) -> None:
    """Histogram of the codec drift of each class."""
    figure = Figure(figsize=(7, 4))
    axes = figure.subplots()
    bins = np.linspace(0, 1, 41).tolist()
    for is_ai, name in ((True, "generated"), (False, "real")):
        drift = tracks.drift[tracks.is_ai == is_ai]
        axes.hist(drift[~np.isnan(drift)], bins, alpha=0.6, label=name)
    axes.axvline(MOST_DRIFT, color="grey", linestyle=":", label="pass mark")
    axes.set(xlabel="codec drift", ylabel="tracks", title="Largest change of a score by a codec")
    axes.legend()
    _save(figure, path)


def plot_reliability(tracks: BenchTracks, path: Path) -> None:
    """Share of generated tracks against the score."""
    figure = Figure(figsize=(5, 5))
    axes = figure.subplots()
    share, score = calibration_curve(tracks.is_ai, tracks.score, n_bins=10)
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":")
    axes.plot(score, share, marker="o")
    axes.set(
        xlim=(0, 1), ylim=(0, 1), xlabel="P(AI)", ylabel="share generated", title="Reliability"
    )
    _save(figure, path)
