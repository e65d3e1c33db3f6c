"""Training audio in memory-mapped form, and the labelled manifests that name it.

Enters: a labelled manifest (JSONL) of short excerpts. Leaves: its rows, or an error that names the
line (the audit makes a bad line an error row and goes on; a training would learn from what is
left); and a ``Corpus``, every excerpt as mono float16 at the model's sample rate in one file on
disk, decoded once and used again by every later run.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track as progress

from artifactnet.transforms.audio.pyav_reader import PyAVReader
from artifactnet.transforms.audio.soundfile_reader import SoundfileReader
from artifactnet.transforms.audio.windows import mono_window
from artifactnet.transforms.elements.errors import AuditError

LABELS = ("ai", "real")
MANIFEST_COLUMNS = ("kind", "bench_origin")
"""That training needs beside those of every labelled manifest."""


def read_labelled(manifest: Path, columns: Iterable[str] = ()) -> list[dict[str, Any]]:
    """Rows of ``manifest``; blank lines are passed over.

    Args:
      manifest: JSONL.
      columns: needed beside ``track_id``, ``uri``, ``source`` and ``label``.

    Raises:
      FileNotFoundError: no such file.
      ValueError: it has no rows, or a line isn't an object with these columns as text.
    """
    rows = []
    for number, line in enumerate(manifest.read_text().splitlines(), start=1):
        if not line.strip():
            continue
        where = f"{manifest} line {number}"
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{where}: not JSON ({error.msg}); one object a line") from error
        if not isinstance(row, dict):
            raise ValueError(f"{where}: not an object; one object a line")
        needed = ("track_id", "uri", "source", "label", *columns)
        if missing := [n for n in needed if not (isinstance(row.get(n), str) and row[n])]:
            raise ValueError(
                f"{where}: needs text in the columns {', '.join(missing)}; "
                f"it has {', '.join(sorted(row)) or 'none'}"
            )
        if row["label"] not in LABELS:
            raise ValueError(f"{where}: label is {row['label']!r}; use ai or real")
        rows.append(row | {"uri": str((manifest.parent / row["uri"]).resolve())})
    if not rows:
        raise ValueError(f"{manifest} has no rows")
    return rows


LONGEST_SECONDS = 60.0
"""Of a longer piece its middle is taken; the excerpts of a pair must be shorter."""


@dataclass(frozen=True)
class Excerpt:
    """One labelled excerpt; ``begin`` and ``end`` are its samples in the corpus file."""

    track_id: str
    label: str
    kind: str
    source: str
    pair: str | None
    bench_origin: str
    begin: int
    end: int


COLUMNS = ("track_id", "label", "kind", "source", "pair", "bench_origin")
"""Of a manifest line, beside ``uri``; ``pair`` may be missing."""


@dataclass(frozen=True)
class Corpus:
    """All excerpts: ``samples`` is float16 ``[total]``, mapped from disk."""

    excerpts: tuple[Excerpt, ...]
    samples: NDArray[np.float16]

    def audio(self, excerpt: Excerpt) -> NDArray[np.float32]:
        """Mono float32 samples of one excerpt, peak at most 1."""
        return self.samples[excerpt.begin : excerpt.end].astype(np.float32)


def decode_excerpt(path: Path, sample_rate: int) -> NDArray[np.float32]:
    """Mono float32 ``[samples]`` of a local file; of a long one its middle minute.

    Raises:
      AuditError: no decoder reads it.
    """
    with path.open("rb") as file:
        try:
            reader = SoundfileReader(file, lambda: None)
        except AuditError:
            file.seek(0)
            reader = PyAVReader(file, lambda: None)  # type: ignore[assignment]
        duration = reader.info.duration
        start = max(0.0, (duration - LONGEST_SECONDS) / 2)
        samples = reader.read(start, min(duration, LONGEST_SECONDS))
    length = int(len(samples) * sample_rate / reader.info.sample_rate)
    return mono_window(samples, reader.info.sample_rate, sample_rate, length)


def _decoded(row: dict[str, Any], sample_rate: int) -> NDArray[np.float32]:
    try:
        return decode_excerpt(Path(row["uri"]), sample_rate)
    except AuditError as error:
        raise ValueError(f"track {row['track_id']}, {row['uri']}: {error}") from error


def load_corpus(manifest: Path, cache: Path, sample_rate: int) -> Corpus:
    """Decode ``manifest`` into ``cache`` unless an earlier run did, and map it.

    Args:
      manifest: JSONL with ``track_id``, ``uri``, ``label``, ``kind``, ``source``, ``pair``
        and ``bench_origin``.
      cache: folder for the decoded samples and their index.
      sample_rate: Hz.

    Raises:
      FileNotFoundError: no such manifest.
      ValueError: a line lacks a column, or its audio can't be decoded.
    """
    content = manifest.read_bytes()
    key = hashlib.sha256(content + f"{sample_rate} {LONGEST_SECONDS}".encode()).hexdigest()[:12]
    samples_path, index_path = cache / f"corpus-{key}.f16", cache / f"corpus-{key}.json"
    if not index_path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        excerpts, position = [], 0
        rows = read_labelled(manifest, MANIFEST_COLUMNS)
        with samples_path.open("wb") as out:
            for row in progress(rows, description="Decoding the corpus"):
                audio = _decoded(row, sample_rate)
                out.write(audio.astype(np.float16).tobytes())
                fields = {name: row.get(name) for name in COLUMNS}
                excerpts.append({**fields, "begin": position, "end": position + len(audio)})
                position += len(audio)
        index_path.write_text(json.dumps(excerpts))
    index = json.loads(index_path.read_text())
    return Corpus(
        excerpts=tuple(Excerpt(**fields) for fields in index),
        samples=np.memmap(samples_path, np.float16, mode="r"),
    )
