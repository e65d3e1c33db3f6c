"""The bench on the sample tracks: the audit's own scores, the report, the plots."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile

from artifactnet.pipeline.bench.audited import BenchTracks, read_bench_tracks
from artifactnet.pipeline.bench.run_bench import BenchRequest, run_bench
from artifactnet.pipeline.bench.sources import by_source
from artifactnet.transforms.audio.codec_spec import parse_codecs
from tests.conftest import SAMPLES, music

PLOTS = ("roc.png", "sources.png", "drift.png", "reliability.png")


@pytest.fixture(scope="module")
def benched(tmp_path_factory: pytest.TempPathFactory, tiny_weights: Path):
    output = tmp_path_factory.mktemp("bench")
    codecs = parse_codecs("opus:64k")
    return output, run_bench(
        BenchRequest(str(SAMPLES), str(output), segments=1, codecs=codecs, weights=tiny_weights)
    )


def test_report_counts_what_the_audit_counted(benched) -> None:
    output, report = benched
    run = json.loads((output / "audit" / "run.json").read_text())
    detector = next(split for split in report.splits if split.scorer == "ArtifactNet")
    assert (detector.metrics.tracks_ai, detector.metrics.tracks_real) == (3, 4)
    assert report.errors == run["counts"]["errors"] == 1
    assert report.model_id == run["model_id"]


def test_files_hold_the_report(benched) -> None:
    output, report = benched
    stored = json.loads((output / "bench.json").read_text())
    assert stored["model_id"] == report.model_id
    assert "| sample | ArtifactNet | 3 | 4 |" in (output / "bench.md").read_text()
    assert pq.read_table(output / "sources.parquet").num_rows == len(report.sources)
    for name in PLOTS:
        assert f"]({name})" in (output / "bench.md").read_text()
        assert (output / name).read_bytes().startswith(b"\x89PNG")


def test_drift_is_that_of_the_tracks(benched) -> None:
    output, report = benched
    tracks, _ = read_bench_tracks(str(output / "audit"))
    (drift,) = report.drifts
    assert drift.mean == pytest.approx(tracks.drift.mean())
    assert drift.max == pytest.approx(tracks.drift.max())


@pytest.mark.slow
def test_baselines_stand_beside_the_detector(tmp_path: Path, tiny_weights: Path) -> None:
    rng = np.random.default_rng(0)
    rows = []
    for number in range(24):
        audio = music(4)[:, 0] * rng.uniform(0.1, 0.9)
        if number % 2:
            audio = np.convolve(audio, np.ones(8) / 8, "same").astype(np.float32)
        soundfile.write(tmp_path / f"{number}.wav", audio, 44_100)
        label = ("real", "ai")[number % 2]
        rows.append({"uri": f"{number}.wav", "label": label, "bench_origin": "test"})
    (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, rows)))
    report = run_bench(
        BenchRequest(
            str(tmp_path / "m.jsonl"), str(tmp_path / "out"), 1, parse_codecs(""), tiny_weights
        )
    )
    scorers = {split.scorer: split.metrics for split in report.splits}
    assert list(scorers) == ["ArtifactNet", "confound probe", "spectral peaks", "shuffled labels"]
    assert scorers["confound probe"].auc.value > 0.9
    assert report.drifts == ()


def test_manifest_without_labels_is_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text('{"uri": "a.wav", "label": "banana"}')
    with pytest.raises(ValueError, match="its labels: banana"):
        run_bench(BenchRequest(str(tmp_path / "m.jsonl"), str(tmp_path / "out")))
    assert not (tmp_path / "out").exists()


def test_too_few_tracks_for_baselines_is_said(benched) -> None:
    output, report = benched
    assert report.no_baselines or len(report.splits) == 4
    if report.no_baselines:
        assert report.no_baselines in (output / "bench.md").read_text()


def test_output_in_an_object_store_is_refused() -> None:
    with pytest.raises(ValueError, match="local folder"):
        run_bench(BenchRequest(str(SAMPLES), "s3://bucket/x"))


def some_tracks(called: list[bool], is_ai: bool, drift: float) -> BenchTracks:
    size = len(called)
    names = np.array([f"t{n}" for n in range(size)])
    return BenchTracks(
        track_id=names, uri=names, is_ai=np.full(size, is_ai), source=np.full(size, "s"),
        bench_origin=np.full(size, "test"), group=names, score=np.array(called, float),
        called_ai=np.array(called), drift=np.full(size, drift),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("called", "is_ai", "drift", "missed"),
    [
        ([True] * 9 + [False], True, 0.1, 0),
        ([True] * 8 + [False] * 2, True, 0.1, 1),
        ([False] * 19 + [True], False, 0.1, 0),
        ([False] * 9 + [True], False, 0.1, 1),
        ([False] * 10, False, 0.2, 1),
        ([False] * 10, False, 0.4, 2),
        ([False] * 10, False, float("nan"), 0),
    ],
)
def test_pass_marks(called: list[bool], is_ai: bool, drift: float, missed: int) -> None:
    (result,) = by_source(some_tracks(called, is_ai, drift))
    assert len(result.failures) == missed
