"""``artifactnet calibrate``: set the verdict's two thresholds for a claimed rate.

Enters: a manifest of real tracks that the detector never learnt from, or the scores that an
audit by it has already given. Leaves: a weights file with the
thresholds replaced, and on standard output what may be claimed of them.
"""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.dataset as ds
from numpy.typing import NDArray

from artifactnet.models.artifactnet import (
    SHIPPED_WEIGHTS,
    ArtifactNet,
    load_detector,
    save_detector,
)
from artifactnet.models.config import SHORT_SEGMENTS
from artifactnet.models.first_line import first_line
from artifactnet.models.onnx_export import with_thresholds
from artifactnet.models.weights.weights_file import model_id
from artifactnet.pipeline.audit.request import AuditRequest
from artifactnet.pipeline.audit.run import run_audit
from artifactnet.pipeline.evaluation.labels import known_label
from artifactnet.pipeline.evaluation.metrics import (
    Calibration,
    Claim,
    ClaimError,
    calibrate,
    claim,
    upper_bound,
)
from artifactnet.pipeline.evaluation.request import CalibrateRequest
from artifactnet.pipeline.output.folder import OutputError
from artifactnet.pipeline.output.run_record import recorded_catalogue
from artifactnet.transforms.detector.onnx import is_onnx, onnx_id
from artifactnet.transforms.storage.files import absolute


class Scores(NamedTuple):
    """What thresholds are set on.

    Attributes:
      real: of real tracks; of long ones where there are both.
      real_short: of real tracks of fewer than ``SHORT_SEGMENTS`` segments, where there are both.
      generated: of generated tracks.
      generated_short: bool, which of them have fewer segments than that.
    """

    real: NDArray[np.float64]
    real_short: NDArray[np.float64]
    generated: NDArray[np.float64]
    generated_short: NDArray[np.bool_]


def _scores(path: str, own_id: str, most: int | None = None) -> Scores:
    """Scores of real and of generated tracks.

    Args:
      path: Parquet file or folder.
      own_id: model id of the detector that is calibrated.
      most: rows of the manifest; more scores than that are of tracks that it no longer names.

    Raises:
      ValueError: the columns are missing, another detector gave the scores, a track is there
        twice, or none is labelled ``real``.
    """
    try:
        data = ds.dataset(path, format="parquet")
        names = [
            n
            for n in ("track_id", "run_id", "model_id", "segments", "segments_apart", "reason")
            if n in data.schema.names
        ]
        table = data.to_table(["label", "p_ai", *names])
    except (OSError, KeyError, ValueError) as error:
        reason = first_line(error)
        raise ValueError(f"{path}: no Parquet with 'label' and 'p_ai' ({reason})") from error
    rows = table.to_pylist()
    if "run_id" in names:  # of a track that was audited again, the latest result
        latest = {row["track_id"]: row for row in sorted(rows, key=lambda row: str(row["run_id"]))}
        rows = list(latest.values())
    if most is not None and len(rows) > most:
        raise ValueError(
            f"{path}: scores of {len(rows)} tracks, and the manifest has {most} rows now: choose "
            "another --output"
        )
    models = sorted({str(row["model_id"]) for row in rows} if "model_id" in names else ())
    if len(models) > 1:
        raise ValueError(
            f"{path}: scores of several models ({', '.join(models)}); take one of them"
        )
    if models and models[0] != own_id:
        raise ValueError(
            f"{path}: scores of model {models[0]}, and the detector is {own_id}; name that model's "
            "file with --weights"
        )
    if "track_id" in names and (more := len(rows) - len({row["track_id"] for row in rows})):
        raise ValueError(
            f"{path}: {more} of {len(rows)} rows repeat a track_id; a claim takes each track once"
        )
    if bad := sum(not _is_probability(row["p_ai"]) for row in rows):
        raise ValueError(f"{path}: {bad} of {len(rows)} rows have no p_ai between 0 and 1")
    label = np.array([known_label(row["label"]) for row in rows], object)
    score = np.array([row["p_ai"] for row in rows], np.float64)
    # What is uncertain whatever its score is (a voice alone, a narrow band) is never called ai.
    spared = np.array([bool(row.get("reason")) for row in rows], bool)
    score[spared & (label == "real")] = 0.0
    if not (label == "real").any():
        raise ValueError(f"{path}: no track has the label 'real'; real tracks set the threshold")
    real = label == "real"
    apart = (row.get("segments_apart") or row.get("segments") or SHORT_SEGMENTS for row in rows)
    segments = np.array(list(apart))
    is_short = segments < SHORT_SEGMENTS
    short = real & is_short
    if short.any() and (real & ~short).any():
        long = score[real & ~short]
        return Scores(long, score[short], score[label == "ai"], is_short[label == "ai"])
    return Scores(score[real], score[:0], score[label == "ai"], np.zeros(sum(label == "ai"), bool))


def _is_probability(value: object) -> bool:
    return isinstance(value, float) and 0 <= value <= 1


def _save(weights: Path | None, calibration: Calibration, short: float, target: Path) -> str:
    if is_onnx(weights) and weights:
        return with_thresholds(
            weights, target, calibration.real.threshold, calibration.ai.threshold
        )
    network, _, head = load_detector(weights or SHIPPED_WEIGHTS)
    config = replace(
        network.config,
        threshold_real=calibration.real.threshold,
        threshold_ai=calibration.ai.threshold,
        # Never below what is called real: between them nothing is said.
        threshold_ai_short=short and max(short, calibration.real.threshold),
    )
    calibrated = ArtifactNet(config)
    calibrated.load_state_dict(network.state_dict())
    return save_detector(calibrated, target, head)


def _short_claim(scores: NDArray[np.float64], rate: float, confidence: float) -> Claim | None:
    """Threshold of short tracks; where they can't carry the claim, above all of their scores."""
    if not len(scores):
        return None
    try:
        return claim(scores, rate, confidence)
    except ClaimError:
        above = float(np.nextafter(scores.max(), np.inf))
        return Claim(min(1.0, above), 0, len(scores), upper_bound(0, len(scores), confidence))


def _line(name: str, what: str, found: Claim, confidence: float) -> str:
    rate = found.exceeding / found.tracks
    return (
        f"{name} {found.threshold:.4f}: {found.exceeding} of {found.tracks} {what} ({rate:.2%}), "
        f"at most {found.upper_bound:.2%} at {confidence:.0%} confidence"
    )


def run_calibrate(request: CalibrateRequest) -> Calibration:
    """Calibrate, save, and print the claims.

    Raises:
      ClaimError: the tracks can't carry the claim; nothing is written.
      ValueError, WeightsError, OutputError: the request can't be carried out.
    """
    if request.save.exists() and not request.overwrite:
        raise ValueError(f"{request.save} is there already; replace it with --overwrite")
    weights = request.detector
    if is_onnx(weights) != is_onnx(request.save):
        named = weights or SHIPPED_WEIGHTS.name
        raise ValueError(f"{request.save}: must be the same kind of file as {named}")
    if bool(request.manifest) == bool(request.scores):
        raise ValueError("name a manifest to audit or --scores of an earlier audit, not both")
    path, rows = request.scores, None
    if request.manifest:
        work = absolute(request.work)
        if "://" in request.work:
            raise ValueError(f"{request.work}: the audit of a calibration stays on this machine")
        audit = AuditRequest(request.manifest, request.work, weights=weights)
        held = recorded_catalogue(work)
        if held not in ("", absolute(request.manifest)):
            raise OutputError(
                f"{work} holds an audit of {held}: choose another --output, "
                f"or calibrate from it with --scores {request.work}/tracks"
            )
        rows = run_audit(audit).counts.rows_in
        path = f"{work}/tracks"
    own = weights or SHIPPED_WEIGHTS
    scores = _scores(path, onnx_id(own) if is_onnx(own) else model_id(own), rows)
    real, generated = scores.real, scores.generated
    found = calibrate(real, generated, request.fpr, request.miss_rate, request.confidence)
    short = _short_claim(scores.real_short, request.short_fpr or request.fpr, request.confidence)
    new_id = _save(weights, found, short.threshold if short else 0.0, request.save)
    print(_line("ai   >=", "real tracks are called ai", found.ai, request.confidence))
    if short:
        what = f"real tracks of fewer than {SHORT_SEGMENTS} segments are called ai"
        print(_line("ai   >=", what, short, request.confidence))
    missed = {
        "generated": "generated tracks are called real",
        "real": "real tracks are not called real",
    }[found.real_by]
    print(_line("real <", missed, found.real, request.confidence))
    if len(generated):
        above = short.threshold if short else found.ai.threshold
        least = np.where(scores.generated_short, above, found.ai.threshold)
        share = (generated >= least).mean()
        print(f"{share:.1%} of {len(generated)} generated tracks are called ai")
    print(f"{request.save}: model id {new_id}")
    return found
