"""Which rows are audited: the first of a track_id, unless nothing changed since last time."""

import os
from collections import Counter
from pathlib import Path

import pytest

from artifactnet.transforms.elements.packs import packed, unpacked
from artifactnet.transforms.elements.records import ManifestRow
from artifactnet.transforms.read_manifest import failed_row, line_key
from artifactnet.transforms.skip_unchanged import (
    CheckedRows,
    EarlierResult,
    SkipUnchangedDoFn,
    identified,
)
from artifactnet.transforms.storage.object_store import S3Access


def row(path: Path, line: int = 1, track_id: str = "a") -> ManifestRow:
    return ManifestRow(track_id, str(path), "m.jsonl", line)


def looked_at(rows: list[ManifestRow], earlier: list, shards: int = 1) -> list[CheckedRows]:
    """``rows``, of one bucket; ``earlier`` are results, of "a" where they stand without a key."""
    pairs = [one if type(one) is tuple else ("a", one) for one in earlier]
    group = {
        "rows": [pack for _, pack in packed((0, row) for row in rows)],
        "earlier": [pack for _, pack in packed((0, pair) for pair in pairs)],
    }
    return list(SkipUnchangedDoFn(S3Access(), "run", shards).process((0, group)))


def checked(rows: list[ManifestRow], earlier: list) -> tuple[list[ManifestRow], int]:
    found = looked_at(rows, earlier)
    to_do = [row for one in found if one.shard for row in unpacked([one.rows])]
    return to_do, sum(one.rows.size for one in found if not one.shard)


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
    done = line_key(bad), result(bad.content_id, place="m.jsonl\n4")
    assert checked([bad], [done]) == ([], 1)


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


def rows_of_files(folder: Path, count: int, ids: int) -> list[ManifestRow]:
    """A row a file; of ``ids`` track_ids, in turns."""
    paths = [folder / f"{number}.wav" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(bytes(number))
    return [row(path, number, f"t{number % ids}") for number, path in enumerate(paths)]


def test_rows_of_a_bucket_keep_apart(tmp_path: Path) -> None:
    rows = rows_of_files(tmp_path, 30, ids=10)
    done = [
        (f"t{number}", result(identified(rows[number], S3Access(), "run").content_id))
        for number in (3, 4)
    ]
    to_do, skipped = checked(rows, done)
    assert skipped == 2
    good = {one.track_id: one.line for one in to_do if not one.failure}
    assert good == {f"t{n}": n for n in range(10) if n not in (3, 4)}
    assert sorted(one.line for one in to_do if one.failure) == list(range(10, 30))


def test_the_shard_of_a_row_hangs_on_no_finding(tmp_path: Path) -> None:
    rows = rows_of_files(tmp_path, 40, ids=40)

    def shards(earlier: list) -> dict[int, str]:
        found = looked_at(rows, earlier, shards=4)
        return {r.line: one.shard for one in found if one.shard for r in unpacked([one.rows])}

    whole = shards([])
    assert sorted(Counter(whole.values()).values()) == [10] * 4
    done = ("t7", result(identified(rows[7], S3Access(), "run").content_id))
    (tmp_path / "9.wav").unlink()
    assert shards([done]) == {line: shard for line, shard in whole.items() if line != 7}
