"""The layout in which ArtifactBench is published.

Enters: a folder with Parquet files (generated tracks, their audio embedded), CSV files (ids
of real tracks, which users fetch themselves), and audio files named by those ids. Leaves: a
catalogue that the audit reads, and the ids whose audio is absent.
"""

import csv
import json
import shutil
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq

from artifactnet.pipeline.audit.catalogue import audio_files
from artifactnet.transforms.manifests.parquet import AUDIO_COLUMN

ID_COLUMNS = ("track_id", "id", "youtube_id", "yt_id", "video_id", "ytid")


class PublishedLayout(NamedTuple):
    """What is there of a published benchmark.

    Attributes:
      catalogue: folder of manifests to audit.
      absent: ids in the CSV files whose audio is not in the folder.
    """

    catalogue: str
    absent: tuple[str, ...]


def _is_embedded(path: Path) -> bool:
    return AUDIO_COLUMN in pq.read_schema(path).names


def is_published_layout(folder: str) -> bool:
    """Whether ``folder`` is local and holds embedded audio beside lists of ids."""
    path = Path(folder)
    if "://" in folder or not path.is_dir():
        return False
    embedded = any(_is_embedded(one) for one in path.rglob("*.parquet"))
    return embedded and any(_id_column(one) for one in path.rglob("*.csv"))


def _id_column(path: Path) -> str:
    with path.open(newline="", encoding="utf-8-sig") as file:
        names = next(csv.reader(file), [])
    if "uri" in names:
        return ""
    return next((name for name in ID_COLUMNS if name in names), "")


def _real_rows(path: Path, audio: dict[str, str]) -> tuple[list[dict], list[str]]:
    column = _id_column(path)
    rows: list[dict] = []
    absent: list[str] = []
    if not column:
        return rows, absent
    with path.open(newline="", encoding="utf-8-sig") as file:
        for row in csv.DictReader(file):
            name = row.pop(column) or ""
            if name in audio:
                known = {key: value for key, value in row.items() if key and value}
                rows.append({"label": "real", **known, "track_id": name, "uri": audio[name]})
            else:
                absent.append(name)
    return rows, absent


def read_published_layout(folder: str, work: Path) -> PublishedLayout:
    """Lay the benchmark in ``folder`` out as manifests in ``work``, which is replaced.

    The Parquet files are linked, not copied.
    """
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    root = Path(folder).absolute()
    files = sorted(path for path in root.rglob("*") if path.is_file())
    audio = {Path(path).stem: path for path in audio_files([str(path) for path in files])}
    rows, absent = [], []
    for number, path in enumerate(files):
        if path.suffix == ".parquet" and _is_embedded(path):
            (work / f"{number:04d}-{path.name}").symlink_to(path)
        elif path.suffix == ".csv":
            some, missing = _real_rows(path, audio)
            rows += some
            absent += missing
    if rows:
        (work / "real.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return PublishedLayout(str(work), tuple(absent))
