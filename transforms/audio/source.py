"""Open the bytes of a track, wherever they lie.

Enters: a ``ManifestRow``. Leaves: a seekable binary file and the
SHA-256 of its bytes where all of them were read. Local files are opened in place; of an
object only the ranges come that the decoder asks for (``transforms.storage.range_file``), of a
small one everything; bytes inside a Parquet manifest stay in memory.
"""

import hashlib
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple

from artifactnet.transforms.audio.soundfile_reader import looks_like_mpeg
from artifactnet.transforms.audio.windows import DecodeLimits
from artifactnet.transforms.elements.errors import (
    AudioNotFoundError,
    DecodeLimitError,
    EmptyAudioError,
)
from artifactnet.transforms.elements.records import ManifestRow
from artifactnet.transforms.manifests.parquet import EmbeddedAudioReader
from artifactnet.transforms.storage.fingerprint import local_errors, object_facts
from artifactnet.transforms.storage.object_store import S3Access, split_address, storage_error
from artifactnet.transforms.storage.range_file import RangeFile

SMALL_BYTES = 512 << 10
"""An object up to this size is fetched whole: one request costs less than several."""

BUFFER_BYTES = 16 << 10


class OpenAudio(NamedTuple):
    """A file to decode.

    Attributes:
      file: seekable, at position 0.
      sha256: of its content, hexadecimal; ``None`` where not all of it was read.
      ranges: what fetches an object; ``None`` for other files.
    """

    file: BinaryIO
    sha256: str | None
    ranges: RangeFile | None = None


@contextmanager
def open_audio(
    row: ManifestRow,
    limits: DecodeLimits,
    embedded: EmbeddedAudioReader,
    access: S3Access = S3Access(),  # noqa: B008 (a tuple)
) -> Iterator[OpenAudio]:
    """Open the audio of ``row``; it is closed, and a temporary file removed, on leaving.

    Raises:
      AudioNotFoundError, AudioForbiddenError, AudioUnreachableError: by what went wrong.
      EmptyAudioError: no bytes.
      DecodeLimitError: more than ``limits.max_bytes``.
    """
    if row.embedded:
        content = embedded.read(row.embedded)
        _check_size(len(content), limits)
        yield OpenAudio(io.BytesIO(content), hashlib.sha256(content).hexdigest())
    elif "://" in row.uri:
        with _open_object(row.uri, limits, access) as ranges:
            yield _opened(row.uri, ranges)
    else:
        with _open_local(row.uri, limits) as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            yield OpenAudio(file, sha256)


def _check_size(size: int, limits: DecodeLimits) -> None:
    if size == 0:
        raise EmptyAudioError("the file has no bytes")
    if size > limits.max_bytes:
        raise DecodeLimitError(f"{size} bytes; at most {limits.max_bytes} are read")


def _open_local(path: str, limits: DecodeLimits) -> io.BufferedReader:
    with local_errors(path):
        # Not blocking, so that a named pipe in a catalogue can't hold a worker up.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise AudioNotFoundError(f"not a file: {path}")
        _check_size(status.st_size, limits)
    except BaseException:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "rb")


def _open_object(uri: str, limits: DecodeLimits, access: S3Access) -> RangeFile:
    _, bucket, name = split_address(uri)
    store, facts = object_facts(uri, access)
    _check_size(facts.size, limits)
    return RangeFile(store, bucket, name, facts.size)


def _opened(uri: str, ranges: RangeFile) -> OpenAudio:
    try:
        if ranges.size > SMALL_BYTES and not _is_mpeg(ranges):
            return OpenAudio(io.BufferedReader(ranges, BUFFER_BYTES), None, ranges)
        whole = ranges.fetch_whole()
    except Exception as error:  # storage clients raise classes of their own
        raise storage_error(uri, error) from error
    digest = hashlib.file_digest(whole, "sha256").hexdigest()  # type: ignore[arg-type]
    whole.seek(0)
    return OpenAudio(whole, digest, ranges)


def _is_mpeg(ranges: RangeFile) -> bool:
    """Whether an object is an MP3, in which a place is found by reading up to it."""
    head = ranges.read(3) or b""
    ranges.seek(0)
    return looks_like_mpeg(head)
