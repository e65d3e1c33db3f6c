import bz2
import gzip
import json
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artifactnet.transforms.elements.errors import ManifestRowError
from artifactnet.transforms.elements.records import RawRow
from artifactnet.transforms.manifests import formats as module
from artifactnet.transforms.manifests.formats import about_rows, manifest_format, read_rows


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
        try:
            rows = rows_of(folder / name, content)
        except ValueError as error:
            assert "column" in str(error)  # a CSV's first line names its columns
            continue
        for row in rows:
            assert isinstance(row, RawRow | ManifestRowError)


def test_gzip(tmp_path: Path) -> None:
    assert rows_of(tmp_path / "m.jsonl.gz", gzip.compress(b'{"uri": "a"}\n')) == [
        RawRow(1, {"uri": "a"})
    ]


@pytest.mark.parametrize("suffix", ["gz", "bz2"])
def test_compressed_manifest_that_ends_early_is_not_taken_for_complete(
    tmp_path: Path, suffix: str
) -> None:
    rng = random.Random(0)
    lines = b"".join(b'{"uri": "%d.wav"}\n' % rng.randrange(10**9) for _ in range(40_000))
    packed = {"gz": gzip, "bz2": bz2}[suffix].compress(lines)
    path = tmp_path / f"m.jsonl.{suffix}"
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(ValueError, match="ends early"):
        list(read_rows(str(path)))
    path.write_bytes(packed[:1000] + b"junk" * 50 + packed[1200:])
    with pytest.raises((ValueError, OSError)):
        list(read_rows(str(path)))


def test_unclosed_quote_accounts_for_every_line_it_swallows(tmp_path: Path) -> None:
    lines = ["uri,title", "a.wav,A", 'b.wav,"B', *[f"{n}.wav,T" for n in range(20)]]
    rows = rows_of(tmp_path / "m.csv", "\n".join(lines).encode())
    assert isinstance(rows[0], RawRow)
    assert [str(row).split(":")[0] for row in rows[1:]] == [f"line {n}" for n in range(3, 24)]
    assert str(rows[1]) == "line 3: a quote is never closed"
    assert str(rows[5]).endswith("never closed in the record that begins on line 3")


def test_csv_line_of_any_length_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_LINE", 1000)
    rows = rows_of(tmp_path / "m.csv", b"uri\n" + b"x" * 5000 + b"\nb.wav\n")
    assert isinstance(rows[0], ManifestRowError)
    assert rows[1] == RawRow(3, {"uri": "b.wav"})


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"uri,\xff\na,b\n", "not UTF-8"), (b"uri,x,x\na,b,c\n", "two columns are named 'x'"),
     (b'uri,"x\na,b\n', "column names can't be read")],
)  # fmt: skip
def test_csv_header_that_cannot_be_used(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        rows_of(tmp_path / "m.csv", content)


def test_csv_with_quotes_newlines_and_empty_cells(tmp_path: Path) -> None:
    content = 'uri,artist\na.wav,"Sigur ""R"" ós\nand friends"\nb.wav,\nc.wav,x,y\n'.encode()
    rows = rows_of(tmp_path / "m.csv", content)
    assert rows[0] == RawRow(3, {"uri": "a.wav", "artist": 'Sigur "R" ós\nand friends'})
    assert rows[1] == RawRow(4, {"uri": "b.wav", "artist": None})
    assert "line 5: 3 cells under 2 column names" in str(rows[2])


def test_not_parquet(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a Parquet file"):
        rows_of(tmp_path / "m.parquet", b"PAR1 it is not")


@pytest.mark.parametrize("name", ["m [1].jsonl", "m.jsonl.gz", "m.csv", "utf16.csv"])
def test_the_number_of_rows_is_estimated_from_the_beginning(tmp_path: Path, name: str) -> None:
    rng = np.random.default_rng(0)
    texts = [
        f"{n},/music/{rng.integers(10**9)}/{'x' * rng.integers(40)}.wav" for n in range(90_000)
    ]
    if "csv" in name:
        lines = ["track_id,uri", *texts]
    else:
        lines = [json.dumps({"track_id": text, "uri": text}) for text in texts]
    path = tmp_path / name
    content = "\n".join(lines).encode("utf-16" if "utf16" in name else "utf-8")
    path.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    assert about_rows(str(path)) == pytest.approx(90_000, rel=0.2)
