import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from artifactnet.pipeline.audit.request import AuditRequest
from artifactnet.pipeline.audit.run import run_audit
from artifactnet.pipeline.output.finish import RunStart, announce
from artifactnet.pipeline.output.gauges import NAMES, write_gauges
from artifactnet.pipeline.output.status import run_statuses


def values(path: Path) -> Iterator[tuple[str, dict[str, str], float]]:
    for family in text_string_to_metric_families(path.read_text()):
        for sample in family.samples:
            yield sample.name, sample.labels, sample.value


def test_two_runs_as_gauges(wav, tmp_path: Path, free_weights: Path) -> None:
    for name in ("a", "b", "c"):
        wav(f"music/{name}.wav", 4.2)
    (tmp_path / "music" / "broken.mp3").write_bytes(b"no music" * 100)
    output = str(tmp_path / "out")
    request = AuditRequest(
        str(tmp_path / "music"), output, model=free_weights, quiet=True, workers=1
    )
    run_audit(request)
    first = tmp_path / "first.prom"
    write_gauges(output, run_statuses(output), first)
    wav("music/d.wav", 4.2)
    run_audit(request)
    run_audit(request)  # does nothing, so it is neither the latest nor the previous
    file = tmp_path / "collector" / "audit.prom"
    write_gauges(output, run_statuses(output), file)
    found = {
        (name, *(f"{k}={v}" for k, v in sorted(labels.items()) if k != "output")): value
        for name, labels, value in values(file)
    }
    names = {name for file in (first, file) for name, *_ in values(file)}
    assert names == set(NAMES)
    assert found["artifactnet_run_state", "state=complete"] == 1
    assert found["artifactnet_run_state", "state=dead"] == 0
    assert found["artifactnet_run_rows", "result=tracks", "run=latest"] == 1
    assert found["artifactnet_run_rows", "result=tracks", "run=previous"] == 3
    assert found["artifactnet_run_rows", "result=skipped", "run=latest"] == 4
    errors = ("error_class=NotAudioError", "run=previous", "stage=decode")
    assert found["artifactnet_run_errors", *errors] == 1
    verdicts = [v for k, v in found.items() if k[0] == "artifactnet_tracks"]
    assert sum(verdicts) == 4
    assert found["artifactnet_errors",] == 1
    assert 0 <= found["artifactnet_run_p_ai", "percentile=50", "run=latest"] <= 1
    assert found["artifactnet_success_timestamp_seconds",] > 1.7e9
    (tmp_path / "out" / "_SUCCESS").unlink()  # as every start does: when it was complete is known
    write_gauges(output, run_statuses(output), file)
    assert "artifactnet_success_timestamp_seconds{" in file.read_text()
    if shutil.which("promtool"):
        with file.open() as text:
            subprocess.run(["promtool", "check", "metrics"], stdin=text, check=True)
    with pytest.raises(ValueError, match=r"end in \.prom"):
        write_gauges(output, run_statuses(output), tmp_path / "audit.txt")


def test_an_output_that_holds_nothing_complete(
    wav, tmp_path: Path, free_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wav("music/a.wav", 4.2)
    request = AuditRequest(
        str(tmp_path / "music"), str(tmp_path / "out"), model=free_weights, quiet=True, workers=1
    )
    run_audit(request)
    for note in (tmp_path / "out" / "runs").glob("*.json"):
        note.unlink()
    (tmp_path / "out" / "run.json").unlink()
    (tmp_path / "out" / "_SUCCESS").unlink()
    runs = run_statuses(request.output)
    write_gauges(request.output, [replace(runs[-1], quiet_seconds=None)], tmp_path / "a.prom")
    # A run that died before its first shard leaves its note alone.
    nothing = tmp_path / "nothing"
    announce(str(nothing), RunStart("20260101T000000-aaaaaa"))
    (dead,) = run_statuses(str(nothing))
    write_gauges(str(nothing), [dead], tmp_path / "b.prom")
    of_dead = {(n, labels.get("state")): value for n, labels, value in values(tmp_path / "b.prom")}
    assert of_dead["artifactnet_run_state", "dead"] == 1
    assert of_dead["artifactnet_run_quiet_seconds", None] > 86_400
    found = {
        (name, labels.get("state")): value for name, labels, value in values(tmp_path / "a.prom")
    }
    assert found["artifactnet_run_state", "dead"] == 1
    assert ("artifactnet_success_timestamp_seconds", None) not in found
