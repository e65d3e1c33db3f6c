"""Run ArtifactBench on a labelled manifest.

Enters: ``BenchRequest``. Leaves: the audit's tables, the report and the plots under the
output. Scores come from the audit pipeline itself; the baselines decode the same windows.
"""

import shlex
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from artifactnet.models.config import ArtifactNetConfig
from artifactnet.pipeline.audit.local_runner import usable_cores
from artifactnet.pipeline.audit.request import AuditRequest
from artifactnet.pipeline.audit.run import run_audit
from artifactnet.pipeline.bench.audited import BenchTracks, read_bench_tracks
from artifactnet.pipeline.bench.labelled_rows import check_labels, rows_by_id
from artifactnet.pipeline.bench.plots import plot_drift, plot_reliability, plot_roc, plot_sources
from artifactnet.pipeline.bench.published_layout import is_published_layout, read_published_layout
from artifactnet.pipeline.bench.report import (
    DETECTOR,
    BenchReport,
    DriftResult,
    SplitResult,
    write_report,
)
from artifactnet.pipeline.bench.request import BenchRequest
from artifactnet.pipeline.bench.sources import by_source
from artifactnet.pipeline.evaluation.baselines import (
    BaselineFeatures,
    baseline_features,
    baseline_scores,
)
from artifactnet.pipeline.evaluation.metrics import expected_calibration_error, measure
from artifactnet.pipeline.output.folder import OutputError
from artifactnet.pipeline.output.layout import output_files
from artifactnet.transforms.decode import DecodeOptions, decode_row
from artifactnet.transforms.elements.records import ManifestRow, StageFailure
from artifactnet.transforms.manifests.parquet import EmbeddedAudioReader

BASELINE_SEGMENTS = 3
PLOTS = ("roc.png", "reliability.png", "sources.png", "drift.png")


def _command(request: BenchRequest) -> str:
    words = ["artifactnet", "bench", request.manifest, "--output", request.output]
    words += ["--segments", str(request.segments or "all")]
    words += ["--codecs", ",".join(map(str, request.codecs))]
    for name in ("weights", "model"):
        if value := getattr(request, name):
            words += [f"--{name}", str(value)]
    return shlex.join(words)


def _features(row: ManifestRow, config: ArtifactNetConfig) -> BaselineFeatures | None:
    decoded = decode_row(row, config, DecodeOptions(BASELINE_SEGMENTS), EmbeddedAudioReader()).audio
    if isinstance(decoded, StageFailure):
        return None
    return baseline_features(decoded.windows, config.sample_rate, decoded.info)


def track_features(tracks: BenchTracks, catalogue: str) -> list[BaselineFeatures]:
    """What the baselines know of each track, decoded again.

    Raises:
      ValueError: some could not be.
    """
    config = ArtifactNetConfig()
    rows = rows_by_id(catalogue).by_id
    wanted = [
        rows.get(str(name), ManifestRow(str(name), str(uri), catalogue, 1))
        for name, uri in zip(tracks.track_id, tracks.uri, strict=True)
    ]
    with ThreadPoolExecutor(usable_cores()) as pool:
        found = list(pool.map(lambda row: _features(row, config), wanted))
    features = [one for one in found if one is not None]
    if len(features) < len(found):
        missing = len(found) - len(features)
        raise ValueError(f"{missing} tracks could not be decoded again by their uri")
    return features


def _drift(tracks: BenchTracks, origin: str) -> DriftResult | None:
    drift = tracks.drift[~np.isnan(tracks.drift)]
    if not len(drift):
        return None
    p95 = float(np.percentile(drift, 95))
    return DriftResult(origin, float(drift.mean()), p95, float(drift.max()))


def run_bench(request: BenchRequest) -> BenchReport:
    """Audit, measure, write.

    Raises:
      ManifestError, OutputError, WeightsError, CodecError: as ``run_audit``.
      AuditFailedError: the audit failed.
      ValueError: no track is labelled.
    """
    if "://" in request.output:
        raise ValueError(f"{request.output}: the report goes to a local folder")
    output = Path(request.output)
    audit = output / "audit"
    if not request.overwrite and output_files(str(audit.absolute())).holds_audit:
        raise OutputError(f"{audit} already holds an audit: replace it with --overwrite")
    catalogue = request.manifest
    absent: tuple[str, ...] = ()
    if published := is_published_layout(request.manifest):
        catalogue, absent = read_published_layout(request.manifest, output / "manifests")
    else:
        check_labels(catalogue)
    record = run_audit(
        AuditRequest(
            catalogue=catalogue,
            output=str(audit),
            segments=request.segments,
            codecs=request.codecs,
            weights=request.weights,
            model=request.model,
            overwrite=request.overwrite,
        )
    )
    for plot in PLOTS:  # of an earlier run, which this one may not make again
        (output / plot).unlink(missing_ok=True)
    tracks, unlabelled = read_bench_tracks(str(audit.absolute()), "ai" if published else None)
    scores = {DETECTOR: tracks.score}
    no_baselines = ""
    try:
        scores |= baseline_scores(track_features(tracks, catalogue), tracks.is_ai, tracks.group)
    except ValueError as error:
        no_baselines = str(error)
    splits, drifts, calibration = [], [], {}
    for origin in (str(one) for one in np.unique(tracks.bench_origin)):
        own = tracks.bench_origin == origin
        some = tracks.take(own)
        for name, score in scores.items():
            scored = some.scored(None if name == DETECTOR else score[own])
            splits.append(SplitResult(origin, name, measure(scored)))
        calibration[origin] = expected_calibration_error(some.scored())
        if drift := _drift(some, origin):
            drifts.append(drift)
    results = by_source(tracks)
    plots = [PLOTS[2]]
    plot_sources(results, output / PLOTS[2])
    if tracks.is_ai.any() and not tracks.is_ai.all():
        plots = [*PLOTS[:2], *plots]
        plot_roc(tracks.is_ai, scores, output / PLOTS[0])
        plot_reliability(tracks, output / PLOTS[1])
    if drifts:
        plots.append(PLOTS[3])
        plot_drift(tracks, output / PLOTS[3])
    report = BenchReport(
        model_id=record.model_id,
        command=_command(request),
        splits=tuple(splits),
        sources=tuple(results),
        drifts=tuple(drifts),
        calibration_error=calibration,
        no_baselines=no_baselines,
        unlabelled=unlabelled,
        absent=absent,
        errors=record.counts.errors,
        plots=tuple(plots),
    )
    write_report(report, output)
    return report
