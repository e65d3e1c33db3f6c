"""What tells one line of a catalogue from all others, in every run.

Enters: a line, or a row that an earlier run wrote about it. Leaves: its key, and the bucket in
which all rows of that key meet. A track is known by its ``track_id``; a line that made no track is
known by its place, since it has no usable id. A listing of files is made anew by each run, so its
lines are known by the names of the files.
"""

import hashlib
import re

import pyarrow as pa

MANIFEST_STAGE = "manifest"
"""The stage of an error row whose line made no track."""


RUN_ID = r"\d{8}T\d{6}-[0-9a-f]{6}"
LISTING = re.compile(rf"manifest-{RUN_ID}\.jsonl")
"""Name of the manifest that a run makes of a folder."""


def readable(text: str) -> str:
    """``text`` with what is no Unicode as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def digest_of(text: str) -> bytes:
    """SHA-256 of ``text``, whatever of it is no Unicode; the same in every process."""
    return hashlib.sha256(readable(text).encode()).digest()


def is_listing(manifest: str) -> bool:
    """Whether a run made the manifest of a folder."""
    return bool(LISTING.fullmatch(re.split(r"[/\\]", manifest)[-1]))


def place_key(manifest: str, line: int, track_id: str) -> str:
    """Key of a line that made no track."""
    if track_id and is_listing(manifest):
        return f"listing\n{readable(track_id)}"
    return f"{manifest}\n{line}"


def bucket_of(key: str, buckets: int) -> int:
    """Number of the bucket of ``key``."""
    return int.from_bytes(digest_of(key)[:8]) % buckets


def row_key(track_id: str | None, stage: str | None, manifest: str | None, line: int | None) -> str:
    """Key of a row of ``tracks/`` (``stage`` is ``None``) or of ``errors/``."""
    if stage != MANIFEST_STAGE:
        return track_id or ""
    return place_key(manifest or "", line or 0, track_id or "")


def table_keys(table: pa.Table, name: str) -> list[str]:
    """Key of every row of a table; ``name`` is ``tracks``, ``segments`` or ``errors``.

    The columns don't tell which: a manifest's own, such as ``stage``, are carried into ``tracks``.
    """
    ids = table["track_id"].to_pylist()
    if name != "errors":
        return ids
    columns = (table[name].to_pylist() for name in ("stage", "manifest", "line"))
    return [row_key(*row) for row in zip(ids, *columns, strict=True)]
