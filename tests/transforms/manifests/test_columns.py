import datetime
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from artifactnet.transforms.elements.errors import ManifestRowError
from artifactnet.transforms.elements.records import RawRow
from artifactnet.transforms.manifests.columns import (
    MOST_COLUMNS,
    Inspection,
    ManifestError,
    ManifestLayout,
    inspect_manifests,
    manifest_row,
    resolve_uri,
)
from artifactnet.transforms.manifests.formats import read_rows


def inspect(path: Path, *rows: object) -> Inspection:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return inspect_manifests([str(path)])


def test_carried_columns_get_the_type_of_their_values(tmp_path: Path) -> None:
    found = inspect(
        tmp_path / "m.jsonl",
        {"uri": "a", "isrc": "X1", "year": 1999, "live": True, "gain": 1, "mixed": 1, "none": None},
        {"uri": "b", "gain": 0.5, "mixed": "one", "tags": ["a", "b"]},
    )
    assert found.rows == 2
    assert dict(found.layout.carried) == {
        "isrc": pa.string(),
        "year": pa.int64(),
        "live": pa.bool_(),
        "gain": pa.float64(),
        "mixed": pa.string(),
        "none": pa.string(),
        "tags": pa.string(),
    }


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_empty_manifest(tmp_path: Path, content: str) -> None:
    (tmp_path / "m.jsonl").write_text(content)
    with pytest.raises(ManifestError, match=r"m\.jsonl: no track to audit \(it is empty\)"):
        inspect_manifests([str(tmp_path / "m.jsonl")])


def test_manifest_of_nonsense_quotes_its_first_problem(tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text("hello\nworld\n")
    with pytest.raises(ManifestError, match="line 1: not JSON: Expecting value at character 1"):
        inspect_manifests([str(tmp_path / "m.jsonl")])


def test_manifest_without_a_column_of_audio_says_what_it_has(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="no column uri or audio; its columns are URI, title"):
        inspect(tmp_path / "m.jsonl", {"URI": "a", "title": "b"})


def test_columns_without_end_are_bounded(tmp_path: Path) -> None:
    found = inspect(tmp_path / "m.jsonl", *({"uri": "a", f"k{n}": n} for n in range(2000)))
    assert len(found.layout.carried) == MOST_COLUMNS


@pytest.mark.parametrize("name", ["gone.jsonl", "gone.parquet"])
def test_missing_manifest_is_one_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(ManifestError) as caught:
        inspect_manifests([str(tmp_path / name)])
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_parquet_types_are_kept(tmp_path: Path) -> None:
    day = datetime.date(2026, 1, 2)
    table = pa.table({"uri": ["a"], "day": [day], "nothing": pa.nulls(1), "tags": [["x"]]})
    path = str(tmp_path / "m.parquet")
    pq.write_table(table, path)
    found = inspect_manifests([path])
    types = dict(found.layout.carried)
    assert types["day"] == pa.date32()
    assert types["nothing"] == pa.string()
    (raw,) = read_rows(path)
    assert isinstance(raw, RawRow)
    row = manifest_row(raw, path, found.layout)
    assert dict(row.carried) == {"day": day, "nothing": None, "tags": ["x"]}


@pytest.mark.parametrize(
    ("uri", "manifest", "expected"),
    [
        ("a/b.wav", "/x/m.jsonl", "/x/a/b.wav"),
        ("/a/b.wav", "/x/m.jsonl", "/a/b.wav"),
        ("a/b.wav", "gs://bucket/x/m.jsonl", "gs://bucket/x/a/b.wav"),
        ("a.wav", "s3://bucket/m.jsonl", "s3://bucket/a.wav"),
        ("gs://other/a.wav", "/x/m.jsonl", "gs://other/a.wav"),
        ("file:///a/b%20c.wav", "/x/m.jsonl", "/a/b c.wav"),
        ("it's #1 ♥.wav", "/x/m.jsonl", "/x/it's #1 ♥.wav"),
    ],
)
def test_uris(uri: str, manifest: str, expected: str) -> None:
    assert resolve_uri(uri, manifest) == expected


def row(values: dict, layout: ManifestLayout | None = None, **place: int):
    return manifest_row(RawRow(5, values, **place), "/x/m.jsonl", layout or ManifestLayout())


def test_track_id_comes_from_the_uri_when_absent() -> None:
    assert row({"uri": "a/b.wav"}).track_id == "/x/a/b.wav"
    assert row({"uri": "a/b.wav", "track_id": 17}).track_id == "17"


def test_embedded_audio() -> None:
    found = row({"track_id": "t", "audio": {"path": "a.wav"}}, row_group=2, row=1, has_audio=True)
    assert found.uri == "/x/m.jsonl#5/a.wav"
    assert found.embedded is not None
    assert (found.embedded.row_group, found.embedded.row) == (2, 1)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "neither uri nor audio"),
        ({"uri": ""}, "neither uri nor audio"),
        ({"uri": ["a"]}, "column uri must be text, not list"),
        ({"uri": "a", "track_id": {"x": 1}}, "column track_id must be text, not dict"),
        ({"uri": "a", "label": 1.5}, "column label must be text, not float"),
        ({"uri": "http://x/a.wav"}, "can't be read; use a path or gs://"),
        ({"uri": "a", "label": "Bj\udcf6rk"}, "not valid Unicode"),
        ({"uri": "a", "\ud800": 1}, "not valid Unicode"),
        ({"uri": "a", "year": 1.5}, "column year holds int64"),
        ({"audio": None}, "neither uri nor audio"),
        ({"uri": "a", "year": "soon"}, "column year holds int64 elsewhere, here str 'soon'"),
        ({"uri": "a", "year": 1 << 70}, "column year holds int64"),
        ({"uri": "\ud800.wav"}, "not valid Unicode"),
        ({"uri": "a", "title": "\ud800"}, "not valid Unicode"),
    ],
)
def test_unusable_rows(values: dict, said: str) -> None:
    layout = ManifestLayout((("year", pa.int64()), ("title", pa.string())))
    with pytest.raises(ManifestRowError, match=said):
        row(values, layout)


def test_columns_that_the_look_did_not_see_are_kept() -> None:
    assert json.loads(row({"uri": "a", "late": [1]}).other_columns) == {"late": [1]}
