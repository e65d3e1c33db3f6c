"""What a bench run found, as Markdown for people and JSON and Parquet for machines.

Enters: ``BenchReport``. Leaves: ``bench.md``, ``bench.json`` and ``sources.parquet``.
"""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from artifactnet.pipeline.bench.sources import SourceResult
from artifactnet.pipeline.evaluation.metrics import FIGURES, Estimate, Metrics

DETECTOR = "ArtifactNet"
"""Name of the detector among the scorers; the others are baselines."""

HEADINGS = {
    "f1": "F1",
    "precision": "precision",
    "recall": "recall",
    "fpr": "FPR",
    "auc": "AUC",
    "tpr_at_fpr_1": "TPR at 1 % FPR",
    "tpr_at_fpr_5": "TPR at 5 % FPR",
}


@dataclass(frozen=True)
class SplitResult:
    """Figures of the detector or of a baseline on one split."""

    bench_origin: str
    scorer: str
    metrics: Metrics


@dataclass(frozen=True)
class DriftResult:
    """Codec drift over the tracks of one split."""

    bench_origin: str
    mean: float
    p95: float
    max: float


@dataclass(frozen=True)
class BenchReport:
    """Everything that a bench run reports.

    Attributes:
      model_id: of the weights.
      command: that makes this report again.
      splits: detector and baselines, split by split.
      sources: by generator and real source.
      drifts: by split; empty without codecs.
      calibration_error: expected calibration error by split.
      no_baselines: why there are no baselines; empty where there are.
      unlabelled: tracks without a label.
      errors: tracks and lines that could not be audited.
      absent: ids of a published benchmark whose audio is not there.
      plots: files beside the report.
    """

    model_id: str
    command: str
    splits: tuple[SplitResult, ...]
    sources: tuple[SourceResult, ...]
    drifts: tuple[DriftResult, ...]
    calibration_error: dict[str, float]
    no_baselines: str
    unlabelled: int
    errors: int
    absent: tuple[str, ...] = ()
    plots: tuple[str, ...] = ()


def signed(difference: Estimate) -> str:
    """E.g. ``+0.026 [-0.04, +0.10]``."""
    return f"{difference.value:+.3f} [{difference.low:+.2f}, {difference.high:+.2f}]"


def table(header: list[str], rows: list[list[str]]) -> list[str]:
    """Lines of a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines]


def number(value: float, digits: int = 3) -> str:
    """``value`` for a table; nothing where there is none."""
    return "" if math.isnan(value) else f"{value:.{digits}f}"


def markdown(report: BenchReport) -> str:
    """The report as people read it."""
    failed = [result for result in report.sources if result.failures]
    lines = [
        "# ArtifactBench",
        "",
        f"Model `{report.model_id}`, made by `{report.command}`. In brackets 95 % intervals:",
        "exact for rates, by bootstrap for the rest, pairs together; no figure below 30 tracks of",
        "a class. Baselines are cross-validated on the same tracks."
        if not report.no_baselines
        else f"a class. Baselines: none: {report.no_baselines}.",
        "",
        *table(
            ["split", "scorer", "ai", "real", *HEADINGS.values()],
            [
                [
                    split.bench_origin,
                    split.scorer,
                    str(split.metrics.tracks_ai),
                    str(split.metrics.tracks_real),
                    *(split.metrics.shown(name) for name in FIGURES),
                ]
                for split in report.splits
            ],
        ),
        "",
        f"Sources that miss a mark: {len(failed)} of {len(report.sources)}; of so many looked at",
        "at once some do so by chance.",
        f"Errors: {report.errors}. Tracks without label: {report.unlabelled}.",
        *([_absent(report.absent)] if report.absent else []),
        "",
        *table(
            ["source", "label", "tracks", "called ai", "AUC", "mean drift", "max drift", "missed"],
            [
                [
                    result.source,
                    result.label,
                    str(result.tracks),
                    number(result.called_ai),
                    number(result.auc),
                    number(result.drift_mean),
                    number(result.drift_max),
                    "; ".join(result.failures),
                ]
                for result in report.sources
            ],
        ),
        "",
        *table(
            ["split", "calibration error", "drift mean", "drift p95", "drift max"],
            [
                [
                    origin,
                    number(error),
                    *(
                        number(value)
                        for drift in report.drifts
                        if drift.bench_origin == origin
                        for value in (drift.mean, drift.p95, drift.max)
                    ),
                ]
                for origin, error in report.calibration_error.items()
            ],
        ),
        "",
        *(f"![{Path(plot).stem}]({plot})\n" for plot in report.plots),
    ]
    return "\n".join(lines)


def _absent(names: tuple[str, ...]) -> str:
    some = ", ".join(names[:10])
    more = f" and {len(names) - 10} more, all in bench.json" if len(names) > 10 else ""
    return f"Real tracks whose audio is not there: {len(names)}: {some}{more}."


def plain_json(value: Any) -> Any:
    """``value`` as JSON can hold it: no NaN, no tuples."""
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, dict):
        return {key: plain_json(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain_json(one) for one in value]
    return value


def write_report(report: BenchReport, folder: Path) -> None:
    """Write the report into ``folder``."""
    (folder / "bench.md").write_text(markdown(report))
    (folder / "bench.json").write_text(json.dumps(plain_json(asdict(report)), indent=2) + "\n")
    rows = [asdict(result) | {"failures": list(result.failures)} for result in report.sources]
    pq.write_table(pa.Table.from_pylist(rows), folder / "sources.parquet", compression="zstd")
