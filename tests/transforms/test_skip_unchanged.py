"""Which rows are audited: the first of a track_id, unless nothing changed since last time."""

import os
from pathlib import Path

import pytest

from artifactnet.transforms.elements.records import ManifestRow
from artifactnet.transforms.read_manifest import failed_row
from artifactnet.transforms.skip_unchanged import EarlierResult, SkipUnchangedDoFn, identified
from artifactnet.transforms.storage.object_store import S3Access


def row(path: Path, line: int = 1, track_id: str = "a") -> ManifestRow:
    return ManifestRow(track_id, str(path), "m.jsonl", line)


def checked(rows: list[ManifestRow], earlier: list) -> tuple[list[ManifestRow], int]:
    do_fn = SkipUnchangedDoFn(S3Access(), "run")
    found = list(do_fn.process(("a", {"rows": rows, "earlier": earlier})))
    return [one.row for one in found if not one.done], sum(one.done for one in found)


def result(
    content_id: str, run_id: str = "1", place: str = "", alike: bool = True
) -> EarlierResult:
    return EarlierResult(place, run_id, content_id, alike)


def identity(path: Path) -> str:
    return identified(row(path), S3Access(), "run").content_id


def test_unchanged_is_skipped_and_changed_is_not(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"one")
    before = identity(path)
    assert checked([row(path)], [result(before)]) == ([], 1)
    os.utime(path, ns=(1, 1))
    ((changed,), skipped) = checked([row(path)], [result(before)])
    assert (skipped, changed.failure) == (0, None)
    assert changed.content_id == identity(path) != before


def test_of_one_track_id_the_first_line_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"one")
    rows, _ = checked([row(path, 9), row(path, 3), row(path, 5)], [])
    good = [one.line for one in rows if not one.failure]
    assert good == [3]
    failures = [one.failure for one in rows if one.failure]
    assert {one.error_class for one in failures} == {"DuplicateTrackError"}
    assert "m.jsonl line 9: track_id 'a' is taken by m.jsonl line 3" in [
        f.message for f in failures
    ]
    done = [
        result(one.content_id, place=f"m.jsonl\n{one.line}" if one.failure else "") for one in rows
    ]
    assert checked([row(path, 9), row(path, 3), row(path, 5)], done) == ([], 3)


def test_what_is_missing_is_reported_once_and_audited_when_it_comes(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    ((missing,), _) = checked([row(path)], [])
    assert missing.failure
    assert missing.failure.error_class == "AudioNotFoundError"
    assert checked([row(path)], [result(missing.content_id)]) == ([], 1)
    path.write_bytes(b"here")
    ((found,), _) = checked([row(path)], [result(missing.content_id)])
    assert found.failure is None


def test_bad_lines_are_reported_once(tmp_path: Path) -> None:
    bad = failed_row(row(tmp_path, 4), ValueError(), "no uri")
    assert checked([bad], []) == ([bad], 0)
    assert checked([bad], [result(bad.content_id, place="m.jsonl\n4")]) == ([], 1)


def test_what_left_the_catalogue_is_no_row() -> None:
    assert checked([], [result("size 3")]) == ([], 0)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_forbidden(tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir(mode=0)
    ((found,), _) = checked([row(folder / "a.wav")], [])
    assert found.failure
    assert found.failure.error_class == "AudioForbiddenError"


def test_only_the_latest_result_counts(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"one")
    own = identity(path)
    outage = [result(own, "1"), result("absent", "2")]
    assert checked([row(path)], outage)[1] == 0  # it is back, and must not stay an error
    assert checked([row(path)], [*outage, result(own, "3")])[1] == 1
    rolled_back = [result(own, "1"), result(own, "2", alike=False)]
    assert checked([row(path)], rolled_back)[1] == 0
