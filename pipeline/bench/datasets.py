"""Public data sets, listed from their own layout into a labelled manifest.

Enters: the name of a data set and the folder that it was unpacked to. Leaves: rows for
``artifactnet bench``, of files whose SHA-256 is as it was; or, without a folder, what to download.
Nothing is downloaded here: each has a licence that its user has to agree to.
"""

import csv
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from artifactnet.models.whole_file import whole_file
from artifactnet.pipeline.audit.catalogue import AUDIO_SUFFIXES
from artifactnet.pipeline.evaluation.labels import AI, REAL, known_label
from artifactnet.transforms.elements.errors import AuditError

SUMS = "SHA256SUMS"
Row = dict[str, Any]


class DataSetError(ValueError):
    """A data set is not what its name promises; the message says what is missing."""


@dataclass(frozen=True)
class DataSet:
    """A public data set.

    Attributes:
      name: on the command line.
      title: its own.
      where: to get it from.
      licence: of the audio.
      layout: what must lie in the folder.
      rows: lists a folder; of each row ``path`` and what is known.
    """

    name: str
    title: str
    where: str
    licence: str
    layout: str
    rows: Callable[[Path], Iterator[Row]]


def audio_in(folder: Path) -> Iterator[Path]:
    """Audio files in and below ``folder``, in the order of their names."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in AUDIO_SUFFIXES and not path.name.startswith("._"):
            yield path


def _need(path: Path) -> Path:
    if not path.exists():
        raise DataSetError(f"{path}: not there")
    return path


def _table(path: Path) -> Iterator[dict[str, str]]:
    with _need(path).open(newline="", encoding="utf-8-sig") as file:
        yield from csv.DictReader(file)


def sonics_rows(folder: Path) -> Iterator[Row]:
    """``fake_songs/*.mp3`` of ``fake_songs.csv``; ``real_songs/*`` of ``real_songs.csv``."""
    for label, name in ((AI, "fake"), (REAL, "real")):
        there = {path.stem: path for path in audio_in(folder / f"{name}_songs")}
        for row in _table(folder / f"{name}_songs.csv"):
            path = there.get(row.get("filename", "")) or there.get(row.get("youtube_id", ""))
            if path is None:
                continue
            known: Row = {"path": path, "label": label, "bench_origin": row.get("split") or None}
            if label == AI:
                known |= {
                    "generator": row.get("algorithm") or row.get("source"),
                    "source": "sonics",
                }
            else:
                known |= {"source": "sonics-youtube"}
            yield known


def fma_rows(folder: Path) -> Iterator[Row]:
    """``NNN/NNNNNN.mp3``, all of it human."""
    for path in audio_in(folder):
        if path.stem.isdecimal():
            yield {"path": path, "label": REAL, "source": "fma", "track_id": f"fma-{path.stem}"}


def fakemusiccaps_rows(folder: Path) -> Iterator[Row]:
    """A folder a generator; the originals, if they are there, in ``real`` or ``MusicCaps``."""
    for path in audio_in(folder):
        inside = path.relative_to(folder).parts
        if len(inside) < 2:
            continue
        human = any(part.lower() in ("real", "musiccaps") for part in inside[:-1])
        yield {
            "path": path,
            "label": REAL if human else AI,
            "generator": None if human else inside[-2].lower().replace("_", "-"),
            "source": "musiccaps" if human else "fakemusiccaps",
            "pair": path.stem,  # every generator was given the captions of the same excerpts
        }


def artifactbench_rows(folder: Path) -> Iterator[Row]:
    """``artifactbench_v2_primary_manifest.json``, and audio of any name, found by its SHA-256."""
    manifest = _need(folder / "artifactbench_v2_primary_manifest.json")
    tracks = json.loads(manifest.read_text())["tracks"]
    wanted = {track["audio_sha256"]: track for track in tracks}
    for path in audio_in(folder):
        track = wanted.pop(sha256(path), None)
        if track is not None:
            yield {
                "path": path,
                "track_id": track["track_id"],
                "label": known_label(track["label"]),
                "generator": track.get("generator"),
                "source": track["source"],
                "bench_origin": track.get("protocol_split") or track.get("bench_origin"),
                "pair": track.get("lineage_id"),
            }


def aime_rows(folder: Path) -> Iterator[Row]:
    """Parquet shards, whose audio is laid out as files in ``audio/`` first."""
    shards = sorted(folder.rglob("*.parquet"))
    if not shards:
        raise DataSetError(f"{folder}: holds no Parquet shards")
    (folder / "audio").mkdir(exist_ok=True)
    for shard in shards:
        file = pq.ParquetFile(shard)
        for group in range(file.num_row_groups):
            ids = file.read_row_group(group, ["id", "model"]).to_pylist()
            missing = not all(list((folder / "audio").glob(f"{one['id']}.*")) for one in ids)
            audio = file.read_row_group(group, ["audio"])["audio"].to_pylist() if missing else ids
            for row, sound in zip(ids, audio, strict=True):
                if "bytes" in sound:
                    suffix = Path(sound.get("path") or "").suffix or ".mp3"
                    path = folder / "audio" / f"{row['id']}{suffix}"
                    with whole_file(path) as partial:
                        partial.write_bytes(sound["bytes"])
                (path,) = list((folder / "audio").glob(f"{row['id']}.*"))[:1]
                human = "jamendo" in str(row["model"]).lower()
                yield {
                    "path": path,
                    "track_id": f"aime-{row['id']}",
                    "label": REAL if human else AI,
                    "generator": None if human else str(row["model"]).lower().replace(" ", "-"),
                    "source": "mtg-jamendo" if human else "aime",
                }


DATA_SETS = {
    one.name: one
    for one in (
        DataSet(
            "artifactbench", "ArtifactBench v2, 828 tracks (605 generated, 223 human)",
            "https://huggingface.co/datasets/intrect/artifactbench (folder v2)",
            "manifest CC BY-NC 4.0; audio by its sources",
            "artifactbench_v2_primary_manifest.json, and the audio that it names (AIME, FMA, "
            "intrect/artifactbench-v1) anywhere below; files are known by their SHA-256",
            artifactbench_rows,
        ),
        DataSet(
            "sonics", "SONICS (arXiv 2408.14080), 49,074 generated and 48,090 human songs",
            "https://huggingface.co/datasets/awsaf49/sonics; human songs by youtube_id",
            "CC BY-NC 4.0",
            "fake_songs.csv, fake_songs/*.mp3, real_songs.csv, real_songs/FILENAME.wav",
            sonics_rows,
        ),
        DataSet(
            "fma", "FMA (arXiv 1612.01840), human music: small, medium, large or full",
            "https://github.com/mdeff/fma", "Creative Commons, by track",
            "fma_*/NNN/NNNNNN.mp3", fma_rows,
        ),
        DataSet(
            "fakemusiccaps", "FakeMusicCaps (arXiv 2409.10684), five generators of 5,521 captions",
            "https://zenodo.org/records/15063698; originals from MusicCaps", "CC BY 4.0",
            "GENERATOR/*.wav, and originals in real/*.wav where you have them", fakemusiccaps_rows,
        ),
        DataSet(
            "aime", "AIME, 6,000 tracks of 12 generators and 500 of MTG-Jamendo",
            "https://huggingface.co/datasets/disco-eth/AIME (62 GB)",
            "CC BY 4.0; human ones by track",
            "*.parquet with id, model and audio; the audio is laid out as audio/ID.*",
            aime_rows,
        ),
    )
}  # fmt: skip


def data_set(name: str) -> DataSet:
    """The data set ``name``.

    Raises:
      DataSetError: there is none.
    """
    if name not in DATA_SETS:
        raise DataSetError(f"{name}: no such data set; use one of {', '.join(DATA_SETS)}")
    return DATA_SETS[name]


def instructions(chosen: DataSet) -> str:
    """What to download, and where to put it."""
    return "\n".join(
        (
            chosen.title,
            f"  from:    {chosen.where}",
            f"  licence: {chosen.licence}",
            f"  layout:  {chosen.layout}",
            f"then: artifactnet dataset {chosen.name} FOLDER -o {chosen.name}.jsonl",
        )
    )


def sha256(path: Path) -> str:
    """Of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_sums(path: Path) -> dict[str, str]:
    """Names and SHA-256 of a file as ``sha256sum`` writes it.

    Raises:
      DataSetError: a line is none of those.
    """
    sums = {}
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        digest, _, name = line.partition(" ")
        if len(digest) != 64 or not name.strip(" *"):
            raise DataSetError(f"{path}: line {number} is not 'SHA-256  name'")
        sums[name[1:].removeprefix("./")] = digest.lower()
    return sums


@dataclass(frozen=True)
class Listed:
    """What was listed.

    Attributes:
      rows: of the manifest.
      changed: files whose SHA-256 is another; left out.
      absent: files that the sums name and that are not there.
      unknown: files that the sums don't name.
    """

    rows: list[Row]
    changed: list[str]
    absent: list[str]
    unknown: list[str]


def list_data_set(chosen: DataSet, folder: Path, sums: dict[str, str] | None) -> Listed:
    """Rows of the data set in ``folder``, checked by ``sums`` where there are any.

    Raises:
      DataSetError: the layout is another, or nothing was found.
    """
    if not folder.is_dir():
        raise DataSetError(
            f"{folder}: no such folder; 'artifactnet dataset {chosen.name}' says what to download"
        )
    rows: list[Row] = []
    changed, unknown, seen = [], [], set[str]()
    try:
        for known in chosen.rows(folder):
            path = known.pop("path")
            name = path.relative_to(folder).as_posix()
            seen.add(name)
            if sums is not None:
                if name not in sums:
                    unknown.append(name)
                elif sha256(path) != sums[name]:
                    changed.append(name)
                    continue
            if known.get("label") is None:
                continue  # of a manifest with a class that nobody knows
            plain = {key: value for key, value in known.items() if value is not None}
            rows.append({"track_id": f"{chosen.name}/{name}", "uri": str(path.absolute())} | plain)
    except (KeyError, TypeError, ValueError, AuditError, OSError, pa.ArrowException) as error:
        if isinstance(error, DataSetError):
            raise
        raise DataSetError(f"{folder}: not laid out as {chosen.name} ({error!r})") from error
    if not rows and not changed:
        raise DataSetError(f"{folder}: no track of {chosen.name} in it; layout: {chosen.layout}")
    audio = {name for name in sums or () if Path(name).suffix.lower() in AUDIO_SUFFIXES}
    return Listed(rows, changed, sorted(audio - seen), unknown)


def write_sums(rows: list[Row], folder: Path, path: Path) -> None:
    """Write the SHA-256 of the files of ``rows``, as ``sha256sum`` does."""
    lines = (
        f"{sha256(Path(row['uri']))}  {Path(row['uri']).relative_to(folder.absolute())}\n"
        for row in rows
    )
    with whole_file(path) as partial:
        partial.write_text("".join(lines))


def make_manifest(
    name: str, folder: Path | None, output: Path | None, sums: Path | None, save_sums: bool
) -> tuple[str, int]:
    """List a data set into ``output``; text for a person, and an exit code.

    Raises:
      DataSetError: the data set is not there, or not as it should be.
    """
    chosen = data_set(name)
    if folder is None:
        return instructions(chosen), 0
    if output is None:
        raise DataSetError("name the manifest to write with --output")
    if sums and save_sums:
        raise DataSetError("--sums checks by a list and --save-sums writes one; use one of them")
    listed = list_data_set(chosen, folder, read_sums(sums) if sums else None)
    with whole_file(output) as partial:
        partial.write_text("".join(json.dumps(row) + "\n" for row in listed.rows))
    if save_sums:
        write_sums(listed.rows, folder, folder / SUMS)
    generated = sum(row["label"] == AI for row in listed.rows)
    lines = [f"{output}: {generated} generated and {len(listed.rows) - generated} human tracks"]
    for what, names in (
        ("changed, left out", listed.changed),
        ("named by the sums and not there", listed.absent),
        ("not named by the sums", listed.unknown),
    ):
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            lines.append(f"{len(names)} {what}: {', '.join(names[:3])}{more}")
    return "\n".join(lines), int(bool(listed.changed or listed.absent))
