"""What identifies the content of a track without reading it.

Enters: a ``ManifestRow``. Leaves: a text that changes when the
content does: size and time of change of a local file, ETag or generation of an object, for
audio inside a manifest the manifest's identity and the row. What was audited under the same
identity, by the same model and configuration, need not be audited again.
"""

import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from artifactnet.transforms.elements.errors import (
    AudioForbiddenError,
    AudioNotFoundError,
    AudioUnreachableError,
)
from artifactnet.transforms.elements.records import EmbeddedAudio, ManifestRow
from artifactnet.transforms.storage.object_store import (
    ObjectFacts,
    ObjectStore,
    S3Access,
    split_address,
    storage_error,
    store_of,
    with_retries,
)


def object_facts(uri: str, access: S3Access) -> tuple[ObjectStore, ObjectFacts]:
    """The store of an object, and what it says of it.

    Raises:
      AudioNotFoundError, AudioForbiddenError, AudioUnreachableError: by what went wrong.
    """
    scheme, bucket, name = split_address(uri)
    try:
        store = store_of(scheme, access)
        return store, with_retries(lambda: store.facts(bucket, name))
    except Exception as error:  # storage clients raise classes of their own
        raise storage_error(uri, error) from error


@contextmanager
def local_errors(path: str) -> Iterator[None]:
    """Give what opening a local file raises the class of its error row.

    Raises:
      AudioNotFoundError, AudioForbiddenError, AudioUnreachableError: by what went wrong.
    """
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise AudioNotFoundError(f"no such file: {path}") from error
    except PermissionError as error:
        raise AudioForbiddenError(f"no permission to read {path}") from error
    except OSError as error:
        raise AudioUnreachableError(f"{path}: {error.strerror}") from error


def _local(path: str) -> str:
    with local_errors(path):
        status = Path(path).stat()
    if not stat.S_ISREG(status.st_mode):
        raise AudioNotFoundError(f"not a file: {path}")
    return f"size {status.st_size} changed {status.st_mtime_ns}"


def identity(address: str, access: S3Access) -> str:
    """Identity of a local file or an object.

    Raises:
      AudioNotFoundError, AudioForbiddenError, AudioUnreachableError: by what went wrong.
    """
    if "://" not in address:
        return _local(address)
    return object_facts(address, access)[1].identity


@lru_cache(maxsize=64)
def _of_manifest(address: str, access: S3Access, job: str) -> str:
    del job  # a manifest is looked at once a job, not once a row
    return identity(address, access)


def content_id(row: ManifestRow, access: S3Access, job: str) -> str:
    """Identity of the audio of ``row``; ``job`` is the id of the run that asks.

    Raises:
      AudioNotFoundError, AudioForbiddenError, AudioUnreachableError: by what went wrong.
    """
    if row.embedded is None:
        return identity(row.uri, access)
    place = f"row group {row.embedded.row_group} row {row.embedded.row}"
    return f"{_of_manifest(row.embedded.manifest, access, job)} {place}"


PLACE = re.compile(r" row group (\d+) row (\d+)$")
INSIDE = re.compile(r"(?P<manifest>.+)#\d+(?:/.*)?", re.DOTALL)
"""Address of audio inside a manifest: the manifest, the line, and what the row calls it."""


def embedded_place(uri: str, found: str, column: str) -> EmbeddedAudio | None:
    """Where the audio of an audited track lies, if that is inside a manifest.

    Args:
      uri: of the track, as an audit wrote it.
      found: its ``content_id``.
      column: of the manifest that holds audio.
    """
    place, inside = PLACE.search(found), INSIDE.fullmatch(uri)
    if place is None or inside is None:
        return None
    return EmbeddedAudio(inside["manifest"], column, int(place[1]), int(place[2]))
