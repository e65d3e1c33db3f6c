"""Read objects of ``gs://`` and ``s3://`` by byte ranges, and write whole ones.

Enters: an address. Leaves: what the store says of the object, and pieces of it. The official
clients do the talking, with the credentials and endpoints of their platforms
(``AWS_ENDPOINT_URL_S3``, ``STORAGE_EMULATOR_HOST``, instance roles ...) or of Beam's own
flags. Errors that pass (429, 5xx, reset connections) are tried again with growing, random
pauses; those that don't (401, 403, 404) are not.
"""

import threading
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple, Protocol, TypeVar

import tenacity
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions, S3Options

from artifactnet.models.first_line import first_line
from artifactnet.transforms.elements.errors import (
    AudioForbiddenError,
    AudioNotFoundError,
    AudioUnreachableError,
)

ATTEMPTS = 7
LONGEST_PAUSE = 20.0
FIRST_PAUSE = 0.25
PASSING_NAMES = (
    *("Timeout", "Connection", "IncompleteRead", "Protocol", "Chunked"),
    *("HTTPClientError", "TransportError"),  # botocore's and google-auth's bases
)
PASSING_CODES = frozenset((408, 429, 500, 502, 503, 504))
ResultT = TypeVar("ResultT")


class ObjectFacts(NamedTuple):
    """Size in bytes, and a text that changes whenever the content does."""

    size: int
    identity: str


class S3Access(NamedTuple):
    """Where S3 is, when not where boto3 would look by itself; fields of Beam's ``S3Options``."""

    endpoint_url: str | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = None
    session_token: str | None = None
    region_name: str | None = None


def s3_access(options: PipelineOptions | None = None) -> S3Access:
    """What Beam's ``--s3_...`` flags say; without ``options``, those its filesystems were given."""
    given = options or FileSystems._pipeline_options or PipelineOptions([])
    s3 = given.view_as(S3Options)
    return S3Access(
        s3.s3_endpoint_url,
        s3.s3_access_key_id,
        s3.s3_secret_access_key,
        s3.s3_session_token,
        s3.s3_region_name,
    )


class ObjectStore(Protocol):
    """A store of objects; each method is one request."""

    def facts(self, bucket: str, name: str) -> ObjectFacts:
        """Size and identity."""
        ...

    def read(self, bucket: str, name: str, start: int, end: int) -> bytes:
        """Bytes ``[start, end)``."""
        ...

    def write(self, bucket: str, name: str, content: bytes) -> None:
        """Store an object, all of it or nothing."""
        ...

    def swap(self, bucket: str, name: str, content: bytes, identity: str) -> None:
        """Store an object in place of the one with ``identity``; of none where that is empty."""
        ...

    def delete(self, bucket: str, name: str) -> None:
        """Remove an object."""
        ...


class S3Store:
    """S3 and what speaks its protocol, by boto3."""

    def __init__(self, access: S3Access) -> None:
        import boto3
        from botocore.config import Config

        self._client = boto3.session.Session().client(
            "s3",
            endpoint_url=access.endpoint_url,
            aws_access_key_id=access.access_key_id,
            aws_secret_access_key=access.secret_access_key,
            aws_session_token=access.session_token,
            region_name=access.region_name,
            config=Config(
                retries={"total_max_attempts": 1},
                connect_timeout=10,
                read_timeout=60,
                max_pool_connections=50,
            ),
        )

    def facts(self, bucket: str, name: str) -> ObjectFacts:
        """HEAD."""
        head = self._client.head_object(Bucket=bucket, Key=name)
        version = head.get("VersionId") or ""
        return ObjectFacts(head["ContentLength"], f"etag {head['ETag']} {version}".strip())

    def read(self, bucket: str, name: str, start: int, end: int) -> bytes:
        """GET with a range."""
        found = self._client.get_object(Bucket=bucket, Key=name, Range=f"bytes={start}-{end - 1}")
        content: bytes = found["Body"].read()
        return content

    def write(self, bucket: str, name: str, content: bytes) -> None:
        """PUT."""
        self._client.put_object(Bucket=bucket, Key=name, Body=content)

    def swap(self, bucket: str, name: str, content: bytes, identity: str) -> None:
        """PUT under a condition; 412 where another object is there."""
        condition = {"IfMatch": identity.split()[1]} if identity else {"IfNoneMatch": "*"}
        self._client.put_object(Bucket=bucket, Key=name, Body=content, **condition)

    def delete(self, bucket: str, name: str) -> None:
        """DELETE."""
        self._client.delete_object(Bucket=bucket, Key=name)


class GcsStore:
    """Google Cloud Storage, by google-cloud-storage."""

    def __init__(self) -> None:
        import os

        from google.auth.credentials import AnonymousCredentials
        from google.cloud import storage

        emulated = bool(os.environ.get("STORAGE_EMULATOR_HOST"))
        self._client = (
            storage.Client(project="emulated", credentials=AnonymousCredentials())
            if emulated
            else storage.Client()
        )

    def facts(self, bucket: str, name: str) -> ObjectFacts:
        """Metadata."""
        blob = self._client.bucket(bucket).blob(name)
        blob.reload(retry=None, timeout=60)
        return ObjectFacts(blob.size, f"generation {blob.generation}")

    def read(self, bucket: str, name: str, start: int, end: int) -> bytes:
        """GET with a range."""
        blob = self._client.bucket(bucket).blob(name)
        content: bytes = blob.download_as_bytes(
            start=start, end=end - 1, retry=None, timeout=60, checksum=None
        )
        return content

    def write(self, bucket: str, name: str, content: bytes) -> None:
        """One upload."""
        blob = self._client.bucket(bucket).blob(name)
        blob.upload_from_string(content, "application/octet-stream", retry=None, timeout=120)

    def swap(self, bucket: str, name: str, content: bytes, identity: str) -> None:
        """One upload under a condition; 412 where another object is there."""
        self._client.bucket(bucket).blob(name).upload_from_string(
            content, "application/octet-stream", retry=None, timeout=120,
            if_generation_match=int(identity.split()[1]) if identity else 0,
        )  # fmt: skip

    def delete(self, bucket: str, name: str) -> None:
        """One request."""
        self._client.bucket(bucket).blob(name).delete(retry=None, timeout=60)


_opening = threading.Lock()


@lru_cache(maxsize=8)
def _open(scheme: str, access: S3Access) -> ObjectStore:
    return S3Store(access) if scheme == "s3" else GcsStore()


def store_of(scheme: str, access: S3Access) -> ObjectStore:
    """The store of this process for ``s3`` or ``gs``."""
    with _opening:
        return _open(scheme, access)


def split_address(uri: str) -> tuple[str, str, str]:
    """Scheme, bucket and name of ``scheme://bucket/name``."""
    scheme, _, rest = uri.partition("://")
    bucket, _, name = rest.partition("/")
    return scheme, bucket, name


def status_of(error: BaseException) -> int | None:
    """The HTTP status in an error of a storage client, if it has one."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):  # botocore
        return response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    for name in ("code", "status_code"):
        code: Any = getattr(error, name, None)
        if isinstance(code, int) and not isinstance(code, bool):
            return int(code)
    return getattr(response, "status_code", None)


def passes(error: BaseException) -> bool:
    """Whether trying again may help: a busy store, or a connection that broke."""
    status = status_of(error)
    if status is not None:
        return status in PASSING_CODES
    if isinstance(error, FileNotFoundError | PermissionError):
        return False
    names = " ".join(kind.__name__ for kind in type(error).__mro__)
    return isinstance(error, OSError) or any(word in names for word in PASSING_NAMES)


def with_retries(work: Callable[[], ResultT]) -> ResultT:
    """``work()``, tried again while its errors are of the kind that passes.

    Raises:
      Exception: whatever ``work`` raises, at last.
    """
    return tenacity.Retrying(
        retry=tenacity.retry_if_exception(passes),
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        wait=tenacity.wait_random_exponential(FIRST_PAUSE, LONGEST_PAUSE),
        reraise=True,
    )(work)


def storage_error(
    uri: str, error: Exception
) -> AudioNotFoundError | AudioForbiddenError | AudioUnreachableError:
    """The error row's class for what a storage client raised about ``uri``."""
    status = status_of(error)
    if status == 404 or isinstance(error, FileNotFoundError):
        return AudioNotFoundError(f"no such object: {uri}")
    if status in (401, 403):
        return AudioForbiddenError(f"no permission to read {uri}")
    tries = f" ({ATTEMPTS} attempts)" if passes(error) else ""
    return AudioUnreachableError(f"{uri}: {first_line(error)}{tries}")
