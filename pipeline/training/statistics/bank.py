"""A bank of forensic statistics of many crops.

Enters: a corpus and tracks at full length, as far as they are there. Leaves: shards
``BANK/SECTION/*.npz`` of statistics float32 ``[crops, statistics]`` and one JSON row a crop, and
with ``--audio`` the crops themselves beside them, ``*.audio.npy``, int16 ``[crops, samples]``.
Sections: ``train`` crops at random places through random chains (``--round`` for further ones),
``plain`` windows side by side, ``audit`` the windows that an audit takes, ``common`` the
same through the common channel, ``drift`` the same through MP3, AAC and Opus, of every fourth
track. A run goes on where the last one stopped, and takes in tracks that have arrived since.

Run as ``python -m artifactnet.pipeline.training.statistics.bank SECTION --bank BANK ...``.
"""

import json
import time
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer
from numpy.typing import NDArray

from artifactnet.models.statistics.forensic_statistics import forensic_statistics
from artifactnet.models.whole_file import whole_file
from artifactnet.pipeline.evaluation.common_channel import common_channel
from artifactnet.pipeline.training.statistics.crops import SAMPLE_RATE, draw, pass_through
from artifactnet.pipeline.training.statistics.tracks import Item, all_items
from artifactnet.transforms.audio.codec_spec import parse_codec
from artifactnet.transforms.audio.lossy_codec import PyAVBackend, codec_roundtrip
from artifactnet.transforms.audio.pyav_reader import PyAVReader
from artifactnet.transforms.audio.soundfile_reader import SoundfileReader
from artifactnet.transforms.audio.windows import AudioReader, mono_window, plan_windows
from artifactnet.transforms.elements.errors import AuditError

SECTIONS = ("train", "plain", "audit", "common", "drift")
WINDOW_SECONDS = 4.0
SHORTEST_SECONDS = 3.0
AUDIT_WINDOWS = 7
"""As many as an audit takes: what thresholds are set on."""
CODECS = ("mp3:128k", "aac:128k", "opus:96k")
SHARD_ROWS = 300
AUDIO_SAMPLES = 3 * SAMPLE_RATE
"""Kept of a crop: its middle."""


class Row(NamedTuple):
    """A crop, its statistics, and what is known of it."""

    features: NDArray[np.float32]
    audio: NDArray[np.float32]
    known: dict[str, Any]


def windows_wanted(item: Item, section: str) -> int:
    """How many crops of ``item``."""
    if section in ("common", "drift"):
        return 2
    song = item.commercial or (item.recorded and item.part == "full")
    if section == "audit":
        return AUDIT_WINDOWS
    if item.part == "corpus":
        return 2
    if section == "train":
        return 5 if song else 2
    return 4 if song else 2


@contextmanager
def open_track(path: str) -> Iterator[AudioReader]:
    """A reader of a local file."""
    with Path(path).open("rb") as file:
        reader: AudioReader
        try:
            reader = SoundfileReader(file, lambda: None)
        except AuditError:
            file.seek(0)
            reader = PyAVReader(file, lambda: None)
        try:
            yield reader
        finally:
            reader.close()


def measured(audio: NDArray[np.float32], known: dict[str, Any], channel: str) -> Row:
    """A crop ``[samples]`` with its statistics."""
    return Row(forensic_statistics(audio), audio, known | {"channel": channel})


def middle(audio: NDArray[np.float32]) -> NDArray[np.int16]:
    """The middle ``AUDIO_SAMPLES`` of ``audio``, with silence around what is shorter."""
    kept = np.zeros(AUDIO_SAMPLES, np.int16)
    begin = max(0, (len(audio) - AUDIO_SAMPLES) // 2)
    part = audio[begin : begin + AUDIO_SAMPLES]
    at = (AUDIO_SAMPLES - len(part)) // 2
    kept[at : at + len(part)] = np.round(np.clip(part, -1, 1) * 32_767)
    return kept


def crops_of(item: Item, section: str, round_: int) -> Iterator[Row]:
    """Statistics of each crop with what is known of it."""
    with open_track(item.path) as reader:
        yield from _crops(item, section, round_, reader)


def _crops(item: Item, section: str, round_: int, reader: AudioReader) -> Iterator[Row]:
    info = reader.info
    rng = np.random.default_rng(zlib.crc32(f"{item.track_id} {section} {round_}".encode()))
    count = windows_wanted(item, section)
    known = {
        **asdict(item),
        "commercial": item.commercial,
        "recorded": item.recorded,
        "sample_rate": info.sample_rate,
        "seconds": info.duration,
        "round": round_,
    }
    if info.duration < SHORTEST_SECONDS:
        raise AuditError(f"{info.duration:.1f} s")
    if section == "train":
        last = max(0.0, info.duration - WINDOW_SECONDS)
        starts = tuple(sorted((np.arange(count) + rng.random(count)) * last / count))
    else:
        starts = plan_windows(info.duration, WINDOW_SECONDS, count, section == "audit")
    for start in starts:
        samples = reader.read(start, WINDOW_SECONDS)
        if len(samples) < SHORTEST_SECONDS * info.sample_rate or np.abs(samples).max() < 1e-4:
            continue
        row = known | {"start": start}
        if section == "train":
            audio, description = pass_through(samples, info.sample_rate, draw(rng), rng)
            yield measured(audio, row, description)
            continue
        length = int(len(samples) * SAMPLE_RATE / info.sample_rate)
        audio = mono_window(samples, info.sample_rate, SAMPLE_RATE, length)
        if section in ("plain", "audit"):
            yield measured(audio, row, "as-is")
        elif section == "common":
            common = common_channel(audio, SAMPLE_RATE)
            yield measured(common, row, "common")
        else:
            for name in CODECS:
                coded = codec_roundtrip(audio, SAMPLE_RATE, parse_codec(name), PyAVBackend())
                yield measured(coded, row, name)


def finished(folder: Path) -> set[tuple[str, int]]:
    """Track and round of every row stored, and of the tracks that could not be read."""
    lines = (line for path in folder.glob("*.done") for line in path.read_text().splitlines())
    return {tuple(json.loads(line)) for line in lines}


def store(
    folder: Path, worker: int, rows: list[Row], tracks: list[tuple[str, int]], audio: bool
) -> None:
    """Write a shard, and after it the tracks that it completes."""
    if rows:
        name = f"{worker}-{time.time_ns()}"
        if audio:
            with whole_file(folder / f"{name}.audio.npy") as partial, partial.open("wb") as file:
                np.save(file, np.stack([middle(row.audio) for row in rows]))
        with whole_file(folder / f"{name}.npz") as partial, partial.open("wb") as file:
            np.savez(
                file,
                features=np.stack([row.features for row in rows]),
                rows=np.array([json.dumps(row.known) for row in rows]),
            )
    with (folder / f"{worker}.done").open("a") as file:
        file.writelines(json.dumps(track) + "\n" for track in tracks)


def shards(folder: Path) -> Iterator[tuple[NDArray[np.float32], list[dict[str, Any]]]]:
    """What was stored so far."""
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as shard:
            yield shard["features"], [json.loads(row) for row in shard["rows"]]


def fill(
    folder: Path,
    items: Iterable[Item],
    crops_of: Callable[[Item], Iterable[Row]],
    *,
    round_: int = 0,
    worker: int = 0,
    workers: int = 1,
    most: int = 0,
    audio: bool = False,
    shard_rows: int = SHARD_ROWS,
) -> None:
    """Store what ``items`` give, but for those that ``folder`` has already.

    Args:
      folder: of the section.
      items: tracks.
      crops_of: the rows of a track.
      round_: of the crops.
      worker: the part of the tracks that is filled now, from 0.
      workers: how many parts there are.
      most: tracks after which it ends; 0 for all.
      audio: keep the crops themselves.
      shard_rows: after how many rows a shard is written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    done = finished(folder)
    mine = [
        item
        for item in items
        if zlib.crc32(item.track_id.encode()) % workers == worker
        and (item.track_id, round_) not in done
    ][: most or None]
    rows: list[Row] = []
    tracks: list[tuple[str, int]] = []
    begin, crops, failed = time.monotonic(), 0, 0
    for number, item in enumerate(mine, start=1):
        try:
            found = list(crops_of(item))
            rows += found
            crops += len(found)
        except Exception as error:  # one bad track must not end a run of hours
            failed += 1
            print(f"{item.track_id}: {type(error).__name__}: {error}"[:200], flush=True)
        tracks.append((item.track_id, round_))
        if len(rows) >= shard_rows or number == len(mine):
            store(folder, worker, rows, tracks, audio)
            rows, tracks = [], []
            rate = crops / (time.monotonic() - begin)
            print(
                f"{folder.name} {round_}: {number} of {len(mine)} tracks, {crops} crops, "
                f"{rate:.1f} a second, {failed} failed",
                flush=True,
            )


def main(
    section: Annotated[str, typer.Argument(help=", ".join(SECTIONS))],
    bank: Annotated[Path, typer.Option(help="Folder of the bank.")],
    manifest: Annotated[Path, typer.Option(help="The corpus.")],
    full: Annotated[Path, typer.Option(help="List of tracks at full length.")],
    music: Annotated[Path, typer.Option(help="Folder with a folder of human music a source.")],
    round_: Annotated[int, typer.Option("--round", help="Of ``train``: further crops.")] = 0,
    worker: int = 0,
    workers: int = 1,
    most: Annotated[int, typer.Option(help="Stop after so many tracks.")] = 0,
    audio: Annotated[bool, typer.Option("--audio", help="Keep the crops themselves.")] = False,
) -> None:
    """Fill SECTION of a bank; a run goes on where the last one stopped."""
    if section not in SECTIONS:
        raise typer.BadParameter(f"use one of {', '.join(SECTIONS)}")
    warnings.simplefilter("ignore")
    items = all_items(manifest, full, music)
    if section == "drift":
        items = [one for one in items if zlib.crc32(b"drift" + one.track_id.encode()) % 4 == 0]
    if section == "common":
        items = [one for one in items if one.part != "debian"]
    fill(
        bank / section,
        items,
        lambda item: crops_of(item, section, round_),
        round_=round_,
        worker=worker,
        workers=workers,
        most=most,
        audio=audio,
    )


if __name__ == "__main__":
    typer.run(main)
