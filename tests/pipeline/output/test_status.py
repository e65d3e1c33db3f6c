import json
from pathlib import Path

import pytest

from artifactnet.pipeline.audit.request import AuditRequest
from artifactnet.pipeline.audit.run import run_audit
from artifactnet.pipeline.output.compact import compact
from artifactnet.pipeline.output.lease import release_lease, take_lease
from artifactnet.pipeline.output.status import print_status, run_statuses


@pytest.fixture
def output(wav, tmp_path: Path, free_weights: Path) -> Path:
    for name in ("a", "b", "c"):
        wav(f"music/{name}.wav", 4.2)
    (tmp_path / "music" / "broken.mp3").write_bytes(b"no music" * 100)
    request = AuditRequest(
        str(tmp_path / "music"), str(tmp_path / "out"), model=free_weights, quiet=True
    )
    run_audit(request)
    return tmp_path / "out"


def test_a_run_that_ended_is_complete(output: Path, capsys: pytest.CaptureFixture) -> None:
    (run,) = run_statuses(str(output))
    assert (run.state, run.tracks, run.errors) == ("complete", 3, 1)
    assert run.shards >= 1
    assert run.quiet_seconds is not None
    assert run.quiet_seconds < 600
    assert print_status(str(output), as_json=False) == 0
    assert "complete" in capsys.readouterr().out


def test_a_run_without_its_record_runs_or_is_dead(
    output: Path, capsys: pytest.CaptureFixture
) -> None:
    (run,) = run_statuses(str(output))
    (output / "runs" / f"{run.run_id}.json").unlink()
    (output / "run.json").unlink()
    assert run_statuses(str(output))[0].state == "ended without a record"
    for note in (output / "runs").glob("*.counts.json"):
        note.unlink()
    take_lease(str(output), run.run_id, 60)
    assert run_statuses(str(output))[0].state == "running"
    release_lease(str(output), run.run_id)
    assert run_statuses(str(output))[0].state == "dead"
    assert print_status(str(output), as_json=True) == 1
    assert json.loads(capsys.readouterr().out)[0]["state"] == "dead"
    print_status(str(output), as_json=False)
    assert "start the same audit again" in capsys.readouterr().out


def test_a_compacted_output_is_complete(output: Path) -> None:
    before = [(one.run_id, one.tracks, one.errors) for one in run_statuses(str(output))]
    compact(str(output))
    after = run_statuses(str(output))
    assert [one.state for one in after] == ["complete"]
    assert [(one.run_id, one.tracks, one.errors) for one in after] == before


def test_it_only_looks(output: Path) -> None:
    (output / ".lock").unlink(missing_ok=True)
    run_statuses(str(output))
    assert not (output / ".lock").exists()


def test_where_no_audit_is(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no audit is there"):
        run_statuses(str(tmp_path))
