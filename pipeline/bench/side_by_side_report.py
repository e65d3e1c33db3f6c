"""Detectors side by side, as Markdown for people, JSON for machines, and a plot.

Enters: ``SideBySide``. Leaves: ``side_by_side.md``, ``side_by_side.json`` and ``side_by_side.png``.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from artifactnet.pipeline.bench.plots import plot_roc
from artifactnet.pipeline.bench.report import HEADINGS, number, plain_json, table
from artifactnet.pipeline.evaluation.intervals import FEWEST
from artifactnet.pipeline.evaluation.metrics import FIGURES, Metrics
from artifactnet.pipeline.evaluation.paired import PairedDifference, scored_by_all

NAME = "side_by_side"


@dataclass(frozen=True)
class DetectorResult:
    """Figures of one detector on one split; see ``Metrics`` and ``ScoredBy``."""

    split: str
    detector: str
    metrics: Metrics
    drift_mean: float
    drift_p95: float
    seconds: float
    peak_bytes: int
    errors: int


@dataclass(frozen=True)
class Compared:
    """One detector less another, on the same tracks.

    Attributes:
      first: name of the one.
      second: name of the other.
      auc: difference of their AUCs.
      auc_p: its p-value, corrected for all comparisons of the report.
      right: difference of their shares of right verdicts.
      right_p: its p-value, corrected likewise.
    """

    first: str
    second: str
    auc: PairedDifference
    auc_p: float
    right: PairedDifference
    right_p: float


@dataclass(frozen=True)
class SideBySide:
    """Everything that is reported.

    Attributes:
      command: that makes this report again.
      tracks: labelled.
      shared: of them, scored by every detector: all figures are of these.
      results: detector by detector, split by split.
      compared: the first detector against each other one.
      sources: rows of source, label, tracks, and the share called ``ai`` by each detector.
      absent: ids of a published benchmark whose audio is not there.
      left_out: lines of the manifest that are no row, repeat an id, or have no known label.
      failed: detectors that could score nothing, each with its first error.
    """

    command: str
    tracks: int
    shared: int
    results: tuple[DetectorResult, ...]
    compared: tuple[Compared, ...]
    sources: tuple[tuple[str, ...], ...]
    absent: tuple[str, ...]
    left_out: int = 0
    failed: tuple[str, ...] = ()


def markdown(report: SideBySide) -> str:
    """The report as people read it."""
    names = list(dict.fromkeys(one.detector for one in report.results))
    lines = [
        "# Detectors side by side",
        "",
        f"Made by `{report.command}`.",
        "",
        f"{report.shared} of {report.tracks} labelled tracks were scored by every detector, and",
        "all figures are of these: the same windows, through the same codecs, each detector at the",
        "threshold that it comes with. In brackets 95 % intervals: exact for rates, by bootstrap",
        f"for the rest, versions of a piece together; no figure below {FEWEST} tracks of a class.",
        "",
        *table(
            ["split", "detector", "ai", "real", *HEADINGS.values()],
            [
                [
                    one.split, one.detector, str(one.metrics.tracks_ai),
                    str(one.metrics.tracks_real), *(one.metrics.shown(name) for name in FIGURES),
                ]
                for one in report.results
            ],
        ),
        "",
        *table(
            ["detector", "drift mean", "drift p95", "s a track", "peak MB", "could not score"],
            [
                [
                    one.detector, number(one.drift_mean), number(one.drift_p95),
                    number(one.seconds, 2), f"{one.peak_bytes / 1e6:.0f}" if one.peak_bytes else
                    "", str(one.errors),
                ]
                for one in report.results[: len(names)]
            ],
        ),
        "",
    ]  # fmt: skip
    if report.left_out:
        lines += [f"Lines that are no row of their own with a label: {report.left_out}.", ""]
    lines += [f"Could score nothing: {one}" for one in report.failed]
    lines += [""] if report.failed else []
    if not report.compared and len(names) > 1:
        lines += [f"No comparison in pairs: fewer than {FEWEST} tracks of a class.", ""]
    if report.compared:
        lines += [
            f"{report.compared[0].first} less each of the others, on the same tracks. AUC: DeLong,",
            "versions of a piece as one. Right verdicts: McNemar, exact. p is corrected for all of",
            "these comparisons (Holm).",
            "",
            *table(
                ["less", "AUC", "p", "right verdicts", "p"],
                [
                    [one.second, str(one.auc), f"{one.auc_p:.2g}", str(one.right),
                     f"{one.right_p:.2g}"]
                    for one in report.compared
                ],
            ),
            "",
        ]  # fmt: skip
    if report.absent:
        lines += [f"Tracks whose audio is not there: {len(report.absent)}.", ""]
    if any(one.metrics.tracks_ai and one.metrics.tracks_real for one in report.results):
        lines += [f"![ROC of each detector]({NAME}.png)", ""]
    lines += ["Share called ai, by source:", ""]
    lines += table(["source", "label", "tracks", *names], [list(row) for row in report.sources])
    return "\n".join([*lines, ""])


def write_side_by_side(
    report: SideBySide,
    is_ai: NDArray[np.bool_],
    scores: Mapping[str, NDArray[np.float64]],
    folder: Path,
) -> None:
    """Write the report into ``folder``."""
    (folder / f"{NAME}.md").write_text(markdown(report))
    content = json.dumps(plain_json(asdict(report)), indent=2)
    (folder / f"{NAME}.json").write_text(content + "\n")
    if is_ai.any() and not is_ai.all():
        shared = scored_by_all(scores.values())
        theirs = {name: score[shared] for name, score in scores.items()}
        plot_roc(is_ai[shared], theirs, folder / f"{NAME}.png", "Detectors side by side")
