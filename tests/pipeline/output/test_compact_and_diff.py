"""What several runs wrote is one state; compacting keeps it, diff compares two of them."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import duckdb
import pandas as pd
import pytest
import soundfile

from artifactnet.models.onnx_export import with_thresholds
from artifactnet.pipeline.audit.request import AuditRequest
from artifactnet.pipeline.audit.run import run_audit
from artifactnet.pipeline.output import compact as compact_module
from artifactnet.pipeline.output.compact import compact
from artifactnet.pipeline.output.diff import compare, print_difference
from artifactnet.pipeline.output.latest import read_audit, read_state
from tests.conftest import music


def table(output: Path, name: str) -> pd.DataFrame:
    return duckdb.sql(
        f"SELECT * FROM read_parquet('{output}/{name}/*.parquet', union_by_name = true)"
    ).df()


@pytest.fixture
def asked(tmp_path: Path, free_weights: Path) -> AuditRequest:
    (tmp_path / "music").mkdir()
    rows = []
    for number in range(9):
        soundfile.write(
            tmp_path / f"music/{number}.wav", music(4)[:, 0] * 0.1 * (number + 1), 44_100
        )
        rows.append(
            {
                "track_id": f"t{number}",
                "uri": f"music/{number}.wav",
                "number": number,
                "stage": "draft",
            }
        )
    rows.append({"track_id": "late", "uri": "music/late.wav"})
    (tmp_path / "m.jsonl").write_text("\n".join([*map(json.dumps, rows), "no json"]))
    return AuditRequest(
        str(tmp_path / "m.jsonl"), str(tmp_path / "out"), weights=free_weights, workers=1,
        quiet=True,
    )  # fmt: skip


@pytest.fixture
def two_runs(asked: AuditRequest, tmp_path: Path):
    first = run_audit(asked)
    audio = music(5)[::-1, 0] * 0.3
    soundfile.write(tmp_path / "music" / "4.wav", audio, 44_100)
    soundfile.write(tmp_path / "music" / "late.wav", audio, 44_100)
    return first, run_audit(asked)


def test_compacting_keeps_the_latest_result_of_each_line(
    asked: AuditRequest, two_runs, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    before = table(out, "tracks")
    assert Counter(before.track_id)["t4"] == 2
    done = compact(str(out))
    assert (done.files_after, done.dropped) == (3, 2)  # of t4 a verdict, of late an error
    tracks, errors = table(out, "tracks"), table(out, "errors")
    assert Counter(tracks.track_id) == {"late": 1} | {f"t{n}": 1 for n in range(9)}
    assert set(tracks[tracks.track_id == "t4"].run_id) == {two_runs[1].run_id}
    assert tracks.set_index("track_id").number.to_dict()["t8"] == 8
    assert list(errors.error_class) == ["ManifestRowError"]
    segments = table(out, "segments")
    assert not segments.duplicated(["track_id", "codec", "start"]).any()
    assert len(list(out.rglob("*.parquet"))) == 3
    again = run_audit(asked)
    assert (again.counts.skipped, again.continued) == (11, {})
    assert compact(str(out), rows_per_file=4).dropped == 0
    assert len(table(out, "tracks")) == 10


def test_a_swap_that_was_cut_short_is_carried_through(
    asked: AuditRequest, two_runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    rename = compact_module.FileSystems.rename
    calls = 0

    def killed(sources, targets):
        nonlocal calls
        calls += 1
        if calls == 2:
            raise KeyboardInterrupt
        rename(sources, targets)

    with monkeypatch.context() as patch:
        patch.setattr(compact_module.FileSystems, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            compact(str(out))
    with pytest.raises(ValueError, match=r"artifactnet compact .* carries it through"):
        read_state(str(out))
    assert run_audit(asked).counts.skipped == 11
    assert Counter(table(out, "tracks").track_id) == {"late": 1} | {f"t{n}": 1 for n in range(9)}
    assert not list(out.rglob("*.new"))


def test_difference_says_why(asked: AuditRequest, two_runs, tmp_path: Path) -> None:
    first, second = two_runs
    out = tmp_path / "out"
    found = compare(f"{out}/runs/{first.run_id}.json", str(out))
    changes = {change.track_id: change for change in found.changes}
    assert changes["late"].before == "error"
    assert changes["late"].why == "audio"
    assert found.tracks == 10
    earlier = read_audit(f"{out}/runs/{first.run_id}.json")
    assert set(earlier.tracks["run_id"].to_pylist()) == {first.run_id}
    same = compare(f"{out}/runs/{second.run_id}.json", str(out))
    assert (same.changes, same.models, same.largest_shift) == ((), 0, 0.0)


def test_difference_between_models(
    asked: AuditRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_audit(asked)
    assert asked.weights
    with_thresholds(Path(asked.weights), tmp_path / "strict.onnx", 0.0, 1e-6)
    other = replace(asked, weights=tmp_path / "strict.onnx", output=str(tmp_path / "b"))
    run_audit(other)
    found = compare(asked.output, other.output)
    assert {change.why for change in found.changes} == {"model"}
    assert found.largest_shift == 0.0
    print_difference(asked.output, other.output, as_json=False)
    printed = capsys.readouterr().out
    assert "10 tracks in both, 10 by another model; 9 with another verdict, new or gone" in printed
    print_difference(asked.output, other.output, as_json=True)
    assert len(json.loads(capsys.readouterr().out)["changes"]) == 9


def test_no_audit_no_state(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no audit is there"):
        read_state(str(tmp_path))
