import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms import manifest_format as module
from transforms.audio_errors import ManifestRowError
from transforms.manifest_format import RawRow, manifest_format, read_rows


def rows_of(path: Path, content: bytes) -> list[RawRow | ManifestRowError]:
    path.write_bytes(content)
    return list(read_rows(str(path)))


def test_formats_by_name() -> None:
    names = [
        "a.jsonl",
        "a.ndjson",
        "a.csv",
        "a.parquet",
        "a.jsonl.gz",
        "a.parquet.gz",
        "a.wav",
        "a",
    ]
    expected = ["jsonl", "jsonl", "csv", "parquet", "jsonl", None, None, None]
    assert [manifest_format(f"gs://bucket/x/{name}") for name in names] == expected


def test_jsonl_names_the_line_of_what_is_malformed(tmp_path: Path) -> None:
    content = b'\xef\xbb\xbf{"uri": "a"}\n\n{bad\n[1]\n"text"\n\xff\xfe\n{"uri": "b"}'
    rows = rows_of(tmp_path / "m.jsonl", content)
    assert [type(row).__name__ for row in rows] == ["RawRow", *["ManifestRowError"] * 4, "RawRow"]
    assert [str(row).split(":")[0] for row in rows[1:5]] == [f"line {n}" for n in (3, 4, 5, 6)]
    assert isinstance(rows[5], RawRow)
    assert rows[5].line == 7


def test_jsonl_line_of_any_length_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LONGEST_LINE", 100)
    long = json.dumps({"uri": "x" * 1000}).encode()
    first, second = rows_of(tmp_path / "m.jsonl", long + b'\n{"uri": "b"}\n')
    assert isinstance(first, ManifestRowError)
    assert second == RawRow(2, {"uri": "b"})


def test_jsonl_nested_too_deeply(tmp_path: Path) -> None:
    (row,) = rows_of(tmp_path / "m.jsonl", b'{"a":' + b"[" * 100_000 + b"\n")
    assert isinstance(row, ManifestRowError)


@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=300))
def test_no_bytes_stop_the_reading(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    for name in ("m.jsonl", "m.csv"):
        for row in rows_of(folder / name, content):
            assert isinstance(row, RawRow | ManifestRowError)


def test_gzip(tmp_path: Path) -> None:
    assert rows_of(tmp_path / "m.jsonl.gz", gzip.compress(b'{"uri": "a"}\n')) == [
        RawRow(1, {"uri": "a"})
    ]


def test_csv_with_quotes_newlines_and_empty_cells(tmp_path: Path) -> None:
    content = 'uri,artist\na.wav,"Sigur ""R"" ós\nand friends"\nb.wav,\nc.wav,x,y\n'.encode()
    rows = rows_of(tmp_path / "m.csv", content)
    assert rows[0] == RawRow(3, {"uri": "a.wav", "artist": 'Sigur "R" ós\nand friends'})
    assert rows[1] == RawRow(4, {"uri": "b.wav", "artist": None})
    assert "line 5: 3 cells under 2 column names" in str(rows[2])


def test_parquet_leaves_the_audio_where_it_is(tmp_path: Path) -> None:
    audio = [{"bytes": b"RIFF", "path": f"{n}.wav"} for n in range(5)]
    table = pa.table({"track_id": [str(n) for n in range(5)], "audio": audio})
    pq.write_table(table, tmp_path / "m.parquet", row_group_size=3)
    rows = list(read_rows(str(tmp_path / "m.parquet")))
    assert rows[3] == RawRow(4, {"track_id": "3", "audio": {"path": "3.wav"}}, 1, 0)


def test_parquet_of_audio_alone(tmp_path: Path) -> None:
    pq.write_table(pa.table({"audio": [b"a", b"b"]}), tmp_path / "m.parquet")
    assert list(read_rows(str(tmp_path / "m.parquet"))) == [
        RawRow(1, {}, 0, 0),
        RawRow(2, {}, 0, 1),
    ]


def test_not_parquet(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a Parquet file"):
        rows_of(tmp_path / "m.parquet", b"PAR1 it is not")
