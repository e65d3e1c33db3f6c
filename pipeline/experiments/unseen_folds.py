"""How the detector does on generators and sources that it has never heard.

Enters: a ``TrainingConfig`` and a number of folds. Leaves: for each fold a detector
trained without the fold's generators, codec families and real sources, the audits of the
fold's tracks by it, as they are and through the common channel, and the report over all
folds. A run that was interrupted goes on: weights and audits that are there stay, unless they
are of other settings, which is an error. A fold is as unseen as the training makes it: with
``config.unet`` every fold starts from those weights, whatever they have learnt from.
"""

import hashlib
import json
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track as progress

from artifactnet.models.config import ArtifactNetConfig
from artifactnet.models.whole_file import whole_file
from artifactnet.pipeline.audit.request import AuditRequest
from artifactnet.pipeline.audit.run import run_audit
from artifactnet.pipeline.bench.audited import BenchTracks, read_bench_tracks
from artifactnet.pipeline.bench.report import DETECTOR
from artifactnet.pipeline.bench.request import CODECS
from artifactnet.pipeline.bench.run_bench import track_features
from artifactnet.pipeline.evaluation.baselines import BaselineFeatures, baseline_scores
from artifactnet.pipeline.evaluation.common_channel import CODEC, common_level
from artifactnet.pipeline.evaluation.folds import LabelledSource, assign_folds
from artifactnet.pipeline.evaluation.metrics import claim
from artifactnet.pipeline.experiments.unseen_report import (
    ChannelResult,
    evaluate_channel,
    write_unseen,
)
from artifactnet.pipeline.output.layout import RECORD
from artifactnet.pipeline.training.config import TrainingConfig, keep_settings
from artifactnet.pipeline.training.corpus import decode_excerpt, read_labelled
from artifactnet.pipeline.training.pairs import RECORDED
from artifactnet.pipeline.training.train import settings_of, train
from artifactnet.transforms.audio.codec_spec import CodecSpec, parse_codecs
from artifactnet.transforms.audio.lossy_codec import PyAVBackend

PLAIN, COMMON = "as it is", "common channel"


@dataclass(frozen=True)
class UnseenRequest:
    """What to measure.

    Attributes:
      config: the training; its ``run`` and ``output`` are replaced for each fold.
      folds: how many.
      output: folder for everything.
      segments: windows a track, ``None`` for all.
      codecs: that drift is measured over, the unprocessed audio first.
      fpr: claimed by the thresholds, each set on the real tracks of the other folds.
      confidence: of that claim.
      only: folds to train and audit; empty for all. The report needs all of them.
    """

    config: TrainingConfig
    folds: int
    output: Path
    segments: int | None = 3
    codecs: tuple[CodecSpec, ...] = parse_codecs(CODECS)
    fpr: float = 0.02
    confidence: float = 0.95
    only: tuple[int, ...] = ()


@dataclass(frozen=True)
class FoldedTracks:
    """Tracks of all folds, each scored by the detector that has not heard its like."""

    tracks: BenchTracks
    fold: NDArray[np.intp]


def _write_manifest(rows: list[dict[str, Any]], path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def render_common(rows: list[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """The same rows, their audio through the common channel as MP3 files in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    config, backend, rendered = ArtifactNetConfig(), PyAVBackend(), []
    for row in progress(rows, description="Common channel"):
        name = hashlib.sha256(f"{row['track_id']}\0{row['uri']}".encode()).hexdigest()
        path = folder / f"{name[:24]}.mp3"
        if not path.exists():
            audio = common_level(
                decode_excerpt(Path(row["uri"]), config.sample_rate), config.sample_rate
            )
            with whole_file(path) as partial:
                partial.write_bytes(backend.encode(audio, config.sample_rate, CODEC))
        rendered.append(row | {"uri": str(path)})
    return rendered


def _audit_once(manifest: Path, folder: Path, weights: Path, request: UnseenRequest,
                codecs: tuple[CodecSpec, ...]) -> None:  # fmt: skip
    if not (folder / RECORD).exists():
        run_audit(
            AuditRequest(
                str(manifest),
                str(folder),
                segments=request.segments,
                codecs=codecs,
                weights=weights,
                overwrite=True,
            )
        )


def _run_fold(fold: int, rows: list[dict[str, Any]], common: list[dict[str, Any]],
              sources: tuple[str, ...], request: UnseenRequest) -> None:  # fmt: skip
    folder = request.output / f"fold-{fold}"
    weights = folder / "artifactnet.safetensors"
    config = replace(request.config, run=folder, output=weights, leave_out_sources=sources)
    keep_settings(folder / "settings.json", settings_of(config))
    if not weights.exists():
        train(config)
    codecs = list(map(str, request.codecs))
    judging = {"rows": rows, "segments": request.segments, "codecs": codecs}
    keep_settings(folder / "evaluation.json", judging)
    plain = _write_manifest(rows, folder / "plain.jsonl")
    _audit_once(plain, folder / "plain", weights, request, request.codecs)
    changed = _write_manifest(common, folder / "common.jsonl")
    _audit_once(changed, folder / "common", weights, request, request.codecs[:1])


def _gather(request: UnseenRequest, name: str) -> FoldedTracks:
    parts = [
        read_bench_tracks(str((request.output / f"fold-{fold}" / name).absolute()))[0]
        for fold in range(request.folds)
    ]
    joined = [np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(BenchTracks)]
    fold = np.repeat(np.arange(request.folds), [len(part) for part in parts])
    return FoldedTracks(BenchTracks(*joined), fold)


def _features(tracks: BenchTracks, request: UnseenRequest, name: str) -> list[BaselineFeatures]:
    found: dict[str, BaselineFeatures] = {}
    for fold in range(request.folds):
        manifest = request.output / f"fold-{fold}" / f"{name}.jsonl"
        names = {json.loads(line)["track_id"] for line in manifest.read_text().splitlines()}
        own = tracks.take(np.isin(tracks.track_id, list(names)))
        found |= zip(own.track_id, track_features(own, str(manifest)), strict=True)
    return [found[name] for name in tracks.track_id]


def run_unseen_folds(request: UnseenRequest) -> list[ChannelResult]:
    """Train, audit and evaluate every fold.

    Returns:
      Results as it is and through the common channel; empty while folds are missing.

    Raises:
      ValueError: the manifest can't be folded, there is no such fold, or ``output`` holds the
        work of other settings.
      ClaimError: too few real tracks for ``fpr``; found before anything is trained.
      AuditFailedError: an audit failed.
    """
    rows = read_labelled(request.config.evaluation_manifest or request.config.manifest)
    fold_of = assign_folds(
        [LabelledSource(row["source"], row["label"], row.get("pair")) for row in rows],
        request.folds,
    )
    if missing := sorted(set(request.only) - set(range(request.folds))):
        raise ValueError(
            f"no fold {missing[0]}: the {request.folds} folds are 0 to {request.folds - 1}"
        )
    for fold in range(request.folds):  # a claim that can't be made is known before the training
        others = [row for row in rows if row["label"] == "real" and fold_of[row["source"]] != fold]
        claim(np.zeros(len(others)), request.fpr, request.confidence)
    rows = [row | {"bench_origin": "unseen", "fold": fold_of[row["source"]]} for row in rows]
    common = render_common(rows, request.output / "common")
    for fold in request.only or range(request.folds):
        sources = tuple(sorted(name for name, one in fold_of.items() if one == fold))
        own = [index for index, row in enumerate(rows) if row["fold"] == fold]
        _run_fold(fold, [rows[i] for i in own], [common[i] for i in own], sources, request)
    audits = [request.output / f"fold-{k}" / "common" for k in range(request.folds)]
    if not all((audit / RECORD).exists() for audit in audits):
        return []
    results = []
    for name, title in (("plain", PLAIN), ("common", COMMON)):
        folded = _gather(request, name)
        tracks = folded.tracks
        scores = {DETECTOR: tracks.score} | baseline_scores(
            _features(tracks, request, name), tracks.is_ai, folded.fold, request.folds
        )
        results.append(
            evaluate_channel(
                title, tracks, folded.fold, scores, request.fpr, request.confidence, RECORDED
            )
        )
    write_unseen(results, request.output, request.config.unet)
    return results
