"""Run ArtifactBench on a labelled manifest.

Enters: :class:`BenchRequest`. Leaves: the audit's tables, the report and the plots under the
output. Scores come from the audit pipeline itself; the controls decode the same windows.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.config import ArtifactNetConfig
from pipeline.audit import AuditRequest, run_audit
from pipeline.bench.audited import BenchTracks, read_bench_tracks
from pipeline.bench.controls import ControlFeatures, control_features, control_scores
from pipeline.bench.plots import plot_drift, plot_reliability, plot_roc, plot_sources
from pipeline.bench.report import BenchReport, DriftResult, SplitResult, write_report
from pipeline.bench.sources import by_source
from pipeline.bench.statistics import expected_calibration_error, measure
from pipeline.local_runner import usable_cores
from transforms.codec_roundtrip import CodecSpec, parse_codecs
from transforms.decode import DecodeOptions, decode_row
from transforms.embedded_audio import EmbeddedAudioReader
from transforms.records import ManifestRow, StageFailure

CODECS = "wav,mp3:128k,aac:128k,opus:96k"
DETECTOR = "ArtifactNet"
CONTROL_SEGMENTS = 3


@dataclass(frozen=True)
class BenchRequest:
    """What to measure.

    Attributes:
      manifest: labelled catalogue; rows of one ``pair`` are one piece of music.
      output: folder for everything.
      segments: windows a track, ``None`` for all.
      codecs: the unprocessed audio, then those that drift is measured over.
      weights: detector; ``None`` for the shipped one.
      overwrite: replace an earlier run.
    """

    manifest: str
    output: Path
    segments: int | None = 7
    codecs: tuple[CodecSpec, ...] = parse_codecs(CODECS)
    weights: Path | None = None
    overwrite: bool = False


def _features(uri: str, config: ArtifactNetConfig) -> ControlFeatures | None:
    row = ManifestRow(uri, uri, "bench", 1)
    decoded = decode_row(row, config, DecodeOptions(CONTROL_SEGMENTS), EmbeddedAudioReader()).audio
    if isinstance(decoded, StageFailure):
        return None
    return control_features(decoded.windows, config.sample_rate, decoded.info)


def _control_scores(tracks: BenchTracks) -> dict[str, NDArray[np.float64]]:
    """Scores of the controls; none where the tracks can't be opened by URI or are too few."""
    config = ArtifactNetConfig()
    with ThreadPoolExecutor(usable_cores()) as pool:
        found = list(pool.map(lambda uri: _features(str(uri), config), tracks.uri))
    features = [one for one in found if one is not None]
    if len(features) < len(found):
        return {}
    try:
        return control_scores(features, tracks.is_ai, tracks.group)
    except ValueError:
        return {}


def _drift(tracks: BenchTracks, origin: str) -> DriftResult | None:
    drift = tracks.drift[~np.isnan(tracks.drift)]
    if not len(drift):
        return None
    p95 = float(np.percentile(drift, 95))
    return DriftResult(origin, float(drift.mean()), p95, float(drift.max()))


def run_bench(request: BenchRequest) -> BenchReport:
    """Audit, measure, write.

    Raises:
      ManifestError, OutputError, WeightsError, CodecError: as :func:`pipeline.audit.run_audit`.
      AuditFailedError: the audit failed.
      ValueError: no track is labelled.
    """
    audit = request.output / "audit"
    record = run_audit(
        AuditRequest(
            catalogue=request.manifest,
            output=str(audit),
            segments=request.segments,
            codecs=request.codecs,
            weights=request.weights,
            overwrite=request.overwrite,
        )
    )
    tracks, unlabelled = read_bench_tracks(str(audit.absolute()))
    scores = {DETECTOR: tracks.score, **_control_scores(tracks)}
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
    report = BenchReport(
        model_id=record.model_id,
        command=f"artifactnet bench {request.manifest} --output {request.output}",
        splits=tuple(splits),
        sources=tuple(results),
        drifts=tuple(drifts),
        calibration_error=calibration,
        unlabelled=unlabelled,
        errors=record.counts.errors,
    )
    write_report(report, request.output)
    if tracks.is_ai.any() and not tracks.is_ai.all():
        plot_roc(tracks, scores, request.output / "roc.png")
        plot_reliability(tracks, request.output / "reliability.png")
    plot_sources(results, request.output / "sources.png")
    plot_drift(tracks, request.output / "drift.png")
    return report
