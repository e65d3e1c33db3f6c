"""What the user calls a catalogue, turned into manifests.

Enters: a manifest, a folder or a glob, local or in an object store. Leaves: addresses of
manifests. A folder or glob of audio files is listed into a manifest of its own first, so
that an audit knows a single form of input.
"""

import json
import os
import posixpath
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from apache_beam.io.filesystem import BeamIOError
from apache_beam.io.filesystems import FileSystems

from transforms.manifest_format import manifest_format
from transforms.manifest_layout import ManifestError

AUDIO_SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("aac", "ac3", "aif", "aiff", "amr", "ape", "au", "caf", "dsf", "flac", "m4a", "m4b"),
        *("mka", "mkv", "mov", "mp2", "mp3", "mp4", "mpc", "oga", "ogg", "opus", "ra", "tta"),
        *("voc", "w64", "wav", "webm", "wma", "wv"),
    )
)
GLOB_CHARACTERS = frozenset("*?[")


def absolute(address: str) -> str:
    """Local paths from the root on; addresses in object stores as they are."""
    return address if "://" in address else os.path.abspath(address)


def _match(pattern: str) -> list[str]:
    try:
        return [found.path for found in FileSystems.match([pattern])[0].metadata_list]
    except (BeamIOError, OSError, ValueError) as error:
        text = str(error).splitlines()[0]
        raise ManifestError(f"{pattern}: can't be listed ({text})") from error


def _walk(folder: str) -> list[str]:
    if "://" in folder:
        return _match(posixpath.join(folder, "**"))
    # Not by glob: the names of folders may hold characters that mean something there.
    return [os.path.join(base, name) for base, _, names in os.walk(folder) for name in names]


def find_files(catalogue: str) -> list[str]:
    """Files that ``catalogue`` names: itself, what a glob matches, or all of a folder.

    Raises:
      ManifestError: nothing is there.
    """
    address = absolute(catalogue)
    if "://" not in address and os.path.isdir(address):
        found = _walk(address)
    elif "://" not in address and os.path.exists(address):
        found = [address]
    elif GLOB_CHARACTERS & set(address):
        found = [path for path in _match(address) if "://" in path or Path(path).is_file()]
    else:
        found = _match(address) if "://" in address else []
        found = found or (_walk(address) if "://" in address else [])
    if not found:
        raise ManifestError(f"{catalogue}: no such file or folder, or nothing in it")
    return sorted(found)


def audio_files(files: list[str]) -> list[str]:
    """Those whose name ends like that of an audio or video file."""
    return [path for path in files if PurePosixPath(path).suffix.lower() in AUDIO_SUFFIXES]


def manifest_lines(files: list[str], root: str) -> Iterator[str]:
    """One JSON line per file; ``track_id`` is the path below ``root``, ``uri`` is absolute."""
    for path in files:
        below = path.removeprefix(root.rstrip("/") + "/")
        yield json.dumps({"track_id": below, "uri": path}, ensure_ascii=False) + "\n"


def common_root(catalogue: str) -> str:
    """The part of ``catalogue`` that all of its files share."""
    address = absolute(catalogue)
    parts = address.split("/")
    for index, part in enumerate(parts):
        if GLOB_CHARACTERS & set(part):
            return "/".join(parts[:index])
    is_file = manifest_format(address) or PurePosixPath(address).suffix.lower() in AUDIO_SUFFIXES
    return posixpath.dirname(address) if is_file else address


def write_manifest(catalogue: str, target: str) -> int:
    """List the audio files of a folder or glob into a JSONL manifest at ``target``.

    Returns:
      How many tracks it lists.

    Raises:
      ManifestError: no audio file is there.
    """
    files = audio_files(find_files(catalogue))
    if not files:
        raise ManifestError(f"{catalogue}: no audio file in it (by the end of the name)")
    with FileSystems.create(target, "application/octet-stream") as out:
        for line in manifest_lines(files, common_root(catalogue)):
            out.write(line.encode("utf-8", "surrogatepass"))
    return len(files)


def manifests_of(catalogue: str, listing: str) -> tuple[str, ...]:
    """Manifests of a catalogue; audio files are listed into a new one at ``listing``.

    Raises:
      ManifestError: there is neither a manifest nor an audio file.
    """
    files = find_files(catalogue)
    if not audio_files(files):
        manifests = tuple(path for path in files if manifest_format(path))
        if not manifests:
            raise ManifestError(
                f"{catalogue}: neither a manifest (.jsonl, .csv, .parquet) nor audio files"
            )
        return manifests
    write_manifest(catalogue, listing)
    return (listing,)
