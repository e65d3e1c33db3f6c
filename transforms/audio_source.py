"""Open the bytes of a track, wherever they lie.

Enters: a :class:`~transforms.records.ManifestRow`. Leaves: a seekable binary file and the
SHA-256 of its bytes. Local files are opened in place; objects are streamed to a temporary
file that is gone after the track; bytes inside a Parquet manifest stay in memory.
"""

import hashlib
import io
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from transforms.audio_decoding import DecodeLimits
from transforms.audio_errors import (
    AudioForbiddenError,
    AudioNotFoundError,
    AudioUnreachableError,
    DecodeLimitError,
    EmptyAudioError,
)
from transforms.embedded_audio import EmbeddedAudioReader
from transforms.records import ManifestRow

NOT_FOUND = re.compile(r"\b404\b|not ?found", re.IGNORECASE)
FORBIDDEN = re.compile(r"\b40[13]\b|forbidden|access ?denied", re.IGNORECASE)
BLOCK = 1 << 20
MEMORY_BYTES = 64 << 20
"""An object up to this size stays in memory."""


class OpenAudio(NamedTuple):
    """A seekable file at position 0, and the SHA-256 of its content in hexadecimal."""

    file: BinaryIO
    sha256: str


@contextmanager
def open_audio(
    row: ManifestRow, limits: DecodeLimits, embedded: EmbeddedAudioReader
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
        with tempfile.SpooledTemporaryFile(MEMORY_BYTES) as file:
            yield OpenAudio(file, _download(row.uri, file, limits))  # type: ignore[arg-type]
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
    try:
        # Not blocking, so that a named pipe in a catalogue can't hold a worker up.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise AudioNotFoundError(f"no such file: {path}") from error
    except PermissionError as error:
        raise AudioForbiddenError(f"no permission to read {path}") from error
    except OSError as error:
        raise AudioUnreachableError(f"{path}: {error.strerror}") from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise AudioNotFoundError(f"not a file: {path}")
        _check_size(status.st_size, limits)
    except BaseException:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "rb")


def _download(uri: str, target: BinaryIO, limits: DecodeLimits) -> str:
    digest = hashlib.sha256()
    size = 0
    try:
        with FileSystems.open(uri, compression_type=CompressionTypes.UNCOMPRESSED) as source:
            while block := source.read(BLOCK):
                size += len(block)
                if size > limits.max_bytes:
                    break
                digest.update(block)
                target.write(block)
    except Exception as error:  # storage clients raise classes of their own
        raise _storage_error(uri, error) from error
    _check_size(size, limits)
    target.seek(0)
    return digest.hexdigest()


def _storage_error(
    uri: str, error: Exception
) -> AudioNotFoundError | AudioForbiddenError | AudioUnreachableError:
    text = str(error).replace(uri, "")  # an address may hold a 404 of its own
    code = getattr(error, "code", None)
    said = "" if isinstance(code, int) else text
    if isinstance(error, FileNotFoundError) or code == 404 or NOT_FOUND.search(said):
        return AudioNotFoundError(f"no such object: {uri}")
    if code in (401, 403) or FORBIDDEN.search(said):
        return AudioForbiddenError(f"no permission to read {uri}")
    return AudioUnreachableError(f"{uri}: {text.splitlines()[0] if text else repr(error)}")
