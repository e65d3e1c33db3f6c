import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from artifactnet.pipeline.audit.prepare import prepare
from artifactnet.pipeline.audit.request import AuditRequest
from artifactnet.pipeline.audit.run import AuditFailedError, execute, run_audit
from artifactnet.pipeline.output.compact import compact
from artifactnet.pipeline.output.finish import (
    SUCCESS,
    FinishRun,
    RowsLostError,
    RunStart,
    TooManyErrorsError,
    announce,
)
from artifactnet.pipeline.output.folder import OutputError
from artifactnet.pipeline.output.lease import take_lease
from artifactnet.pipeline.output.run_record import read_run_record
from artifactnet.pipeline.output.status import finish_and_print, run_statuses
from artifactnet.transforms.write_shards import WriteShardsDoFn
from tests.emulators import STORES, Faults, put


@pytest.fixture
def request_of_four(wav, tmp_path: Path, free_weights: Path) -> AuditRequest:
    for name in ("a", "b", "c"):
        wav(f"music/{name}.wav", 4.2)
    (tmp_path / "music" / "broken.mp3").write_bytes(b"no music" * 100)
    return AuditRequest(
        str(tmp_path / "music"), str(tmp_path / "out"), model=free_weights, quiet=True, workers=1
    )


def success_of(output: str) -> dict:
    found: dict = json.loads((Path(output) / SUCCESS).read_text())
    return found


def test_the_job_writes_its_record_though_its_launcher_is_gone(
    request_of_four: AuditRequest,
) -> None:
    plan = prepare(request_of_four)
    execute(plan)  # and nothing after it
    record = read_run_record(plan.output, plan.run.run_id)
    assert (record.counts.rows_in, record.counts.tracks, record.counts.errors) == (4, 3, 1)
    assert record.configuration["catalogue"] == request_of_four.catalogue
    assert record.model_id == plan.run.model_id
    assert record.versions["apache-beam"]
    assert success_of(plan.output)["run_id"] == plan.run.run_id
    assert success_of(plan.output)["counts"]["tracks"] == 3
    (status,) = run_statuses(plan.output)
    assert status.state == "complete"
    assert not list(Path(plan.output, "runs").glob("*.start.json"))
    done = run_audit(request_of_four)  # the next one skips what is there
    assert (done.counts.skipped, done.counts.errors) == (4, 0)
    assert not done.metrics["counters"]  # and starts no pipeline for that
    assert success_of(plan.output)["run_id"] == done.run_id


def test_finish_writes_the_record_of_a_run_that_came_to_its_counts(
    request_of_four: AuditRequest, capsys: pytest.CaptureFixture
) -> None:
    done = run_audit(request_of_four)
    output = Path(request_of_four.output)
    (output / "run.json").unlink()
    (output / "runs" / f"{done.run_id}.json").unlink()
    (output / SUCCESS).unlink()
    start = RunStart(done.run_id, done.model_id, done.config_id, done.started)
    announce(str(output), replace(start, configuration={"catalogue": "c"}))
    assert run_statuses(str(output))[0].state == "ended without a record"
    assert finish_and_print(str(output), release=False) == 0
    assert "4 rows are 3 tracks, 1 errors, 0 skipped" in capsys.readouterr().out
    record = read_run_record(str(output), done.run_id)
    assert record.counts == done.counts
    assert record.configuration == {"catalogue": "c"}
    assert success_of(str(output))["run_id"] == done.run_id


def test_finish_finds_that_a_row_is_lost(request_of_four: AuditRequest) -> None:
    done = run_audit(request_of_four)
    output = Path(request_of_four.output)
    (output / "runs" / f"{done.run_id}.json").unlink()
    (output / SUCCESS).unlink()
    next((output / "tracks").glob("*.parquet")).unlink()
    with pytest.raises(RowsLostError, match="don't add up"):
        finish_and_print(str(output), release=False)
    assert not (output / SUCCESS).exists()


def test_a_job_that_loses_a_row_fails(
    request_of_four: AuditRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = WriteShardsDoFn._commit

    def lossy(self, part, results):
        commit = whole(self, part, results)
        Path(request_of_four.output, "tracks").joinpath(
            f"tracks-{self._options.run.run_id}-{part}.parquet"
        ).unlink()
        return commit

    monkeypatch.setattr(WriteShardsDoFn, "_commit", lossy)
    with pytest.raises(AuditFailedError, match="the counts don't add up: 4 rows came in"):
        run_audit(request_of_four)
    assert not Path(request_of_four.output, SUCCESS).exists()
    assert not Path(request_of_four.output, "run.json").exists()


def test_a_job_that_nobody_waits_for_fails_by_its_errors(request_of_four: AuditRequest) -> None:
    done = run_audit(request_of_four)
    output = request_of_four.output
    Path(output, SUCCESS).unlink()
    finish = FinishRun(output, RunStart(done.run_id), most_errors=0.2, fails=True)
    with pytest.raises(TooManyErrorsError, match=r"25.0% of the rows are errors"):
        finish()
    assert not Path(output, SUCCESS).exists()
    assert read_run_record(output, done.run_id).counts == done.counts
    replace(finish, most_errors=0.3)()
    assert Path(output, SUCCESS).exists()


def test_a_second_try_does_not_hide_the_errors(request_of_four: AuditRequest) -> None:
    strict = replace(request_of_four, fail_on_errors=0.1)
    for _ in range(2):
        record = run_audit(strict)
        assert record.counts.error_share == 0.25
        assert not Path(strict.output, SUCCESS).exists()
    run_audit(request_of_four)
    assert Path(request_of_four.output, SUCCESS).exists()


def test_errors_that_were_repaired_count_no_more(request_of_four: AuditRequest) -> None:
    strict = replace(request_of_four, fail_on_errors=0.1)
    run_audit(strict)
    music = Path(strict.catalogue)
    shutil.copy(music / "a.wav", music / "broken.mp3")
    assert run_audit(strict).counts.error_share == 0.0
    assert Path(strict.output, SUCCESS).exists()


def test_finish_removes_what_an_overwriting_run_replaced(request_of_four: AuditRequest) -> None:
    first = run_audit(request_of_four)
    plan = prepare(replace(request_of_four, overwrite=True))
    # It dies after its counts, before the record: the note is all that is left of its plan.
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(FinishRun, "__call__", lambda self: None)
        execute(plan)
    assert finish_and_print(plan.output, release=True) == 0
    (status,) = run_statuses(plan.output)
    assert (status.run_id, status.tracks) == (plan.run.run_id, 3)
    assert not [p for p in Path(plan.output).rglob("*") if first.run_id in p.name]


def test_notes_of_nobody(request_of_four: AuditRequest) -> None:
    done = run_audit(request_of_four)
    output = Path(request_of_four.output)
    note = output / "runs" / f"{done.run_id}.start.json"
    (output / "runs" / f"{done.run_id}.json").unlink()
    for content in ("[]", '{"run_id": "other"}'):
        note.write_text(content)
        with pytest.raises(OutputError, match=r"start\.json is not a run's note; remove it"):
            finish_and_print(str(output), release=False)
    note.write_text("no json")
    with pytest.raises(ValueError, match=r"start\.json is damaged: no JSON"):
        finish_and_print(str(output), release=False)
    note.write_text(json.dumps({"run_id": done.run_id, "of a newer version": 1}))
    assert finish_and_print(str(output), release=False) == 0


def test_a_held_output_is_left_alone(request_of_four: AuditRequest) -> None:
    run_audit(request_of_four)
    take_lease(request_of_four.output, "29991231T000000-aaaaaa", 60)  # of a job on an engine
    orphan = Path(request_of_four.output, "segments", f"segments-29991231T000000-aaaaaa-{12 * 'a'}")
    orphan.with_suffix(".parquet").write_bytes(b"in flight")
    for command in (lambda: run_audit(request_of_four), lambda: compact(request_of_four.output)):
        with pytest.raises(OutputError, match="is writing there"):
            command()
    assert orphan.with_suffix(".parquet").exists()


def test_a_new_run_takes_the_mark_of_success_away(
    request_of_four: AuditRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_audit(request_of_four)

    def dies(*_):
        raise ValueError("no disk")

    monkeypatch.setattr(WriteShardsDoFn, "_commit", dies)
    with pytest.raises(AuditFailedError):
        run_audit(replace(request_of_four, segments=1))
    assert not Path(request_of_four.output, SUCCESS).exists()
    assert [one.state for one in run_statuses(request_of_four.output)] == ["complete", "dead"]
    monkeypatch.undo()
    run_audit(replace(request_of_four, segments=1))
    # The killed run committed nothing, so nothing is left to tell of it.
    assert [one.state for one in run_statuses(request_of_four.output)] == ["complete"] * 2


def test_nothing_to_finish(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no audit is there"):
        finish_and_print(str(tmp_path), release=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.engine(40)
def test_two_scheduled_runs_overlap_in_a_bucket(
    wav, free_weights: Path, capsys: pytest.CaptureFixture
) -> None:
    with STORES["s3"](Faults()) as bucket:
        put(f"{bucket}/overlap-music/a.wav", wav("a.wav", 4.2).read_bytes())
        asked = AuditRequest(
            f"{bucket}/overlap-music",
            f"{bucket}/overlap",
            model=free_weights,
            quiet=True,
            workers=1,
        )
        first = run_audit(asked)
        take_lease(asked.output, "29991231T000000-aaaaaa", 60)  # of a job on another engine
        with pytest.raises(OutputError, match=r"run 29991231T000000-aaaaaa of .* is writing there"):
            run_audit(asked)
        with pytest.raises(OutputError, match="may still be at work; --release"):
            finish_and_print(asked.output, release=False)
        assert finish_and_print(asked.output, release=True) == 0
        assert "freed" in capsys.readouterr().out
        assert run_audit(asked).counts.skipped == first.counts.tracks
