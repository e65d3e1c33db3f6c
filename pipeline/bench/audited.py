"""The audit's tables as the bench needs them.

Enters: the output folder of an audit with labels. Leaves: ``BenchTracks``, parallel
arrays; tracks without a label are left out and counted.
"""

from dataclasses import dataclass, fields

import numpy as np
import pyarrow.dataset as ds
from numpy.typing import NDArray

from artifactnet.pipeline.evaluation.labels import known_label
from artifactnet.pipeline.evaluation.metrics import ScoredTracks

COLUMNS = (
    *("track_id", "uri", "label", "source", "generator", "bench_origin"),
    *("p_ai", "verdict", "codec_drift"),
)
UNNAMED = "(none)"


@dataclass(frozen=True)
class BenchTracks:
    """Parallel arrays, one entry a labelled track.

    Attributes:
      track_id: as in the manifest.
      uri: where the audio is.
      is_ai: bool, the label.
      source: of a generated track its generator, else its source.
      bench_origin: split, ``(none)`` where the manifest has none.
      group: value of the column ``pair``, else ``track_id``.
      score: P(AI) of the unprocessed audio.
      called_ai: bool, the verdict was ``ai``.
      drift: largest distance of a codec's score; NaN without codecs.
    """

    track_id: NDArray[np.str_]
    uri: NDArray[np.str_]
    is_ai: NDArray[np.bool_]
    source: NDArray[np.str_]
    bench_origin: NDArray[np.str_]
    group: NDArray[np.str_]
    score: NDArray[np.float64]
    called_ai: NDArray[np.bool_]
    drift: NDArray[np.float64]

    def __len__(self) -> int:
        """Number of tracks."""
        return len(self.track_id)

    def take(self, index: NDArray) -> "BenchTracks":
        """The tracks at ``index``."""
        return BenchTracks(*(getattr(self, field.name)[index] for field in fields(self)))

    def scored(self, score: NDArray[np.float64] | None = None) -> ScoredTracks:
        """What the statistics take; with another ``score``, called ``ai`` from one half on."""
        if score is None:
            return ScoredTracks(self.is_ai, self.score, self.called_ai, self.group)
        return ScoredTracks(self.is_ai, score, score >= 0.5, self.group)


def read_bench_tracks(audit: str, label: str | None = None) -> tuple[BenchTracks, int]:
    """Read ``tracks/`` of an audit.

    Args:
      audit: its output.
      label: of tracks that have none; ``None`` leaves those out.

    Returns:
      The labelled tracks, sorted by ``track_id``, and how many had no label.

    Raises:
      ValueError: no track is labelled ``ai`` or ``real``.
    """
    table = ds.dataset(f"{audit}/tracks", format="parquet")
    has_pair = "pair" in table.schema.names
    rows = table.to_table([*COLUMNS, *(["pair"] if has_pair else [])]).to_pylist()
    rows = [row | {"label": known_label(row["label"]) or label} for row in rows]
    labelled = sorted((row for row in rows if row["label"]), key=lambda row: row["track_id"])
    if not labelled:
        raise ValueError("no track of the manifest has a label 'ai' or 'real' and was decoded")

    def texts(*names: str) -> NDArray[np.str_]:
        return np.array(
            [next((str(row[n]) for n in names if row.get(n)), UNNAMED) for row in labelled]
        )

    is_ai = np.array([row["label"] == "ai" for row in labelled])
    tracks = BenchTracks(
        track_id=texts("track_id"),
        uri=texts("uri"),
        is_ai=is_ai,
        # Of a generated track the source is a page or a shop; what is measured is the maker.
        source=np.where(is_ai, texts("generator", "source"), texts("source", "generator")),
        bench_origin=texts("bench_origin"),
        group=texts("pair", "track_id"),
        score=np.array([row["p_ai"] for row in labelled]),
        called_ai=np.array([row["verdict"] == "ai" for row in labelled]),
        drift=np.array([row["codec_drift"] for row in labelled], np.float64),
    )
    return tracks, len(rows) - len(labelled)
