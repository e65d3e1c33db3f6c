"""What is looked at before an audit begins: rows to do, a dry run, a sample."""

import json
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from artifactnet.pipeline.audit import graph
from artifactnet.pipeline.audit.dry_run import dry_run
from artifactnet.pipeline.audit.prepare import prepare
from artifactnet.pipeline.audit.report import audit_and_report
from artifactnet.pipeline.audit.request import AuditRequest
from artifactnet.pipeline.audit.rows_to_do import rows_to_do
from artifactnet.pipeline.audit.run import run_audit
from artifactnet.pipeline.output.verify import verify_files

ROWS = 1000
"""Said to be in the catalogue."""


@pytest.fixture
def folder(wav, tmp_path: Path) -> Path:
    for number in range(20):
        wav(f"music/{number:02d}.wav", 4.2)
    return tmp_path / "music"


def left(request: AuditRequest) -> int:
    plan = prepare(request)
    found = rows_to_do(plan.options, plan.manifests, request.catalogue, ROWS)
    assert plan.unchanged == found.unchanged
    return found.rows


def test_a_folder_that_was_audited_has_nothing_to_do(folder: Path, free_weights: Path) -> None:
    out = str(folder.parent / "out")
    request = AuditRequest(str(folder), out, model=free_weights, quiet=True, workers=1)
    assert left(request) == ROWS  # no earlier audit: nobody needs to look
    run_audit(request)
    assert left(request) == 0
    os.utime(folder / "03.wav", ns=(1, 1))
    (folder / "04.wav").unlink()
    assert left(request) == 1
    automatic = AuditRequest(str(folder), out, model=free_weights, quiet=True)
    plan = prepare(automatic)
    assert (plan.workers, plan.rows, plan.options.shards) == (1, 1, 1)
    assert run_audit(automatic).counts.tracks == 1


def test_nothing_to_do_needs_no_pipeline(
    folder: Path, free_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "broken.mp3").write_bytes(b"no music" * 100)
    out = folder.parent / "out"
    request = AuditRequest(str(folder), str(out), model=free_weights, quiet=True, workers=1)
    first = run_audit(request)
    tables = sorted(path.name for path in out.rglob("*.parquet"))

    def none_is_built(*_: object) -> None:
        raise AssertionError("a pipeline was built")

    monkeypatch.setattr(graph, "build_audit", none_is_built)
    again = run_audit(request)
    assert (again.counts.rows_in, again.counts.skipped) == (21, 21)
    assert again.counts.tracks == again.counts.errors == 0
    assert again.run_id > first.run_id
    assert sorted(path.name for path in out.rglob("*.parquet")) == tables
    assert json.loads((out / "_SUCCESS").read_text())["run_id"] == again.run_id
    assert verify_files(str(out)).holds


AGAIN = """
import sys
from artifactnet.pipeline.audit.report import audit_and_report
from artifactnet.pipeline.audit.request import AuditRequest
from artifactnet.pipeline.audit.run import run_audit

run_audit(AuditRequest(*sys.argv[1:3], model=sys.argv[3], quiet=True, workers=1))
print("torch" in sys.modules)
"""


def test_finding_nothing_to_do_needs_no_torch(wav, free_weights: Path, tmp_path: Path) -> None:
    wav("music/a.wav", 4.2)
    again = [sys.executable, "-c", AGAIN, tmp_path / "music", tmp_path / "out", free_weights]
    said = [subprocess.run(again, capture_output=True, text=True, check=True) for _ in range(2)]
    assert [one.stdout.strip() for one in said] == ["True", "False"]


def test_a_row_named_twice_is_left_to_the_pipeline(
    folder: Path, free_weights: Path, tmp_path: Path
) -> None:
    manifest, out = tmp_path / "m.jsonl", str(tmp_path / "out")
    line = json.dumps({"uri": str(folder / "03.wav"), "track_id": "one"}) + "\n"
    manifest.write_text(line)
    request = AuditRequest(str(manifest), out, model=free_weights, quiet=True, workers=1)
    run_audit(request)
    assert prepare(request).unchanged == 1
    manifest.write_text(line + line)
    assert prepare(request).unchanged is None
    assert run_audit(request).counts.errors == 1


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


def test_a_sample_of_nothing_says_what_to_do(
    folder: Path, free_weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    request = AuditRequest(
        str(folder), str(tmp_path / "out"), sample=1e-6, model=free_weights, quiet=True, workers=1
    )
    assert audit_and_report(request, as_json=False) == 0
    assert "The sample of 1e-06 drew no row: raise --sample" in capsys.readouterr().err
