"""Five damages are named, repaired, and named no more; scores come out the same."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile

from artifactnet.models.onnx_export import with_thresholds
from artifactnet.pipeline.audit.request import AuditRequest
from artifactnet.pipeline.audit.run import run_audit
from artifactnet.pipeline.output.compact import compact
from artifactnet.pipeline.output.latest import read_audit
from artifactnet.pipeline.output.verify import print_verified, run_verify, verify_files
from artifactnet.transforms.storage.object_store import S3Access
from tests.conftest import music


@pytest.fixture
def asked(tmp_path: Path, free_weights: Path) -> AuditRequest:
    (tmp_path / "music").mkdir()
    for number in range(10):
        audio = music(4.2)[:, 0] * 0.09 * (number + 1)
        soundfile.write(tmp_path / "music" / f"{number}.wav", audio, 44_100)
    (tmp_path / "music" / "bad.wav").write_bytes(b"no sound")
    return AuditRequest(
        str(tmp_path / "music"), str(tmp_path / "out"), weights=free_weights, workers=1, quiet=True
    )


def tables(output: Path, name: str) -> list[Path]:
    return sorted((output / name).glob("*.parquet"))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


DAMAGES = {
    "segments deleted": ("segments", Path.unlink, "missing"),
    "tracks deleted": ("tracks", Path.unlink, "missing"),
    "errors deleted": ("errors", Path.unlink, "missing"),
    "tracks cut short": ("tracks", cut, "cut short"),
    "segments flipped": ("segments", flip, "changed since it was written"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_named_and_repaired(asked: AuditRequest, tmp_path: Path, name: str) -> None:
    table, damage, said = DAMAGES[name]
    run_audit(asked)
    output = tmp_path / "out"
    assert verify_files(str(output)).holds
    before = read_audit(str(output))
    path = tables(output, table)[0]
    damage(path)
    found = verify_files(str(output))
    assert any(path.name in line and said in line for line in found.damaged)
    assert print_verified(found, as_json=False) == 1
    run_audit(replace(asked, repair=True))
    assert verify_files(str(output)).holds
    after = read_audit(str(output))
    for old, new in zip(before, after, strict=True):
        assert sorted(old["track_id"].to_pylist()) == sorted(new["track_id"].to_pylist())


def test_a_damaged_footer_of_a_killed_run_is_named_and_repaired(
    asked: AuditRequest, tmp_path: Path
) -> None:
    run_audit(asked)
    output = tmp_path / "out"
    for sums in (output / "runs").glob("*.sha256"):
        sums.unlink()
    before = read_audit(str(output)).tracks["track_id"].to_pylist()
    path = tables(output, "tracks")[0]
    content = path.read_bytes()
    path.write_bytes(content[:-40] + 32 * b"x" + content[-8:])
    assert [line.rpartition("/")[2] for line in verify_files(str(output)).damaged] == [
        f"{path.name}: damaged"
    ]
    run_audit(replace(asked, repair=True))
    assert verify_files(str(output)).holds
    assert sorted(read_audit(str(output)).tracks["track_id"].to_pylist()) == sorted(before)


def test_what_compact_wrote_is_recorded(asked: AuditRequest, tmp_path: Path) -> None:
    run_audit(asked)
    compact(str(tmp_path / "out"))
    found = verify_files(str(tmp_path / "out"))
    assert (found.files, found.damaged, found.unrecorded) == (3, (), 0)


def test_tables_without_a_checksum_are_counted(asked: AuditRequest, tmp_path: Path) -> None:
    run_audit(asked)
    output = tmp_path / "out"
    empty = [one for one in output.rglob("*.parquet") if not pq.read_metadata(one).num_rows]
    for sums in (output / "runs").glob("*.sha256"):
        sums.unlink()
    found = verify_files(str(output))
    assert found.holds
    full = len(list(output.rglob("*.parquet"))) - len(empty)
    assert (found.files, found.unrecorded) == (0, full)


def test_a_table_without_rows_lacks_no_checksum(asked: AuditRequest, tmp_path: Path) -> None:
    (tmp_path / "sound").mkdir()
    shutil.copy(tmp_path / "music" / "9.wav", tmp_path / "sound")
    run_audit(replace(asked, catalogue=str(tmp_path / "sound")))
    assert not read_audit(str(tmp_path / "out")).errors.num_rows
    found = verify_files(str(tmp_path / "out"))
    assert (found.files, found.damaged, found.unrecorded) == (2, (), 0)


def test_scores_come_out_the_same(
    asked: AuditRequest, tmp_path: Path, free_weights: Path, capsys: pytest.CaptureFixture
) -> None:
    run_audit(asked)
    output = str(tmp_path / "out")
    found = run_verify(output, None, free_weights, 4, S3Access())
    assert (found.scored, found.holds) == (4, True)
    assert found.largest_difference is not None
    assert found.largest_difference < 1e-5
    assert found.largest_of in read_audit(output).tracks["track_id"].to_pylist()
    assert print_verified(found, as_json=True) == 0
    assert '"holds": true' in capsys.readouterr().out
    louder = tmp_path / "music" / "0.wav"
    shutil.copy(tmp_path / "music" / "9.wav", louder)
    assert not run_verify(output, None, free_weights, 20, S3Access()).holds
    other = tmp_path / "other.onnx"
    with_thresholds(free_weights, other, 0.2, 0.9)
    with pytest.raises(ValueError, match=r"scored by model .*--weights or --model"):
        run_verify(output, None, other, 1, S3Access())


def test_rows_of_each_run_are_scored_as_that_run_did(
    asked: AuditRequest, tmp_path: Path, free_weights: Path
) -> None:
    for folder in ("long", "more", "whole"):
        (tmp_path / folder).mkdir()
        noise = np.random.default_rng(0).normal(0, np.linspace(0.01, 0.3, 1_000_000))
        soundfile.write(tmp_path / folder / f"{folder}.wav", noise, 44_100)
    run_audit(replace(asked, catalogue=str(tmp_path / "long")))
    run_audit(replace(asked, catalogue=str(tmp_path / "more"), segments=1))
    run_audit(replace(asked, catalogue=str(tmp_path / "whole"), segments=None))
    output = str(tmp_path / "out")
    assert sorted(read_audit(output).tracks["segments"].to_pylist()) == [1, 6, 6]
    found = run_verify(output, None, free_weights, 20, S3Access())
    assert (found.scored, found.holds) == (3, True)
