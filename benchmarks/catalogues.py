"""Catalogues of synthetic music for the benchmarks, and what an audit of one must have left."""

import json
import sys
from collections import Counter
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import soundfile


def synthetic(folder: Path, tracks: int, seconds: float = 4.2, kind: str = "flac") -> Path:
    """A manifest of ``tracks`` short files, each different."""
    manifest = folder / "m.jsonl"
    if manifest.exists():
        return manifest
    (folder / "music").mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    time = np.arange(int(seconds * 44_100)) / 44_100
    rows = []
    for number in range(tracks):
        notes = rng.uniform(80, 800, 6)
        audio = sum(np.sin(2 * np.pi * f * time + rng.uniform(0, 6)) for f in notes)
        audio = 0.1 * audio * np.exp(-3 * (time % 0.5)) + rng.normal(0, 0.003, len(time))
        path = folder / "music" / f"{number:05d}.{kind}"
        soundfile.write(path, audio.astype(np.float32), 44_100)
        rows.append({"track_id": f"t{number:05d}", "uri": f"music/{path.name}"})
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return manifest


def audit_command(manifest: Path, output: Path) -> list[str]:
    return [sys.executable, "-m", "artifactnet", "audit", str(manifest), "-o", str(output)]


def table(output: Path | str, name: str) -> pd.DataFrame:
    """Rows of one table of an audit."""
    return duckdb.sql(f"SELECT * FROM read_parquet('{output}/{name}/*.parquet')").df()


def problems(output: Path | str, tracks: int) -> list[str]:
    """What is wrong with the tables of an audit of ``tracks`` good tracks; nothing is good."""
    found, counts = [], Counter(table(output, "tracks").track_id)
    if len(counts) != tracks:
        found.append(f"{len(counts)} of {tracks} tracks")
    if twice := [name for name, count in counts.items() if count > 1]:
        found.append(f"{len(twice)} tracks twice, e.g. {twice[0]}")
    segments = table(output, "segments")
    if segments.duplicated(["track_id", "codec", "start"]).any():
        found.append("segments twice")
    if set(segments.track_id) != set(counts):
        found.append("segments don't fit the tracks")
    if errors := len(table(output, "errors")):
        found.append(f"{errors} errors")
    return found


def scores(output: Path | str) -> dict[str, float]:
    """Score of each track."""
    tracks = table(output, "tracks")
    return dict(zip(tracks.track_id, tracks.p_ai, strict=True))


def largest_difference(one: dict[str, float], other: dict[str, float]) -> float:
    """Of the scores of two audits of the same tracks; infinite where the tracks differ."""
    if one.keys() != other.keys():
        return float("inf")
    return max((abs(one[name] - other[name]) for name in one), default=0.0)
