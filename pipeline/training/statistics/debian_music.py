"""Human music out of Debian packages, as a bank of statistics wants it.

Enters: names of packages that ``apt-get`` can download. Leaves: ``OUT/PACKAGE/``, links to the
pieces of music in each, and in ``OUT.packages``, beside it, what was unpacked. Sound effects and
voices are left out: what is shorter than ``SHORTEST_SECONDS``, or shorter than
``SHORTEST_UNNAMED`` where no folder or name says that it is music. Music inside ``.pk3`` files,
which are zips, is found too.

Run as ``python -m artifactnet.pipeline.training.statistics.debian_music OUT PACKAGE...``.
"""

import re
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from artifactnet.pipeline.training.statistics.bank import open_track
from artifactnet.pipeline.training.statistics.tracks import AUDIO, SHORTEST_MUSIC_BYTES
from artifactnet.transforms.elements.errors import AuditError

SHORTEST_SECONDS, SHORTEST_UNNAMED = 12.0, 30.0
NAMED = re.compile(r"music|song|bgm|soundtrack|track|theme", re.IGNORECASE)
MOST_BYTES = 2**26
"""Of a piece inside a ``.pk3``."""


def unpacked(package: str, folder: Path) -> Path:
    """Folder with the files of ``package``, downloaded unless it is there.

    Raises:
      ValueError: it can't be downloaded, or holds no package.
    """
    target = folder / package
    if target.exists():
        return target
    downloads = folder / "deb"
    downloads.mkdir(parents=True, exist_ok=True)
    command = ["apt-get", "download", "-qq", package]
    done = subprocess.run(command, cwd=downloads, capture_output=True, text=True, check=False)  # noqa: S603
    found = sorted(downloads.glob(f"{package}_*.deb"))
    if not found:
        raise ValueError(f"{package}: {done.stderr.strip() or 'no package was downloaded'}")
    subprocess.run(["dpkg-deb", "-x", str(found[-1]), str(target)], check=True)  # noqa: S603, S607
    for archive in target.rglob("*.pk3"):
        _unzip_music(archive)
    return target


def _unzip_music(archive: Path) -> None:
    with zipfile.ZipFile(archive) as packed:
        for member in packed.infolist():
            if Path(member.filename).suffix.lower() in AUDIO and member.file_size < MOST_BYTES:
                packed.extract(member, archive.with_suffix(".unpacked"))


def seconds_of(path: Path) -> float:
    """Length of a file; 0 for one that is no audio."""
    try:
        with open_track(str(path)) as reader:
            return reader.info.duration
    except AuditError:
        return 0.0


def is_music(name: str, seconds: float) -> bool:
    """Whether a file of that name, below its package, is a piece of music by its length."""
    return seconds >= (SHORTEST_SECONDS if NAMED.search(name) else SHORTEST_UNNAMED)


def music_of(folder: Path) -> Iterator[Path]:
    """Pieces of music below ``folder``, the unpacked package, in order."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in AUDIO and path.is_file() and not path.is_symlink():
            long = path.stat().st_size >= SHORTEST_MUSIC_BYTES
            if long and is_music(str(path.relative_to(folder)), seconds_of(path)):
                yield path


def main(
    out: Annotated[Path, typer.Argument(help="Folder for a folder of music a package.")],
    packages: Annotated[list[str], typer.Argument(help="Names of packages.")],
) -> None:
    """Download packages and link their music; one that is there already stays."""
    for package in packages:
        try:
            source = unpacked(package, out.with_name(f"{out.name}.packages"))
        except ValueError as error:
            print(f"error: {error}")
            continue
        count = 0
        for path in music_of(source):
            link = out / package / path.relative_to(source)
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.exists():
                link.symlink_to(path.resolve())
            count += 1
        print(f"{package}: {count} pieces", flush=True)


if __name__ == "__main__":
    typer.run(main)
