import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from artifactnet.transforms.elements.errors import ManifestRowError
from artifactnet.transforms.elements.records import EmbeddedAudio, RawRow
from artifactnet.transforms.manifests.columns import ManifestLayout, manifest_row
from artifactnet.transforms.manifests.formats import parquet_summary, read_rows
from artifactnet.transforms.manifests.parquet import EmbeddedAudioReader


def test_parquet_leaves_the_audio_where_it_is(tmp_path: Path) -> None:
    audio = [{"bytes": b"RIFF", "path": f"{n}.wav"} for n in range(5)]
    table = pa.table({"track_id": [str(n) for n in range(5)], "audio": audio})
    pq.write_table(table, tmp_path / "m.parquet", row_group_size=3)
    rows = list(read_rows(str(tmp_path / "m.parquet")))
    assert rows[3] == RawRow(4, {"track_id": "3", "audio": {"path": "3.wav"}}, 1, 0, has_audio=True)


def test_parquet_of_audio_alone(tmp_path: Path) -> None:
    pq.write_table(pa.table({"audio": [b"a", b"b"]}), tmp_path / "m.parquet")
    assert list(read_rows(str(tmp_path / "m.parquet"))) == [
        RawRow(1, {}, 0, 0, has_audio=True),
        RawRow(2, {}, 0, 1, has_audio=True),
    ]


def kinds(path: Path) -> list[str]:
    return ["row" if isinstance(row, RawRow) else str(row) for row in read_rows(str(path))]


def test_text_that_is_not_utf8_costs_its_row_alone(tmp_path: Path) -> None:
    titles = pa.array([b"a", b"b", b"c", b"\xff\xfe", b"e", b"f"]).cast(pa.binary())
    broken = pa.Array.from_buffers(pa.string(), 6, titles.buffers())
    uris = [f"{n}.wav" for n in range(6)]
    table = pa.table({"uri": uris, "title": broken})
    pq.write_table(table, tmp_path / "m.parquet", row_group_size=3)
    found = kinds(tmp_path / "m.parquet")
    assert found[:3] + found[4:] == ["row"] * 5
    assert found[3].startswith("line 4: column title can't be read")


def test_date_out_of_range_costs_its_row_alone(tmp_path: Path) -> None:
    days = pa.array([1, 10**8, 3], pa.int32()).cast(pa.date32())
    pq.write_table(pa.table({"uri": ["a", "b", "c"], "day": days}), tmp_path / "m.parquet")
    found = kinds(tmp_path / "m.parquet")
    assert (found[0], found[2]) == ("row", "row")
    assert found[1].startswith("line 2: column day can't be read")
    first = next(iter(read_rows(str(tmp_path / "m.parquet"))))
    assert isinstance(first, RawRow)
    assert first.values["day"] == datetime.date(1970, 1, 2)


def test_damaged_page_costs_its_row_group_and_every_row_is_named(tmp_path: Path) -> None:
    table = pa.table({"uri": [f"{n:04}.wav" for n in range(300)]})
    path = tmp_path / "m.parquet"
    pq.write_table(table, path, row_group_size=100, use_dictionary=False, compression="gzip")
    offset = pq.ParquetFile(path).metadata.row_group(1).column(0).data_page_offset
    content = bytearray(path.read_bytes())
    content[offset + 30 : offset + 120] = bytes(90)
    path.write_bytes(content)
    rows = list(read_rows(str(path)))
    assert len(rows) == 300
    assert [isinstance(row, ManifestRowError) for row in rows] == [
        100 <= n < 200 for n in range(300)
    ]
    assert str(rows[150]).startswith("line 151: row group 1 is damaged")


def test_column_names_that_occur_twice(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array(["a"]), pa.array([1]), pa.array([2])], ["uri", "x", "x"])
    pq.write_table(table, tmp_path / "m.parquet")
    with pytest.raises(ValueError, match="two columns are named 'x'"):
        parquet_summary(str(tmp_path / "m.parquet"))


@pytest.mark.parametrize("statistics", [True, False])
def test_rows_with_a_path_and_no_bytes(tmp_path: Path, statistics: bool) -> None:
    audio = [
        {"bytes": None, "path": "a.wav"}, {"bytes": b"RIFF", "path": "b.wav"},
        {"bytes": None, "path": "c.wav"}, {"bytes": None, "path": "d.wav"},
    ]  # fmt: skip
    path = tmp_path / "m.parquet"
    pq.write_table(pa.table({"audio": audio}), path, row_group_size=2, write_statistics=statistics)
    rows = [row for row in read_rows(str(path)) if isinstance(row, RawRow)]
    assert [row.has_audio for row in rows] == [False, True, False, False]
    made = [manifest_row(row, str(path), ManifestLayout()) for row in rows]
    assert [row.uri.rpartition("/")[2] for row in made] == ["a.wav", "b.wav", "c.wav", "d.wav"]
    assert [row.embedded is not None for row in made] == [False, True, False, False]


@pytest.mark.parametrize("kind", [pa.binary_view(), pa.large_binary(), pa.binary(4)])
def test_bytes_of_every_kind(tmp_path: Path, kind: pa.DataType) -> None:
    path = tmp_path / "m.parquet"
    pq.write_table(pa.table({"audio": pa.array([b"abcd", b"efgh"], kind)}), path)
    assert [isinstance(row, RawRow) and row.has_audio for row in read_rows(str(path))] == [True] * 2
    reader = EmbeddedAudioReader()
    assert reader.read(EmbeddedAudio(str(path), "audio", 0, 1)) == b"efgh"
    reader.close()
