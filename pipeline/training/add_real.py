"""More real music beside a corpus, for training.

Enters: a corpus' manifest and a folder that holds one folder of music a source, such as unpacked
Debian packages. Leaves: a manifest of both, paths absolute. Pieces that the corpus holds
out are left out, by source and file name of their ``origin`` (``debian:PACKAGE:PATH``).

Run as ``python -m artifactnet.pipeline.training.add_real MANIFEST MUSIC OUT``.
"""

import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import typer

from artifactnet.pipeline.training.corpus import read_labelled
from artifactnet.transforms.audio.pyav_reader import PyAVReader
from artifactnet.transforms.elements.errors import AuditError

SUFFIXES = (".flac", ".mp3", ".ogg", ".opus", ".wav")


def held_out_pieces(rows: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """Source and file name of every real row that isn't for training."""
    return {
        (row["source"], PurePosixPath(str(row.get("origin", ""))).name)
        for row in rows
        if row["label"] == "real" and row.get("bench_origin") != "train"
    }


def _seconds(path: Path) -> float:
    try:
        with path.open("rb") as file:
            return PyAVReader(file, lambda: None).info.duration
    except AuditError:
        return 0.0


def real_rows(
    music: Path, left_out: set[tuple[str, str]], shortest: float
) -> Iterator[dict[str, Any]]:
    """A row for each piece below ``music``, in the order of their paths."""
    for path in sorted(music.rglob("*")):
        if path.suffix.lower() not in SUFFIXES or not path.is_file():
            continue
        inside = path.relative_to(music)
        source = inside.parts[0]
        if (source, path.name) not in left_out and _seconds(path) >= shortest:
            yield {
                "track_id": str(inside).replace("/", "-"),
                "uri": str(path.resolve()),
                "label": "real",
                "kind": "real",
                "source": source,
                "bench_origin": "train",
            }


def main(
    manifest: Path,
    music: Path,
    out: Path,
    shortest: Annotated[float, typer.Option(help="Seconds; effects are shorter.")] = 10.0,
) -> None:
    """Write MANIFEST and the pieces below MUSIC to OUT."""
    rows = read_labelled(manifest)
    more = list(real_rows(music, held_out_pieces(rows), shortest))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("".join(json.dumps(row) + "\n" for row in [*rows, *more]))
    print(f"{out}: {len(rows)} rows of {manifest} and {len(more)} pieces of {music}")


if __name__ == "__main__":
    typer.run(main)
