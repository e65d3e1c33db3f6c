"""Does the median over a track's segments earn its place, against the plain average?

    python benchmarks/average_or_median.py AUDIT [AUDIT ...] [--segments 3]

Enters: outputs of `artifactnet audit` over a labelled manifest. Leaves, for tracks of at least
``--segments`` segments, the figures of both ways to make a track's score of the same segments,
with bootstrap 95 % intervals over tracks.
"""

import argparse
import sys
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))

from artifactnet.pipeline.bench.report import table
from artifactnet.pipeline.evaluation.metrics import ScoredTracks, measure


def scored(audits: list[Path], fewest: int) -> dict[str, ScoredTracks]:
    """Tracks of all ``audits`` by average and by median; each audit's threshold decides."""
    found = []
    for audit in audits:
        tracks = pd.read_parquet(audit / "tracks").drop_duplicates("track_id", keep="last")
        segments = pd.read_parquet(audit / "segments")
        segments = segments[segments.codec == segments.codec.iloc[0]]
        scores = segments.drop_duplicates(["track_id", "start"]).groupby("track_id").p_ai
        scores = scores.agg(["size", "mean", "median"])
        found.append(tracks.join(scores[scores["size"] >= fewest], on="track_id", how="inner"))
    rows = pd.concat(found)
    is_ai = (rows.label == "ai").to_numpy()
    names = rows.track_id.to_numpy(str)
    return {
        name: ScoredTracks(
            is_ai, rows[name].to_numpy(), (rows[name] >= rows.threshold_ai).to_numpy(), names
        )
        for name in ("median", "mean")
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("audits", type=Path, nargs="+")
    parser.add_argument("--segments", type=int, default=3, help="fewest of a track")
    options = parser.parse_args()
    names = ("auc", "tpr_at_fpr_1", "tpr_at_fpr_5", "fpr", "recall")
    rows = []
    for name, tracks in scored(options.audits, options.segments).items():
        figures = measure(tracks)
        rows.append([name, str(len(tracks)), *(str(getattr(figures, one)) for one in names)])
    print("\n".join(table(["score of a track", "tracks", *names], rows)))


if __name__ == "__main__":
    main()
