"""What unseen folds say, row by row.

Enters: tracks of all folds with the scores of the detector and of the baselines. Leaves:
``ChannelResult``, and from those ``unseen.md``, ``unseen.json`` and ``unseen.parquet``.

A row is a generator or a real source. Its AUC is against the other class of its own fold,
since only those were scored by the same detector. The thresholds of a fold are set on the
real tracks of the other folds, by the rule of ``artifactnet calibrate``.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from artifactnet.pipeline.bench.audited import BenchTracks
from artifactnet.pipeline.bench.plots import plot_drift, plot_reliability, plot_roc, plot_sources
from artifactnet.pipeline.bench.report import DETECTOR, plain_json, signed, table
from artifactnet.pipeline.bench.sources import SourceResult, by_source
from artifactnet.pipeline.evaluation.metrics import (
    Estimate,
    Metrics,
    ScoredTracks,
    auc,
    auc_difference,
    claim,
    measure,
    tpr_at,
)

AT_THRESHOLD = ("f1", "precision", "recall", "fpr")
START = "Every fold began with {}: what that learnt from, real sources above all, is not unseen."


@dataclass(frozen=True)
class UnseenRow:
    """One generator or real source, unseen by the detector that scored it.

    Attributes:
      source: generator or real source.
      label: ``ai`` or ``real``.
      fold: in which it was unseen.
      tracks: how many.
      called_ai: share with a score at the fold's threshold or above.
      auc: of each scorer, against the other class of the fold.
    """

    source: str
    label: str
    fold: int
    tracks: int
    called_ai: float
    auc: dict[str, float]


@dataclass(frozen=True)
class ChannelResult:
    """Everything about one channel.

    Attributes:
      channel: name of it.
      rows: generators first.
      pooled: figures over all tracks at the folds' thresholds.
      mean_auc: of the generators' rows, by scorer.
      worst_auc: lowest of them, by scorer.
      auc_differences: of the detector's mean AUC over that of each baseline.
      within_folds: AUC and TPR at 5 % FPR inside each fold, averaged over folds.
      fpr_recorded: false-positive rate of real sources of recorded music.
      fpr_sequenced: the same of all others.
      drift: mean, 95th percentile and largest codec drift; NaN without codecs.
      thresholds: of each fold.
      below_baseline: rows where a baseline does as well as the detector.
      tracks: of all folds.
      called_ai: by the folds' thresholds.
      scores: by scorer.
    """

    channel: str
    rows: tuple[UnseenRow, ...]
    pooled: Metrics
    mean_auc: dict[str, float]
    worst_auc: dict[str, float]
    auc_differences: dict[str, Estimate]
    within_folds: dict[str, float]
    fpr_recorded: float
    fpr_sequenced: float
    drift: tuple[float, float, float]
    thresholds: tuple[float, ...]
    below_baseline: tuple[str, ...]
    tracks: BenchTracks
    called_ai: NDArray[np.bool_]
    scores: dict[str, NDArray[np.float64]]


def _row(
    tracks: BenchTracks, own: NDArray[np.bool_], against: NDArray[np.bool_],
    called: NDArray[np.bool_], scores: Mapping[str, NDArray[np.float64]], fold: int,
) -> UnseenRow:  # fmt: skip
    is_ai = bool(tracks.is_ai[own][0])
    both = own | against
    return UnseenRow(
        source=str(tracks.source[own][0]),
        label="ai" if is_ai else "real",
        fold=fold,
        tracks=int(own.sum()),
        called_ai=float(called[own].mean()),
        auc={
            name: auc(
                ScoredTracks(tracks.is_ai[both], score[both], called[both], tracks.group[both])
            )
            for name, score in scores.items()
        },
    )


def evaluate_channel(
    channel: str,
    tracks: BenchTracks,
    fold: NDArray[np.intp],
    scores: dict[str, NDArray[np.float64]],
    fpr: float,
    confidence: float,
    recorded: frozenset[str] = frozenset(),
) -> ChannelResult:
    """Evaluate one channel.

    Args:
      channel: its name.
      tracks: of all folds.
      fold: of each track.
      scores: of the detector and of the baselines, all out of fold.
      fpr: claimed of each fold's threshold.
      confidence: of the claim.
      recorded: real sources of recorded music.

    Raises:
      ClaimError: the other folds hold too few real tracks for the claim.
    """
    real = ~tracks.is_ai
    thresholds = [
        claim(tracks.score[real & (fold != k)], fpr, confidence).threshold
        for k in range(int(fold.max()) + 1)
    ]
    called = tracks.score >= np.array(thresholds)[fold]
    rows = []
    for is_ai in (True, False):
        for source in np.unique(tracks.source[tracks.is_ai == is_ai]):
            own = (tracks.source == source) & (tracks.is_ai == is_ai)
            k = int(fold[own][0])
            against = (fold == k) & (tracks.is_ai != is_ai)
            rows.append(_row(tracks, own, against, called, scores, k))
    generators = [row for row in rows if row.label == "ai"]
    is_recorded = np.isin(tracks.source, list(recorded))
    drift = tracks.drift[~np.isnan(tracks.drift)]
    spread = (drift.mean(), np.percentile(drift, 95), drift.max()) if len(drift) else (np.nan,) * 3
    scored = ScoredTracks(tracks.is_ai, tracks.score, called, tracks.group)
    own_folds = [scored.take(np.flatnonzero(fold == k)) for k in np.unique(fold)]
    return ChannelResult(
        channel=channel,
        rows=tuple(rows),
        pooled=measure(scored),
        mean_auc={n: float(np.mean([row.auc[n] for row in generators])) for n in scores},
        worst_auc={n: float(np.min([row.auc[n] for row in generators])) for n in scores},
        auc_differences={
            name: auc_difference([scores[DETECTOR]], [other], scored, tracks.source, fold)
            for name, other in scores.items()
            if name != DETECTOR
        },
        within_folds={
            "auc": float(np.nanmean([auc(one) for one in own_folds])),
            "tpr_at_fpr_5": float(np.nanmean([tpr_at(0.05)(one) for one in own_folds])),
        },
        fpr_recorded=_share(called[real & is_recorded]),
        fpr_sequenced=_share(called[real & ~is_recorded]),
        drift=(float(spread[0]), float(spread[1]), float(spread[2])),
        thresholds=tuple(thresholds),
        below_baseline=tuple(
            row.source
            for row in generators
            if row.auc[DETECTOR] <= max(v for n, v in row.auc.items() if n != DETECTOR)
        ),
        tracks=tracks,
        called_ai=called,
        scores=scores,
    )


def _share(called: NDArray[np.bool_]) -> float:
    return float(called.mean()) if len(called) else float("nan")


def markdown(results: list[ChannelResult], start: str = "") -> str:
    """The report as people read it; ``start`` names the weights that every fold began with."""
    lines = ["# Unseen generators and sources", ""]
    for result in results:
        pooled, names = result.pooled, list(result.mean_auc)
        lines += [
            f"## {result.channel.capitalize()}",
            "",
            f"{pooled.tracks_ai} generated and {pooled.tracks_real} real tracks, each scored by "
            "the detector whose training left out its generator or source.",
            *([START.format(start)] if start else []),
            "",
            *table(
                ["", *names],
                [
                    ["mean AUC over generators", *(f"{v:.3f}" for v in result.mean_auc.values())],
                    ["worst generator", *(f"{v:.3f}" for v in result.worst_auc.values())],
                ],
            ),
            "",
            "Paired difference of the mean AUC from that of "
            + ", ".join(f"{name} {signed(one)}" for name, one in result.auc_differences.items())
            + ".",
            "",
            *table(["figure", DETECTOR], [[n, pooled.shown(n)] for n in AT_THRESHOLD]),
            "",
            "Scores of two folds have two scales. Within folds, averaged: AUC "
            f"{result.within_folds['auc']:.3f}, TPR at 5 % FPR "
            f"{result.within_folds['tpr_at_fpr_5']:.3f}.",
            "",
            f"FPR on recorded music {result.fpr_recorded:.3f}, on all other "
            f"{result.fpr_sequenced:.3f}. Codec drift: mean {result.drift[0]:.3f}, 95th percentile "
            f"{result.drift[1]:.3f}, largest {result.drift[2]:.3f}.",
            "",
            "Generators on which a baseline does as well: "
            f"{', '.join(result.below_baseline) or 'none'}.",
            "",
            *table(
                ["source", "label", "fold", "tracks", "called ai", *(f"AUC {n}" for n in names)],
                [
                    [row.source, row.label, str(row.fold), str(row.tracks), f"{row.called_ai:.3f}"]
                    + [f"{row.auc[name]:.3f}" for name in names]
                    for row in result.rows
                ],
            ),
            "",
        ]
    return "\n".join(lines)


def _figures(result: ChannelResult) -> dict:
    hidden = ("tracks", "called_ai", "scores")
    return {k: v for k, v in vars(result).items() if k not in hidden} | {
        "auc_differences": {name: asdict(one) for name, one in result.auc_differences.items()},
        "rows": [asdict(row) for row in result.rows],
        "pooled": asdict(result.pooled),
    }


def _table(result: ChannelResult) -> pa.Table:
    tracks = result.tracks
    return pa.table(
        {
            "channel": [result.channel] * len(tracks),
            "track_id": tracks.track_id,
            "label": np.where(tracks.is_ai, "ai", "real"),
            "source": tracks.source,
            "p_ai": tracks.score,
            "called_ai": result.called_ai,
            "codec_drift": tracks.drift,
            **{name: score for name, score in result.scores.items() if name != DETECTOR},
        }
    )


def _called(result: ChannelResult) -> list[SourceResult]:
    """Results by source with the folds' own thresholds in place of the weights'."""
    called = {(row.source, row.label): row.called_ai for row in result.rows}
    return [
        SourceResult(**{**vars(one), "called_ai": called[one.source, one.label]})
        for one in by_source(result.tracks)
    ]


def write_unseen(results: list[ChannelResult], folder: Path, start: str = "") -> None:
    """Write the report, its tables and, for each channel, the plots."""
    (folder / "unseen.md").write_text(markdown(results, start))
    figures = plain_json([_figures(result) for result in results])
    (folder / "unseen.json").write_text(json.dumps(figures, indent=2) + "\n")
    pq.write_table(pa.concat_tables(map(_table, results)), folder / "unseen.parquet")
    for result in results:
        name = result.channel.replace(" ", "-")
        plot_roc(result.tracks.is_ai, result.scores, folder / f"roc-{name}.png")
        plot_sources(_called(result), folder / f"sources-{name}.png")
        plot_reliability(result.tracks, folder / f"reliability-{name}.png")
        if not np.isnan(result.drift[0]):
            plot_drift(result.tracks, folder / f"drift-{name}.png")
