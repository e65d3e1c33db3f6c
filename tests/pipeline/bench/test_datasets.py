"""Public data sets, in small copies of their own layouts."""

import csv
import hashlib
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from artifactnet.pipeline.bench.datasets import (
    DATA_SETS,
    DataSetError,
    data_set,
    list_data_set,
    make_manifest,
    read_sums,
)


def put(path: Path, content: bytes = b"sound") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def table(path: Path, rows: list[dict]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def sonics(folder: Path) -> None:
    put(folder / "fake_songs" / "fake_1_suno_0.mp3")
    put(folder / "real_songs" / "abc.wav")
    fake = {"filename": "fake_1_suno_0", "algorithm": "chirp-v3", "split": "test"}
    table(folder / "fake_songs.csv", [fake, fake | {"filename": "fake_2_udio_0"}])
    real = {"filename": "song", "youtube_id": "abc", "split": "train"}
    table(folder / "real_songs.csv", [real])


def fma(folder: Path) -> None:
    put(folder / "fma_small" / "000" / "000002.mp3")
    put(folder / "fma_small" / "README.txt")


def fakemusiccaps(folder: Path) -> None:
    put(folder / "MusicGen_medium" / "xyz.wav")
    put(folder / "real" / "xyz.wav")


def artifactbench(folder: Path) -> None:
    put(folder / "somewhere" / "any name.mp3", b"one")
    track = {
        "track_id": "ab2-1", "label": "ai", "source": "aime_udio", "generator": "udio",
        "protocol_split": "calibration", "lineage_id": "l1",
        "audio_sha256": hashlib.sha256(b"one").hexdigest(),
    }  # fmt: skip
    tracks = [track, track | {"track_id": "ab2-2", "audio_sha256": "0" * 64}]
    content = json.dumps({"schema_version": 2, "tracks": tracks})
    (folder / "artifactbench_v2_primary_manifest.json").write_text(content)


def aime(folder: Path) -> None:
    rows = [
        {"id": "00001", "model": "Stable Audio v2", "audio": {"bytes": b"a", "path": "1.wav"}},
        {"id": "00002", "model": "MTG-Jamendo", "audio": {"bytes": b"b", "path": None}},
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "train-00000.parquet")


LAYOUTS = {f.__name__: f for f in (sonics, fma, fakemusiccaps, artifactbench, aime)}


def listed(name: str, folder: Path) -> list[dict]:
    LAYOUTS[name](folder)
    return list_data_set(data_set(name), folder, None).rows


def test_sonics(tmp_path: Path) -> None:
    fake, real = listed("sonics", tmp_path)
    assert (fake["label"], fake["generator"], fake["bench_origin"]) == ("ai", "chirp-v3", "test")
    assert (real["label"], real["source"], "generator" in real) == ("real", "sonics-youtube", False)
    assert fake["uri"].endswith("fake_songs/fake_1_suno_0.mp3")


def test_fma(tmp_path: Path) -> None:
    (row,) = listed("fma", tmp_path)
    assert (row["track_id"], row["label"], row["source"]) == ("fma-000002", "real", "fma")


def test_fakemusiccaps(tmp_path: Path) -> None:
    generated, original = listed("fakemusiccaps", tmp_path)
    assert (generated["label"], generated["generator"]) == ("ai", "musicgen-medium")
    assert (original["label"], original["pair"]) == ("real", generated["pair"])
    assert generated["track_id"] != original["track_id"]


def test_artifactbench_by_content(tmp_path: Path) -> None:
    (row,) = listed("artifactbench", tmp_path)
    assert (row["track_id"], row["bench_origin"], row["pair"]) == ("ab2-1", "calibration", "l1")


def test_aime_lays_its_audio_out_once(tmp_path: Path) -> None:
    generated, human = listed("aime", tmp_path)
    assert (generated["label"], generated["generator"]) == ("ai", "stable-audio-v2")
    assert (human["label"], human["source"]) == ("real", "mtg-jamendo")
    assert Path(generated["uri"]).read_bytes() == b"a"
    before = Path(generated["uri"]).stat().st_mtime_ns
    assert list_data_set(data_set("aime"), tmp_path, None).rows == [generated, human]
    assert Path(generated["uri"]).stat().st_mtime_ns == before


def test_sums_find_what_changed_and_what_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    fakemusiccaps(folder)
    put(folder / "mustango" / "gone.wav")
    output = tmp_path / "m.jsonl"
    text, code = make_manifest("fakemusiccaps", folder, output, None, True)
    assert (code, "2 generated and 1 human" in text) == (0, True)
    sums = folder / "SHA256SUMS"
    assert set(read_sums(sums)) == {"MusicGen_medium/xyz.wav", "real/xyz.wav", "mustango/gone.wav"}
    assert make_manifest("fakemusiccaps", folder, output, sums, False)[1] == 0
    (folder / "mustango" / "gone.wav").unlink()
    put(folder / "real" / "xyz.wav", b"other")
    put(folder / "real" / "new.wav")
    text, code = make_manifest("fakemusiccaps", folder, output, sums, False)
    assert code == 1
    assert "1 changed, left out: real/xyz.wav" in text
    assert "1 named by the sums and not there: mustango/gone.wav" in text
    assert "1 not named by the sums: real/new.wav" in text
    assert len(output.read_text().splitlines()) == 2


def test_odd_rows_are_no_traceback(tmp_path: Path) -> None:
    artifactbench(tmp_path)
    manifest = tmp_path / "artifactbench_v2_primary_manifest.json"
    manifest.write_text(manifest.read_text().replace('"label": "ai"', '"label": "weird"'))
    with pytest.raises(DataSetError, match="no track of artifactbench"):
        list_data_set(data_set("artifactbench"), tmp_path, None)
    (tmp_path / "aime").mkdir()
    rows = [{"id": "1", "model": "Udio", "audio": {"bytes": None, "path": "a.mp3"}}]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.Table.from_pylist(
        rows, pa.schema([("id", pa.string()), ("model", pa.string()), ("audio", kind)])
    )
    pq.write_table(table, tmp_path / "aime" / "t.parquet")
    with pytest.raises(DataSetError, match="not laid out as aime"):
        list_data_set(data_set("aime"), tmp_path / "aime", None)


def test_a_list_is_not_checked_and_replaced_at_once(tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match="use one of them"):
        make_manifest("fma", tmp_path, tmp_path / "m.jsonl", tmp_path / "sums", True)


@pytest.mark.parametrize("name", sorted(DATA_SETS))
def test_without_a_folder_it_says_what_to_download(name: str) -> None:
    text, code = make_manifest(name, None, None, None, False)
    assert code == 0
    assert "https://" in text
    assert f"artifactnet dataset {name} FOLDER" in text


@pytest.mark.parametrize("name", sorted(DATA_SETS))
def test_another_folder_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataSetError):
        list_data_set(data_set(name), tmp_path, None)
    with pytest.raises(DataSetError, match="no such folder"):
        list_data_set(data_set(name), tmp_path / "absent", None)


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match="use one of artifactbench, sonics"):
        data_set("sonic")
    (tmp_path / "sums").write_text("banana\n")
    with pytest.raises(DataSetError, match="line 1 is not"):
        read_sums(tmp_path / "sums")
    with pytest.raises(DataSetError, match="--output"):
        make_manifest("fma", tmp_path, None, None, False)
