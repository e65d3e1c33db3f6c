"""The facts of the pages as data, for those who show pages of their own.

Enters: ``TrackEvidence`` items. Leaves: Parquet, one table a kind of fact, ``track_id`` in each;
or plain fields for JSON.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from artifactnet.models.whole_file import whole_file
from artifactnet.pipeline.evidence.track import TrackEvidence

TEXT, NUMBER = pa.string(), pa.float64()
SCHEMAS = {
    "tracks": pa.schema([
        ("track_id", TEXT), ("uri", TEXT), ("verdict", TEXT), ("reason", TEXT), ("p_ai", NUMBER),
        ("threshold_ai", NUMBER), ("claim", TEXT), ("human_as_high", pa.int64()),
        ("human_tracks", pa.int64()), ("human_rate_at_most", NUMBER), ("network_p_ai", NUMBER),
        ("holds_after_changes", pa.bool_()), ("explained_by", pa.list_(TEXT)), ("model_id", TEXT),
    ]),
    "windows": pa.schema([("track_id", TEXT), ("start", NUMBER), ("p_ai", NUMBER)]),
    "groups": pa.schema([("track_id", TEXT), ("group", TEXT), ("logit", NUMBER)]),
    "bands": pa.schema([
        ("track_id", TEXT), ("low_hz", NUMBER), ("high_hz", NUMBER), ("logit", NUMBER),
    ]),
    "variants": pa.schema([
        ("track_id", TEXT), ("name", TEXT), ("before", NUMBER), ("after", NUMBER),
    ]),
    "explanations": pa.schema([
        ("track_id", TEXT), ("name", TEXT), ("measured", TEXT), ("says", TEXT), ("why", TEXT),
    ]),
}  # fmt: skip


def track_fields(found: TrackEvidence) -> dict[str, Any]:
    """The row of ``tracks.parquet``."""
    human = found.human
    return {
        "track_id": found.track_id,
        "uri": found.uri,
        "verdict": found.verdict,
        "reason": found.reason or None,
        "p_ai": found.p_ai,
        "threshold_ai": found.threshold_ai,
        "claim": found.claim,
        "human_as_high": human.seen if human else None,
        "human_tracks": human.tracks if human else None,
        "human_rate_at_most": human.upper if human else None,
        "network_p_ai": found.network_p_ai,
        "holds_after_changes": found.holds_after_changes,
        "explained_by": list(found.explained_by),
        "model_id": found.model_id,
    }


def evidence_fields(found: TrackEvidence) -> dict[str, Any]:
    """Everything of one track in plain fields, for JSON."""
    lists = ("windows", "groups", "bands", "variants", "explanations")
    parts = {name: [one._asdict() for one in getattr(found, name)] for name in lists}
    return {**track_fields(found), **parts, "notes": list(found.notes)}


def write_evidence(evidence: Sequence[TrackEvidence], folder: Path) -> None:
    """Write one Parquet file a kind of fact into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, schema in SCHEMAS.items():
        if name == "tracks":
            rows = [track_fields(found) for found in evidence]
        else:
            rows = [
                {"track_id": found.track_id, **one._asdict()}
                for found in evidence
                for one in getattr(found, name)
            ]
        with whole_file(folder / f"{name}.parquet") as partial:
            pq.write_table(pa.Table.from_pylist(rows, schema), partial, compression="zstd")
