"""An audit onto an earlier one does what is new or changed; a killed one is gone on with."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
import soundfile

from artifactnet.pipeline.audit.request import AuditRequest
from artifactnet.pipeline.audit.run import run_audit
from artifactnet.pipeline.output.compact import compact
from artifactnet.pipeline.output.folder import OutputError, sole_writer
from artifactnet.pipeline.output.latest import read_audit
from artifactnet.pipeline.output.layout import output_files
from tests.conftest import music


def table(output: Path, name: str) -> pd.DataFrame:
    return duckdb.sql(f"SELECT * FROM read_parquet('{output}/{name}/*.parquet')").df()


def catalogue(folder: Path, count: int) -> Path:
    rng = np.random.default_rng(0)
    audio = music(4.2)[:, 0]
    (folder / "music").mkdir()
    rows = []
    for number in range(count):
        path = folder / "music" / f"{number}.wav"
        soundfile.write(
            path, audio * rng.uniform(0.2, 0.9) + rng.normal(0, 0.01, len(audio)), 44_100
        )
        rows.append({"track_id": f"t{number}", "uri": f"music/{number}.wav"})
    rows.append({"track_id": "gone", "uri": "music/gone.wav"})
    rows.append({"track_id": "t0", "uri": "music/1.wav"})
    lines = [*map(json.dumps, rows), "not json"]
    (folder / "m.jsonl").write_text("\n".join(lines) + "\n")
    return folder / "m.jsonl"


@pytest.fixture
def asked(tmp_path: Path, free_weights: Path) -> AuditRequest:
    return AuditRequest(
        str(catalogue(tmp_path, 12)), str(tmp_path / "out"), weights=free_weights, workers=1,
        quiet=True,
    )  # fmt: skip


def test_only_what_changed_is_audited_again(asked: AuditRequest, tmp_path: Path) -> None:
    asked = replace(asked, output=str(tmp_path / "tracks" / "out"))
    first = run_audit(asked)
    assert (first.counts.rows_in, first.counts.tracks, first.counts.errors) == (15, 12, 3)
    second = run_audit(asked)
    assert (second.counts.skipped, second.counts.tracks, second.counts.errors) == (15, 0, 0)
    assert second.metrics["counters"].get("decode_elements", 0) == 0
    path = tmp_path / "music" / "3.wav"
    audio, rate = soundfile.read(path)
    soundfile.write(path, audio * 0.5, rate)
    third = run_audit(asked)
    assert (third.counts.skipped, third.counts.tracks) == (14, 1)
    tracks = table(Path(asked.output), "tracks")
    assert Counter(tracks.track_id)["t3"] == 2
    assert set(tracks[tracks.run_id == third.run_id].track_id) == {"t3"}
    assert run_audit(asked).counts.skipped == 15


def test_another_model_or_configuration_audits_everything(asked: AuditRequest) -> None:
    run_audit(asked)
    other = run_audit(replace(asked, segments=1))
    assert (other.counts.skipped, other.counts.tracks) == (0, 12)
    again = run_audit(asked)  # back to the first configuration: its results must be the latest
    assert (again.counts.skipped, again.counts.tracks) == (0, 12)


def test_a_file_that_was_away_for_a_while_gets_its_verdict_back(
    asked: AuditRequest, tmp_path: Path
) -> None:
    run_audit(asked)
    path = tmp_path / "music" / "3.wav"
    path.rename(tmp_path / "away.wav")
    assert run_audit(asked).counts.errors == 1
    (tmp_path / "away.wav").rename(path)
    assert run_audit(asked).counts.tracks == 1
    compact(asked.output)
    tracks = table(tmp_path / "out", "tracks")
    assert Counter(tracks.track_id) == {f"t{n}": 1 for n in range(12)}


def test_overwriting_what_a_killed_run_left(asked: AuditRequest, tmp_path: Path) -> None:
    run_audit(asked)
    orphan = tmp_path / "out" / "segments" / "segments-20260101T000000-abcdef-0123456789ab.parquet"
    orphan.write_bytes(b"half")
    assert run_audit(replace(asked, overwrite=True)).counts.tracks == 12
    assert not orphan.exists()
    assert (tmp_path / "out" / "run.json").exists()


def test_a_damaged_table_is_named(asked: AuditRequest, tmp_path: Path) -> None:
    run_audit(asked)
    damaged = sorted((tmp_path / "out" / "tracks").glob("*.parquet"))[0]
    damaged.write_bytes(damaged.read_bytes()[:300])
    with pytest.raises(OutputError, match=f"{damaged.name}: missing or cut short; --repair"):
        run_audit(asked)
    repaired = run_audit(replace(asked, repair=True)).counts
    assert repaired.tracks > 0
    assert repaired.tracks + repaired.skipped + repaired.errors == repaired.rows_in
    assert run_audit(asked).counts.tracks == 0


def test_lost_segments_are_told_and_repaired(
    asked: AuditRequest, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run_audit(asked)
    whole = read_audit(str(tmp_path / "out"))
    lost = sorted((tmp_path / "out" / "segments").glob("*.parquet"))[0]
    lost.unlink()
    assert run_audit(asked).counts.tracks == 0
    assert f"{lost.name}: missing or cut short; --repair" in caplog.text
    run_audit(replace(asked, repair=True))
    again = read_audit(str(tmp_path / "out"))
    assert sorted(again.segments["track_id"].to_pylist()) == sorted(
        whole.segments["track_id"].to_pylist()
    )
    assert sorted(again.tracks["track_id"].to_pylist()) == sorted(
        whole.tracks["track_id"].to_pylist()
    )


def test_a_missing_file_that_comes_is_audited(asked: AuditRequest, tmp_path: Path) -> None:
    run_audit(asked)
    os.link(tmp_path / "music" / "1.wav", tmp_path / "music" / "gone.wav")
    again = run_audit(asked)
    assert (again.counts.skipped, again.counts.tracks, again.counts.errors) == (14, 1, 0)


def test_half_a_shard_is_audited_again(asked: AuditRequest, tmp_path: Path) -> None:
    run_audit(asked)
    out = tmp_path / "out"
    lost = sorted((out / "tracks").glob("*.parquet"))[0]
    rows = len(pd.read_parquet(lost))
    lost.unlink()  # as if the run had been killed between two tables
    (out / "tracks" / f"{lost.name}.{'0' * 32}.partial").write_bytes(b"half")
    (out / "run.json").unlink()
    for record in (out / "runs").iterdir():
        record.unlink()
    orphans = output_files(str(out)).orphans
    assert len(orphans) >= 2
    again = run_audit(asked)
    assert again.counts.tracks == rows
    assert not any(Path(path).exists() for path in orphans)
    assert len(again.continued) == 1
    tracks, errors = table(out, "tracks"), table(out, "errors")
    assert Counter(tracks.track_id) == {f"t{n}": 1 for n in range(12)}
    assert Counter(errors.error_class) == {
        "AudioNotFoundError": 1, "DuplicateTrackError": 1, "ManifestRowError": 1
    }  # fmt: skip


def test_two_audits_never_write_to_one_folder(asked: AuditRequest, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with (
        sole_writer(str(tmp_path / "out")),
        pytest.raises(OutputError, match="another audit is writing there"),
    ):
        run_audit(asked)


@pytest.mark.slow(35)
@pytest.mark.parametrize("workers", [1, 2])
def test_killed_audit_is_gone_on_with(asked: AuditRequest, tmp_path: Path, workers: int) -> None:
    out = tmp_path / "out"
    command = [
        *(
            sys.executable,
            "-m",
            "artifactnet",
            "audit",
            asked.catalogue,
            "-o",
            str(out),
        ),
        *("--weights", str(asked.weights), "--workers", str(workers), "--json"),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 120
    while not list(out.glob("tracks/*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.01)
        assert process.poll() is None or process.returncode == 0
    process.send_signal(signal.SIGKILL)  # the parent alone: workers must not write on
    process.wait()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    record = json.loads(done.stdout)
    assert record["counts"]["rows_in"] == 15
    assert Counter(table(out, "tracks").track_id) == {f"t{n}": 1 for n in range(12)}
    assert len(table(out, "errors")) == 3
    segments = table(out, "segments")
    assert not segments.duplicated(["track_id", "codec", "start"]).any()
    assert set(segments.track_id) == {f"t{n}" for n in range(12)}


@pytest.mark.skipif(sys.platform != "linux", reason="file names are Unicode there")
def test_a_file_whose_name_is_no_unicode_is_reported_once(
    wav, tmp_path: Path, free_weights: Path
) -> None:
    wav("music/a.wav", 4.2)
    Path(os.fsdecode(os.fsencode(tmp_path / "music") + b"/bad\xff.wav")).write_bytes(b"x" * 100)
    request = AuditRequest(
        str(tmp_path / "music"), str(tmp_path / "out"), weights=free_weights, workers=1, quiet=True
    )
    assert run_audit(request).counts.errors == 1
    wav("music/0.wav", 4.2)  # it comes first, so all lines move
    later = run_audit(request).counts
    assert (later.tracks, later.errors, later.skipped, later.skipped_errors) == (1, 0, 2, 1)
    assert run_audit(request).counts.skipped == 3
    assert len(read_audit(request.output).errors) == 1
