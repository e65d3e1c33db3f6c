"""Training audio in memory-mapped form.

Enters: a labelled manifest (JSONL) of short excerpts. Leaves: a :class:`Corpus`, every
excerpt as mono float16 at the model's sample rate in one file on disk, decoded once and
reused by every later run.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track as progress

from pipeline.training.labelled_rows import read_labelled
from transforms.audio_decoding import mono_window
from transforms.audio_errors import AuditError
from transforms.pyav_reader import PyAVReader
from transforms.soundfile_reader import SoundfileReader

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
        rows = read_labelled(manifest, ("kind", "bench_origin"))
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
