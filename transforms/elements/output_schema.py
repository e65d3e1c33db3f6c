"""The schemas of what an audit writes, and the rows that fit them.

Enters: results of the verdict stage. Leaves: dictionaries for Parquet. This module is the
one place where columns of ``tracks/``, ``segments/`` and ``errors/`` are named.
"""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from artifactnet.models.config import FORENSIC_CHANNELS
from artifactnet.models.statistics.forensic_statistics import GROUPS
from artifactnet.transforms.audio.sound_facts import SoundFacts
from artifactnet.transforms.elements.records import AuditedTrack, ErrorRow
from artifactnet.transforms.elements.row_key import readable
from artifactnet.transforms.manifests.columns import ManifestLayout

TRACK_FIELDS = (
    pa.field("track_id", pa.string(), nullable=False),
    pa.field("uri", pa.string(), nullable=False),
    pa.field("verdict", pa.string(), nullable=False),
    pa.field("reason", pa.string()),  # null where the score alone decides
    pa.field("p_ai", pa.float64(), nullable=False),
    pa.field("p_ai_spread", pa.float64(), nullable=False),
    pa.field(
        "codec_scores",
        pa.list_(pa.struct([("codec", pa.string()), ("p_ai", pa.float64())])),
        nullable=False,
    ),
    pa.field("codec_drift", pa.float64()),
    pa.field("segments", pa.int32(), nullable=False),
    pa.field("segments_apart", pa.int32()),
    pa.field(
        "parts",
        pa.list_(
            pa.struct([("start", pa.float64()), ("end", pa.float64()), ("p_ai", pa.float64())])
        ),
    ),
    pa.field("threshold_real", pa.float64(), nullable=False),
    pa.field("threshold_ai", pa.float64(), nullable=False),
    pa.field("run_id", pa.string(), nullable=False),
    pa.field("model_id", pa.string(), nullable=False),
    pa.field("config_id", pa.string(), nullable=False),
    pa.field("content_id", pa.string(), nullable=False),
    pa.field("sha256", pa.string()),  # null where not all of an object was read
    pa.field("container", pa.string(), nullable=False),
    pa.field("codec", pa.string(), nullable=False),
    pa.field("sample_rate", pa.int32(), nullable=False),
    pa.field("channels", pa.int32(), nullable=False),
    pa.field("duration", pa.float64(), nullable=False),
    pa.field("file_bytes", pa.int64()),
    pa.field("bandwidth_hz", pa.float64()),
    pa.field("level_db", pa.float64()),
    pa.field("crest_db", pa.float64()),
    pa.field("at_peak", pa.float64()),
    pa.field("channel_correlation", pa.float64()),  # null for one channel
    pa.field("notes", pa.list_(pa.string()), nullable=False),
    pa.field("label", pa.string()),
    pa.field("generator", pa.string()),
    pa.field("source", pa.string()),
    pa.field("bench_origin", pa.string()),
    pa.field("other_columns", pa.string()),
)

SEGMENT_SCHEMA = pa.schema(
    [
        pa.field("track_id", pa.string(), nullable=False),
        pa.field("run_id", pa.string(), nullable=False),
        pa.field("codec", pa.string(), nullable=False),
        pa.field("start", pa.float64(), nullable=False),
        pa.field("p_ai", pa.float32(), nullable=False),
        *(
            pa.field(f"{channel}_{statistic}", pa.float32())  # null where the networks read nothing
            for channel in FORENSIC_CHANNELS
            for statistic in ("mean", "std")
        ),
        pa.field("embedding", pa.list_(pa.float32()), nullable=False),  # empty where there is none
        pa.field("network_p_ai", pa.float32()),  # null where the CNN decides or reads nothing
        pa.field("p_voice", pa.float32()),  # null where the detector doesn't ask
        pa.field(
            "statistics_logits",  # null where the detector reads no statistics
            pa.list_(pa.struct([("group", pa.string()), ("logit", pa.float32())])),
        ),
    ]
)

ERROR_SCHEMA = pa.schema(
    [
        pa.field("track_id", pa.string()),
        pa.field("uri", pa.string()),
        pa.field("manifest", pa.string(), nullable=False),
        pa.field("line", pa.int64(), nullable=False),
        pa.field("run_id", pa.string(), nullable=False),
        pa.field("model_id", pa.string(), nullable=False),
        pa.field("config_id", pa.string(), nullable=False),
        pa.field("content_id", pa.string(), nullable=False),
        pa.field("stage", pa.string(), nullable=False),
        pa.field("error_class", pa.string(), nullable=False),
        pa.field("message", pa.string(), nullable=False),
    ]
)


def carried_names(layout: ManifestLayout) -> dict[str, str]:
    """Output name of each carried column: its own, or ``manifest_...`` where that is taken."""
    taken = {field.name for field in TRACK_FIELDS}
    names = {}
    for name, _ in layout.carried:
        output = name
        while output in taken:
            output = f"manifest_{output}"
        names[name] = output
        taken.add(output)
    return names


def track_schema(layout: ManifestLayout) -> pa.Schema:
    """Schema of ``tracks/``: ``TRACK_FIELDS``, then the columns carried from the manifest."""
    names = carried_names(layout)
    carried = [pa.field(names[name], kind) for name, kind in layout.carried]
    return pa.schema([*TRACK_FIELDS, *carried])


@dataclass(frozen=True)
class RunFacts:
    """What is the same in every row of a run.

    Attributes:
      run_id: of the run.
      model_id: of the weights.
      config_id: of everything else that decides a score.
      threshold_real: the verdict's lower threshold.
    """

    run_id: str
    model_id: str
    config_id: str
    threshold_real: float


NO_SOUND = SoundFacts(*[math.nan] * len(SoundFacts._fields))


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def track_record(audited: AuditedTrack, names: dict[str, str], run: RunFacts) -> dict[str, Any]:
    """The row of ``tracks/``."""
    track, row, verdict = audited.track, audited.track.row, audited.verdict
    assert track.info is not None, "a scored track has been decoded"
    return {
        "track_id": row.track_id,
        "uri": row.uri,
        "verdict": verdict.verdict,
        "reason": verdict.reason or None,
        "p_ai": verdict.p_ai,
        "p_ai_spread": verdict.p_ai_spread,
        "codec_scores": [{"codec": c, "p_ai": score} for c, score in verdict.codec_scores],
        "codec_drift": verdict.codec_drift,
        "segments": len(audited.segments) // len(verdict.codec_scores),
        "segments_apart": verdict.segments_apart,
        "parts": [part._asdict() for part in verdict.parts],
        "threshold_real": run.threshold_real,
        "threshold_ai": verdict.threshold_ai,
        "run_id": run.run_id,
        "model_id": run.model_id,
        "config_id": run.config_id,
        "content_id": row.content_id,
        "sha256": track.sha256,
        **track.info._asdict(),
        "file_bytes": track.file_bytes or None,
        **{name: _number(value) for name, value in (track.sound or NO_SOUND)._asdict().items()},
        "notes": list(track.notes),
        "label": row.label,
        "generator": row.generator,
        "source": row.source,
        "bench_origin": row.bench_origin,
        "other_columns": row.other_columns or None,
        **{names[name]: value for name, value in row.carried},
    }


def segment_records(audited: AuditedTrack, run: RunFacts) -> Iterator[dict[str, Any]]:
    """The rows of ``segments/``."""
    for segment in audited.segments:
        statistics = {
            f"{channel}_{statistic}": _number(float(value))
            for channel, values in zip(FORENSIC_CHANNELS, segment.channel_statistics, strict=True)
            for statistic, value in zip(("mean", "std"), values, strict=True)
        }
        yield {
            "track_id": audited.track.row.track_id,
            "run_id": run.run_id,
            "codec": segment.codec,
            "start": segment.start,
            "p_ai": segment.p_ai,
            **statistics,
            "embedding": [] if np.isnan(segment.embedding).any() else segment.embedding.tolist(),
            "p_voice": _number(segment.p_voice),
            "network_p_ai": _number(segment.network_p_ai),
            "statistics_logits": [
                {"group": group, "logit": float(logit)}
                for group, logit in zip(GROUPS, segment.group_logits, strict=False)
            ]
            or None,
        }


def error_record(error: ErrorRow, run: RunFacts) -> dict[str, Any]:
    """The row of ``errors/``."""
    row = error.row
    return {
        "track_id": readable(row.track_id) or None,
        "uri": readable(row.uri) or None,
        "manifest": readable(row.manifest),
        "line": row.line,
        "run_id": run.run_id,
        "model_id": run.model_id,
        "config_id": run.config_id,
        "content_id": readable(row.content_id),
        **{name: readable(text) for name, text in asdict(error.failure).items()},
    }
