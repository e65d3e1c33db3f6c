import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifactnet.pipeline.audit.catalogue import (
    common_root,
    find_files,
    find_manifests,
    manifest_lines,
    write_listing,
    write_manifest,
)
from artifactnet.transforms.manifests.columns import ManifestError


def manifests_of(catalogue: str, listing: str) -> tuple[str, ...]:
    found = find_manifests(catalogue, find_files(catalogue), listing)
    if found.to_list:
        write_listing(found.to_list, catalogue, listing)
    return found.addresses


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.mp3", "b/c.WAV", "b/[live] d.flac", "notes.txt", ".hidden.ogg", "b/e.mp4"):
        path = tmp_path / "music" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path / "music"


def test_folder(folder: Path, tmp_path: Path) -> None:
    listing = tmp_path / "m.jsonl"
    assert write_manifest(str(folder), str(listing)) == 5
    rows = [json.loads(line) for line in listing.read_text().splitlines()]
    assert {row["track_id"] for row in rows} == {
        "a.mp3", "b/c.WAV", "b/[live] d.flac", ".hidden.ogg", "b/e.mp4"
    }  # fmt: skip
    assert all(Path(row["uri"]).is_file() for row in rows)


def test_companions_are_passed_over_and_the_rest_is_counted(folder: Path) -> None:
    for name in ("._a.mp3", "__MACOSX/b/._c.WAV", "cover.jpg", "b/cover.jpg", "README"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    found = find_manifests(str(folder), find_files(str(folder)), "m.jsonl")
    assert len(found.to_list) == 5
    assert dict(found.left_out) == {".jpg": 2, ".txt": 1, "no suffix": 1}


@pytest.mark.parametrize("suffix", ["aifc", "ts", "mpg", "3gp", "avi", "flv", "ogv", "spx"])
def test_what_ffmpeg_decodes_is_audio(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"a.{suffix}").write_bytes(b"x")
    assert len(find_manifests(str(tmp_path), find_files(str(tmp_path)), "m.jsonl").to_list) == 1


def test_new_manifest_replaces_nothing_unasked(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"must end in \.jsonl"):
        write_manifest(str(folder), str(folder / "a.mp3"))
    (tmp_path / "m.jsonl").touch()
    with pytest.raises(ManifestError, match="--overwrite"):
        write_manifest(str(folder), str(tmp_path / "m.jsonl"))
    assert write_manifest(str(folder), str(tmp_path / "m.jsonl"), overwrite=True) == 5


def test_glob(folder: Path, tmp_path: Path) -> None:
    listing = tmp_path / "m.jsonl"
    assert manifests_of(f"{folder}/b/*", str(listing)) == (str(listing),)
    ids = {json.loads(line)["track_id"] for line in listing.read_text().splitlines()}
    assert ids == {"c.WAV", "[live] d.flac", "e.mp4"}


def test_single_audio_file(folder: Path, tmp_path: Path) -> None:
    assert write_manifest(str(folder / "b" / "[live] d.flac"), str(tmp_path / "m.jsonl")) == 1
    assert json.loads((tmp_path / "m.jsonl").read_text())["track_id"] == "[live] d.flac"


def test_manifests_are_taken_as_they_are(tmp_path: Path) -> None:
    for name in ("1.jsonl", "2.parquet", "readme.md"):
        (tmp_path / name).touch()
    expected = (str(tmp_path / "1.jsonl"), str(tmp_path / "2.parquet"))
    assert manifests_of(str(tmp_path), "unused") == expected
    assert manifests_of(f"{tmp_path}/*.jsonl", "unused") == expected[:1]
    assert manifests_of(expected[0], "unused") == expected[:1]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere", "nowhere: no such file or folder$"),
        ("nowhere/*.jsonl", r"nowhere/\*.jsonl: no file matches$"),
        ("gone.jsonl", "gone.jsonl: no such file or folder$"),
        ("empty", "empty: the folder has no files in it$"),
    ],
)
def test_nothing_there(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ManifestError, match=said):
        manifests_of(str(tmp_path / name), "unused")


def test_nothing_of_use_there(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    with pytest.raises(ManifestError, match="neither a manifest"):
        manifests_of(str(tmp_path), "unused")


def test_earlier_results_are_no_part_of_the_catalogue(tmp_path: Path) -> None:
    table = "errors-20261124T083627-30be1d-0123456789ab.parquet"
    for name in ("m.jsonl", f"out/errors/{table}", "manifest-20261124T083627-30be1d.jsonl"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = manifests_of(str(tmp_path), "unused")
    assert found == (f"{tmp_path}/m.jsonl",)
    assert manifests_of(f"{tmp_path}/out/errors/*", "unused") == (f"{tmp_path}/out/errors/{table}",)


def test_linked_folders_are_walked_once(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x.mp3").touch()
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    (folder / "loop").symlink_to(folder)
    assert write_manifest(str(folder), str(tmp_path / "m.jsonl")) == 6


def test_name_that_is_not_unicode_is_listed_by_escapes(tmp_path: Path) -> None:
    (tmp_path / "music").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/music/b\xf6se.mp3")).touch()
    assert write_manifest(str(tmp_path / "music"), str(tmp_path / "m.jsonl")) == 1
    assert json.loads((tmp_path / "m.jsonl").read_text())["track_id"] == "b\udcf6se.mp3"


@pytest.mark.parametrize(
    ("catalogue", "root"),
    [
        ("gs://bucket/music", "gs://bucket/music"),
        ("gs://bucket/music/*.mp3", "gs://bucket/music"),
        ("s3://b/*/x/*.mp3", "s3://b"),
        ("gs://bucket/a.mp3", "gs://bucket"),
        ("/x/y", "/x/y"),
    ],
)
def test_common_root(catalogue: str, root: str) -> None:
    assert common_root(catalogue) == root


@given(st.lists(st.text(min_size=1).filter(lambda name: "/" not in name), unique=True))
def test_lines_survive_any_name(names: list[str]) -> None:
    rows = [json.loads(line) for line in manifest_lines([f"/r/{n}" for n in names], "/r")]
    assert [row["track_id"] for row in rows] == names
