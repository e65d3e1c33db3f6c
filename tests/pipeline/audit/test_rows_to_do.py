"""What is looked at before an audit begins: rows to do, a dry run, a sample."""

import json
import os
from pathlib import Path

import duckdb
import pytest

from artifactnet.pipeline.audit.dry_run import dry_run
from artifactnet.pipeline.audit.prepare import prepare
from artifactnet.pipeline.audit.request import AuditRequest
from artifactnet.pipeline.audit.rows_to_do import rows_to_do
from artifactnet.pipeline.audit.run import run_audit


@pytest.fixture
def folder(wav, tmp_path: Path) -> Path:
    for number in range(20):
        wav(f"music/{number:02d}.wav", 4.2)
    return tmp_path / "music"


def left(request: AuditRequest) -> int:
    plan = prepare(request)
    return rows_to_do(plan.options, plan.manifests, request.catalogue, plan.rows, enough=1000)


def test_a_folder_that_was_audited_has_nothing_to_do(folder: Path, free_weights: Path) -> None:
    out = str(folder.parent / "out")
    request = AuditRequest(str(folder), out, model=free_weights, quiet=True, workers=1)
    assert left(request) == 1000  # no earlier audit: nobody needs to look
    run_audit(request)
    assert left(request) == 0
    os.utime(folder / "03.wav", ns=(1, 1))
    (folder / "04.wav").unlink()
    assert left(request) == 1
    automatic = AuditRequest(str(folder), out, model=free_weights, quiet=True)
    assert prepare(automatic).workers == 1
    assert run_audit(automatic).counts.tracks == 1


def test_a_dry_run_writes_nothing_and_counts(folder: Path, free_weights: Path) -> None:
    (folder / "cover.jpg").write_bytes(b"x")
    (folder / "broken.mp3").write_bytes(b"no music" * 100)
    out = folder.parent / "out"
    found = dry_run(AuditRequest(str(folder), str(out), model=free_weights, workers=1))
    assert not out.exists()
    assert (found.rows, found.to_audit, found.unchanged, found.probed) == (21, 21, 0, 21)
    assert found.left_out == {".jpg": 1}
    assert sum(found.probe_errors.values()) == 1
    assert found.seconds_per_track[0] > 0
    assert found.bytes_per_track > 1000
    assert 0 < found.hours[0] <= found.hours[1] < 1


def test_lines_that_are_no_rows_are_not_probed(wav, tmp_path: Path, free_weights: Path) -> None:
    manifest = tmp_path / "m.jsonl"
    manifest.write_text(json.dumps({"uri": str(wav())}) + "\n{}\nno json\n")
    request = AuditRequest(str(manifest), str(tmp_path / "out"), model=free_weights)
    found = dry_run(request)
    assert (found.rows, found.to_audit, found.unusable, found.probed) == (3, 1, 2, 1)


def test_a_sample_is_audited_and_grows(folder: Path, free_weights: Path) -> None:
    out = folder.parent / "out"
    common = {"model": free_weights, "quiet": True, "workers": 1, "seed": 3}
    half = run_audit(AuditRequest(str(folder), str(out), sample=0.5, **common))
    assert 3 < half.counts.tracks < 17
    assert half.counts.rows_in == half.counts.tracks
    assert half.configuration["sample"] == 0.5
    whole = run_audit(AuditRequest(str(folder), str(out), **common))
    assert (whole.counts.tracks, whole.counts.skipped) == (
        20 - half.counts.tracks,
        half.counts.tracks,
    )
    rows = duckdb.sql(f"SELECT count(*), count(DISTINCT track_id) FROM '{out}/tracks/*.parquet'")
    assert rows.fetchall() == [(20, 20)]


def test_a_share_of_nothing_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="--sample is 0"):
        AuditRequest(str(folder), "out", sample=0.0)
