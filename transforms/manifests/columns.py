"""What the columns of a catalogue are, and one manifest row made of a raw one.

Enters: manifests. Leaves: a ``ManifestLayout``, the names and types of the columns that
are carried into the output, found by a look at the manifests before any work starts; and,
with it, ``ManifestRow`` values whose carried columns fit those types.
"""

import json
import posixpath
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import unquote

import pyarrow as pa
from apache_beam.io.filesystems import FileSystems

from artifactnet.models.first_line import first_line
from artifactnet.transforms.elements.errors import ManifestRowError
from artifactnet.transforms.elements.records import EmbeddedAudio, ManifestRow, RawRow
from artifactnet.transforms.manifests.formats import (
    about_rows,
    is_unicode,
    manifest_format,
    parquet_summary,
    read_rows,
)
from artifactnet.transforms.manifests.parquet import AUDIO_COLUMN

TEXT_COLUMNS = ("label", "generator", "source", "bench_origin")
KNOWN_COLUMNS = frozenset(("track_id", "uri", AUDIO_COLUMN, *TEXT_COLUMNS))
SCHEMES = ("gs", "s3", "file")
MOST_COLUMNS = 500
"""Carried columns; what is beyond goes to ``other_columns``."""

PEEK_ROWS = 200_000
"""Rows that are looked at to find the carried columns of JSONL and CSV."""


class ManifestError(ValueError):
    """The catalogue as a whole can't be audited; the message is one line."""


@dataclass(frozen=True)
class ManifestLayout:
    """Carried columns, name and Arrow type, in the order of first appearance."""

    carried: tuple[tuple[str, pa.DataType], ...] = ()


class _Seen(NamedTuple):
    """Usable rows read, rows there are (about, if not all were read), first problem."""

    usable: int
    total: int
    problem: str


def _without_source(columns: Iterable[str]) -> str:
    """Problem of a manifest whose rows name no audio."""
    names = ", ".join(sorted(columns)[:8]) or "none"
    return f"no column uri or audio; its columns are {names}"


def _type_of(value: Any) -> pa.DataType:
    if isinstance(value, bool):
        return pa.bool_()
    if isinstance(value, int) and -(1 << 63) <= value < 1 << 63:
        return pa.int64()
    return pa.float64() if isinstance(value, float) else pa.string()


def _merged(first: pa.DataType | None, second: pa.DataType) -> pa.DataType:
    if first is None or first == second:
        return second
    return pa.float64() if {first, second} == {pa.int64(), pa.float64()} else pa.string()


@dataclass(frozen=True)
class Inspection:
    """What a look at the manifests found; ``rows`` are estimated beyond ``PEEK_ROWS``."""

    layout: ManifestLayout
    rows: int


def _look_at(address: str, types: dict[str, pa.DataType | None], budget: int) -> _Seen:
    """Merge the column types of one manifest into ``types``; read at most ``budget`` rows."""
    if manifest_format(address) == "parquet":
        schema, rows = parquet_summary(address)
        for field in schema:
            if field.name not in KNOWN_COLUMNS:
                kind = pa.string() if pa.types.is_null(field.type) else field.type
                types[field.name] = _merged(types.get(field.name), kind)
        if not {"uri", AUDIO_COLUMN} & set(schema.names):
            return _Seen(0, rows, _without_source(schema.names))
        return _Seen(rows, rows, "")
    usable = total = 0
    problem = ""
    for row in read_rows(address):
        total += 1
        if isinstance(row, ManifestRowError):
            problem = problem or str(row)
            continue
        if not {"uri", AUDIO_COLUMN} & row.values.keys():
            problem = problem or f"line {row.line}: {_without_source(row.values)}"
            continue
        usable += 1
        for name, value in row.values.items():
            if name not in KNOWN_COLUMNS and is_unicode(name):
                if name not in types and len(types) >= MOST_COLUMNS:
                    continue
                types.setdefault(name, None)
                if value is not None:
                    types[name] = _merged(types[name], _type_of(value))
        if total >= budget:
            return _Seen(usable, max(total, about_rows(address)), problem)
    return _Seen(usable, total, problem)


def inspect_manifests(addresses: Iterable[str]) -> Inspection:
    """Look at the manifests of a catalogue before work starts.

    Raises:
      ManifestError: one is missing or unreadable, or there is not a single usable row.
    """
    types: dict[str, pa.DataType | None] = {}
    addresses = list(addresses)
    seen: list[_Seen] = []
    for address in addresses:
        looked_at = sum(look.usable for look in seen)
        try:
            seen.append(_look_at(address, types, max(1, PEEK_ROWS - looked_at)))
        except FileNotFoundError as error:
            raise ManifestError(f"{address}: no such manifest") from error
        except (OSError, ValueError) as error:
            text = first_line(error)
            raise ManifestError(text if address in text else f"{address}: {text}") from error
    if not any(look.usable for look in seen):
        where = addresses[0] if len(addresses) == 1 else f"{len(addresses)} manifests"
        problem = next((look.problem for look in seen if look.problem), "it is empty")
        raise ManifestError(f"{where}: no track to audit ({problem})")
    return Inspection(
        ManifestLayout(tuple((name, kind or pa.string()) for name, kind in types.items())),
        sum(look.total for look in seen),
    )


def resolve_uri(uri: str, manifest: str) -> str:
    """Absolute address of a track; relative ones start at the manifest's folder.

    Raises:
      ManifestRowError: a scheme that can't be read.
    """
    if "\0" in unquote(uri):
        raise ManifestRowError(f"uri {uri!r} has a zero byte in it")
    scheme, separator, rest = uri.partition("://")
    if separator:
        if scheme not in SCHEMES:
            known = ", ".join(f"{name}://" for name in SCHEMES)
            raise ManifestRowError(f"uri {uri!r} can't be read; use a path or {known}")
        return unquote(rest.removeprefix("localhost")) if scheme == "file" else uri
    if posixpath.isabs(uri):
        return uri
    base, separator, folder = manifest.partition("://")
    if separator:
        return f"{base}://{posixpath.join(posixpath.dirname(folder), uri)}"
    return FileSystems.join(posixpath.dirname(manifest) or ".", uri)


def _text(values: dict[str, Any], name: str) -> str | None:
    value = values.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if value is not None and not isinstance(value, str):
        raise ManifestRowError(f"column {name} must be text, not {type(value).__name__}")
    return value or None


def _fitting(name: str, value: Any, kind: pa.DataType) -> Any:
    """``value`` as it goes into a column of type ``kind``."""
    if value is None:
        return None
    if pa.types.is_string(kind):
        return value if isinstance(value, str) else json.dumps(value, default=str)
    try:
        if pa.types.is_floating(kind) and isinstance(value, int):
            return float(value)
        fitted = pa.scalar(value, kind).as_py()
        if isinstance(value, float) and isinstance(fitted, int) and fitted != value:
            raise ValueError("a fraction would be lost")
        return fitted
    except (pa.ArrowException, OverflowError, ValueError, TypeError) as error:
        raise ManifestRowError(
            f"column {name} holds {kind} elsewhere, here {type(value).__name__} {value!r:.60}"
        ) from error


def manifest_row(raw: RawRow, manifest: str, layout: ManifestLayout) -> ManifestRow:
    """Make a row of what the file holds.

    Raises:
      ManifestRowError: no URI and no audio, a column of the wrong type, or text that is
        no Unicode.
    """
    values = raw.values
    uri = _text(values, "uri")
    embedded = None
    audio = values.get(AUDIO_COLUMN)
    if raw.has_audio and not uri:
        embedded = EmbeddedAudio(manifest, AUDIO_COLUMN, raw.row_group, raw.row)
        path = audio.get("path") if isinstance(audio, dict) else None
        uri = f"{manifest}#{raw.line}" + (f"/{path}" if path else "")
    elif not uri:
        path = audio.get("path") if isinstance(audio, dict) else audio
        uri = path if isinstance(path, str) else None
    if not uri:
        raise ManifestRowError("neither uri nor audio")
    uri = uri if embedded else resolve_uri(uri, manifest)
    known = {name for name, _ in layout.carried}
    others = {k: v for k, v in values.items() if k not in known and k not in KNOWN_COLUMNS}
    row = ManifestRow(
        track_id=_text(values, "track_id") or uri,
        uri=uri,
        manifest=manifest,
        line=raw.line,
        embedded=embedded,
        carried=tuple((n, _fitting(n, values.get(n), kind)) for n, kind in layout.carried),
        other_columns=json.dumps(others, default=str) if others else "",
        label=_text(values, "label"),
        generator=_text(values, "generator"),
        source=_text(values, "source"),
        bench_origin=_text(values, "bench_origin"),
    )
    texts = (row.track_id, row.uri, row.label, row.generator, row.source, row.bench_origin)
    for text in (*texts, *values, *(value for _, value in row.carried)):
        if isinstance(text, str) and not is_unicode(text):
            raise ManifestRowError("text that is not valid Unicode (use UTF-8, or rename the file)")
    return row
