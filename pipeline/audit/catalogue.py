"""What the user calls a catalogue, turned into manifests.

Enters: a manifest, a folder or a glob, local or in an object store. Leaves: addresses of
manifests. A folder or glob of audio files is listed into a manifest of its own first, so
that an audit knows a single form of input.
"""

import json
import logging
import os
import posixpath
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import NamedTuple

from apache_beam.io.filesystem import BeamIOError
from apache_beam.io.filesystems import FileSystems

from artifactnet.models.first_line import first_line
from artifactnet.pipeline.output.layout import is_run_file
from artifactnet.transforms.manifests.columns import ManifestError
from artifactnet.transforms.manifests.formats import UNPACKERS, is_unicode, manifest_format
from artifactnet.transforms.storage.files import GLOB_CHARACTERS, absolute

AUDIO_SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("3g2", "3gp", "aac", "ac3", "aif", "aifc", "aiff", "amr", "ape", "asf", "au", "avi"),
        *("bwf", "caf", "dsf", "dts", "eac3", "flac", "flv", "m2ts", "m4a", "m4b", "m4v", "mka"),
        *("mkv", "mov", "mp2", "mp3", "mp4", "mpc", "mpeg", "mpg", "mpga", "mts", "oga", "ogg"),
        *("ogv", "opus", "ra", "rf64", "rm", "snd", "spx", "tak", "ts", "tta", "vob", "voc"),
        *("w64", "wav", "webm", "wma", "wmv", "wv"),
    )
)
"""Of files whose sound FFmpeg's libraries decode."""
logger = logging.getLogger(__name__)


def _match(pattern: str) -> list[str]:
    try:
        return [found.path for found in FileSystems.match([pattern])[0].metadata_list]
    except (BeamIOError, OSError, ValueError) as error:
        text = first_line(error)
        raise ManifestError(f"{pattern}: can't be listed ({text})") from error


def _is_companion(path: str) -> bool:
    """Whether macOS put the file beside another one, to hold its attributes."""
    parts = path.split("/")
    return parts[-1].startswith("._") or "__MACOSX" in parts


def _walk(folder: str) -> list[str]:
    return [path for path in _all_files(folder) if not _is_companion(path)]


def _all_files(folder: str) -> list[str]:
    if "://" in folder:
        return [path for path in _match(posixpath.join(folder, "**")) if not is_run_file(path)]
    # Not by glob: the names of folders may hold characters that mean something there.
    found, visited = [], set()
    for base, folders, names in os.walk(folder, onerror=_refuse, followlinks=True):
        status = Path(base).stat()
        if (status.st_dev, status.st_ino) in visited:
            folders.clear()  # a link back to where we have been
            continue
        visited.add((status.st_dev, status.st_ino))
        found += [os.path.join(base, name) for name in names if not is_run_file(name)]
    return found


def _refuse(error: OSError) -> None:
    raise ManifestError(f"{error.filename}: can't be listed ({error.strerror})") from error


def find_files(catalogue: str) -> list[str]:
    """Files that ``catalogue`` names: itself, what a glob matches, or all of a folder.

    Raises:
      ManifestError: nothing is there.
    """
    if not catalogue:
        raise ManifestError("the catalogue's name is empty")
    address = absolute(catalogue)
    in_store, why_nothing = "://" in address, "no such file or folder"
    if not in_store and os.path.isdir(address):
        found, why_nothing = _walk(address), "the folder has no files in it"
    elif not in_store and os.path.exists(address):
        found = [address]
    elif GLOB_CHARACTERS & set(address):
        found = [path for path in _match(address) if "://" in path or Path(path).is_file()]
        why_nothing = "no file matches"
    elif in_store:
        found = _match(address) or _walk(address)
        # An object store has no folders: one that is empty isn't there.
        why_nothing = "no such file or folder, or nothing in it"
    else:
        found = []
    if not found:
        raise ManifestError(f"{catalogue}: {why_nothing}")
    return sorted(found)


def audio_files(files: list[str]) -> list[str]:
    """Those whose name ends like that of an audio or video file."""
    return [path for path in files if PurePosixPath(path).suffix.lower() in AUDIO_SUFFIXES]


def manifest_lines(files: Sequence[str], root: str) -> Iterator[str]:
    """One JSON line per file; ``track_id`` is the path below ``root``, ``uri`` is absolute."""
    for path in files:
        below = path.removeprefix(root.rstrip("/") + "/")
        # A name that isn't Unicode goes through as escapes, to become an error row by that name.
        readable = is_unicode(path)
        yield json.dumps({"track_id": below, "uri": path}, ensure_ascii=not readable) + "\n"


def common_root(catalogue: str) -> str:
    """The part of ``catalogue`` that all of its files share."""
    address = absolute(catalogue)
    parts = address.split("/")
    for index, part in enumerate(parts):
        if GLOB_CHARACTERS & set(part):
            return "/".join(parts[:index])
    is_file = manifest_format(address) or PurePosixPath(address).suffix.lower() in AUDIO_SUFFIXES
    return posixpath.dirname(address) if is_file else address


def write_manifest(catalogue: str, target: str, overwrite: bool = False) -> int:
    """List the audio files of a folder or glob into a JSONL manifest at ``target``.

    Returns:
      How many tracks it lists.

    Raises:
      ManifestError: no audio file is there, or ``target`` is no name for a new manifest.
    """
    if manifest_format(target) != "jsonl" or PurePosixPath(target).suffix in UNPACKERS:
        raise ManifestError(f"{target}: the name of the new manifest must end in .jsonl")
    if FileSystems.exists(target) and not overwrite:
        raise ManifestError(f"{target} is there already; replace it with --overwrite")
    files = audio_files(find_files(catalogue))
    if not files:
        raise ManifestError(f"{catalogue}: no audio file in it (by the end of the name)")
    write_listing(files, catalogue, target)
    return len(files)


def write_listing(files: Sequence[str], catalogue: str, target: str) -> None:
    """Write audio ``files`` of ``catalogue`` into a JSONL manifest at ``target``."""
    with FileSystems.create(target, "application/octet-stream") as out:
        for line in manifest_lines(files, common_root(catalogue)):
            out.write(line.encode())


class Manifests(NamedTuple):
    """What a catalogue comes down to.

    Attributes:
      addresses: of its manifests.
      to_list: audio files that are to be listed into the only one of them first; or none.
      left_out: how many files beside them were taken for something else, by suffix.
    """

    addresses: tuple[str, ...]
    to_list: tuple[str, ...] = ()
    left_out: tuple[tuple[str, int], ...] = ()


@contextmanager
def readable(manifests: Manifests, catalogue: str) -> Iterator[tuple[str, ...]]:
    """Addresses of manifests that can be read before an audit has begun.

    Audio files are listed into a file that is gone after the block.
    """
    if not manifests.to_list:
        yield manifests.addresses
        return
    with TemporaryDirectory() as folder:
        listing = str(Path(folder) / PurePosixPath(manifests.addresses[0]).name)
        write_listing(manifests.to_list, catalogue, listing)
        yield (listing,)


def find_manifests(catalogue: str, files: list[str], listing: str) -> Manifests:
    """Manifests of a catalogue; of audio files, the one at ``listing`` into which they will go.

    ``files`` are what ``find_files`` found there; tables of an audit that lie in a folder
    are no part of them.

    Raises:
      ManifestError: there is neither a manifest nor an audio file.
    """
    sounds = audio_files(files)
    if not sounds:
        manifests = tuple(path for path in files if manifest_format(path))
        if not manifests:
            raise ManifestError(
                f"{catalogue}: neither a manifest (.jsonl, .csv, .parquet) nor audio files"
            )
        if unreadable := [path for path in manifests if not is_unicode(path)]:
            raise ManifestError(f"{unreadable[0]!r}: the path of a manifest must be Unicode")
        return Manifests(manifests)
    if unread := [path for path in files if manifest_format(path)]:
        logger.warning(
            "%s holds audio files, so %s is not read as a manifest", catalogue, unread[0]
        )
    heard = set(sounds)
    others = Counter(
        PurePosixPath(path).suffix.lower() or "no suffix" for path in files if path not in heard
    )
    return Manifests((listing,), tuple(sounds), tuple(others.most_common()))
