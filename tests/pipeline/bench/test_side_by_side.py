"""Detectors side by side: the same windows, what each says, and a bench that goes on."""

import json
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile

from artifactnet.models.onnx_export import with_thresholds
from artifactnet.pipeline.bench.one_detector import stored
from artifactnet.pipeline.bench.request import BenchRequest
from artifactnet.pipeline.bench.side_by_side import run_side_by_side
from artifactnet.pipeline.bench.side_by_side_report import markdown
from artifactnet.pipeline.detectors.protocol import DetectorError
from artifactnet.pipeline.output.folder import OutputError
from artifactnet.transforms.audio.codec_spec import parse_codecs

PLUGIN = """
import os
import numpy as np

class Level:
    sample_rate, channels, seconds = 16000, 1, None
    level, output, pooling = "segment", "probability", "median"
    def __init__(self, name="level", sign=1):
        self.name, self.sign = name, sign
    def threshold(self, segments):
        return 0.5
    def score(self, sound):
        peak = np.abs(sound).max((1, 2))
        return np.clip(peak if self.sign > 0 else 1 - peak, 0, 1)

def loud():
    return Level()

def quiet():
    return Level("quiet", -1)

class Crashing(Level):
    def score(self, sound):
        if not os.path.exists(os.environ["MENDED"]) and np.abs(sound).max() > 0.9:
            os.kill(os.getpid(), 11)
        return super().score(sound)

def crashing():
    return Crashing("crashing")

class Choosy(Level):
    def score(self, sound):
        if np.abs(sound).max() > 0.9:
            raise MemoryError("too loud")
        return super().score(sound)

class Broken(Level):
    def score(self, sound):
        raise ValueError("out of order")

def broken():
    return Broken("broken")

class Noisy(Level):
    def score(self, sound):
        return np.clip(super().score(sound) + 0.4 * np.sin(1e4 * sound[:, 0, 99]), 0, 1)

def noisy():
    return Noisy("noisy")

def choosy():
    return Choosy("choosy")
"""


@pytest.fixture
def catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Forty loud generated and forty quiet human tracks, and one that is no audio."""
    (tmp_path / "loudness_plugin.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.delitem(sys.modules, "loudness_plugin", raising=False)
    rng = np.random.default_rng(0)
    rows = [{"track_id": "bad", "uri": "bad.wav", "label": "human"}]
    (tmp_path / "bad.wav").write_bytes(b"no audio")
    for number in range(80):
        loud = number % 2
        peak = rng.uniform(0.6, 0.99) if loud else rng.uniform(0.1, 0.45)
        noise = rng.uniform(-1, 1, 16_000 * 4)
        soundfile.write(tmp_path / f"{number}.wav", peak * noise / np.abs(noise).max(), 16_000)
        rows.append({
            "track_id": str(number), "uri": f"{number}.wav", "label": "fake" if loud else "human",
            "generator": "shouter" if loud else None, "source": "page" if loud else "choir",
            "bench_origin": "test",
        })  # fmt: skip
    manifest = tmp_path / "catalogue.jsonl"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return manifest


def request(catalogue: Path, *names: str, **more) -> BenchRequest:
    return BenchRequest(
        str(catalogue), str(catalogue.parent / "bench"), segments=1,
        detector=[f"loudness_plugin:{name}" for name in names],
        codecs=more.pop("codecs", parse_codecs("wav")), **more,
    )  # fmt: skip


def test_report_compares_on_what_all_scored(catalogue: Path) -> None:
    report = run_side_by_side(request(catalogue, "loud", "quiet"))
    assert (report.tracks, report.shared) == (81, 80)
    loud, quiet = report.results
    assert (loud.detector, loud.metrics.auc.value, quiet.metrics.auc.value) == ("level", 1, 0)
    assert loud.errors == quiet.errors == 1
    (one,) = report.compared
    assert one.auc.value == one.right.value == 1
    assert one.right_p < 1e-6
    assert report.sources == (
        ("shouter", "ai", "40", "1.00", "0.00"),
        ("choir", "real", "40", "0.00", "1.00"),
    )
    folder = catalogue.parent / "bench"
    assert (folder / "side_by_side.md").read_text() == markdown(report)
    assert "](side_by_side.png)" in markdown(report)
    assert json.loads((folder / "side_by_side.json").read_text())["shared"] == 80
    assert (folder / "side_by_side.png").read_bytes().startswith(b"\x89PNG")
    table = pq.read_table(folder / "scores.parquet")
    assert table.num_rows == 2 * 81
    assert table["p_ai"].is_valid().to_pylist().count(True) == 2 * 81


def test_bench_goes_on_after_a_crash(catalogue: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mended = catalogue.parent / "mended"
    monkeypatch.setenv("MENDED", str(mended))
    asked = request(catalogue, "crashing")
    with pytest.raises(DetectorError, match=r"ended with SIGSEGV on track \d+; the same command"):
        run_side_by_side(asked)
    (path,) = (catalogue.parent / "bench" / "scores").glob("*.jsonl")
    before = stored(path).scores
    assert 0 < len(before) < 81
    assert [one.error for one in before.values()][-1] == "crashed: SIGSEGV"
    mended.touch()
    assert run_side_by_side(asked).shared == 79  # the track that it crashed on is not tried again
    after = stored(path).scores
    assert {name: after[name] for name in before} == before
    assert len(after) == 81


def test_a_torn_line_costs_nothing(catalogue: Path) -> None:
    asked = request(catalogue, "loud")
    first = run_side_by_side(asked)
    (path,) = (catalogue.parent / "bench" / "scores").glob("*.jsonl")
    for kept in (0.5, 0.001):  # in the middle of a score, and of the settings
        path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
        again = run_side_by_side(asked)
        assert again.shared == 80
        assert again.results[0].metrics == first.results[0].metrics


def test_an_error_that_passes_is_tried_again(catalogue: Path) -> None:
    asked = request(catalogue, "loud")
    (catalogue.parent / "0.wav").rename(catalogue.parent / "elsewhere.wav")
    assert run_side_by_side(asked).shared == 79
    (catalogue.parent / "elsewhere.wav").rename(catalogue.parent / "0.wav")
    assert run_side_by_side(asked).shared == 80


def test_a_detector_that_scores_nothing_is_named_and_left_out(catalogue: Path) -> None:
    report = run_side_by_side(request(catalogue, "loud", "broken"))
    assert report.shared == 80
    assert [one.detector for one in report.results] == ["level"]
    assert "broken: 0: ValueError: out of order" in report.failed[0]
    assert "Could score nothing: broken" in markdown(report)
    with pytest.raises(ValueError, match="no detector could score a track; broken: "):
        run_side_by_side(request(catalogue, "broken", overwrite=True))


def test_versions_of_a_piece_count_as_one(catalogue: Path) -> None:
    rows = [json.loads(line) for line in catalogue.read_text().splitlines()]
    apart = run_side_by_side(request(catalogue, "loud", "noisy")).compared[0].auc
    for number, row in enumerate(rows):
        row["pair"] = f"piece {number // 8}"
    catalogue.write_text("".join(json.dumps(row) + "\n" for row in rows))
    together = run_side_by_side(request(catalogue, "loud", "noisy")).compared[0].auc
    assert together.value == apart.value
    assert together.low != apart.low


def test_lines_that_are_left_out_are_counted(catalogue: Path) -> None:
    with catalogue.open("a") as file:
        file.write('no json\n{"track_id": "0", "uri": "0.wav", "label": "fake"}\n')
        file.write('{"track_id": "q", "uri": "1.wav", "label": "maybe"}\n')
    report = run_side_by_side(request(catalogue, "loud"))
    assert (report.tracks, report.left_out) == (81, 3)


def test_detectors_of_one_name_are_told_apart(catalogue: Path) -> None:
    report = run_side_by_side(request(catalogue, "loud", "Level"))
    assert [one.detector for one in report.results] == [
        "level [loudness_plugin:loud]", "level [loudness_plugin:Level]",
    ]  # fmt: skip


def test_other_weights_want_another_folder(catalogue: Path, free_weights: Path) -> None:
    weights = catalogue.parent / "w.onnx"
    weights.write_bytes(free_weights.read_bytes())
    asked = BenchRequest(
        str(catalogue), str(catalogue.parent / "bench"), segments=1, codecs=parse_codecs("wav"),
        detector=[f"onnx:{weights}"],
    )  # fmt: skip
    run_side_by_side(asked)
    with_thresholds(free_weights, weights, 0.1, 0.9)
    with pytest.raises(OutputError, match="other weights or settings"):
        run_side_by_side(asked)


def test_what_one_detector_can_not_score_counts_for_none(catalogue: Path) -> None:
    report = run_side_by_side(request(catalogue, "loud", "choosy"))
    assert report.results[0].errors == 1 < report.results[1].errors
    assert report.shared == 81 - report.results[1].errors


def test_codecs_make_drift(catalogue: Path) -> None:
    asked = request(catalogue, "loud", codecs=parse_codecs("wav,mp3:64k"))
    (result,) = run_side_by_side(asked).results
    assert 0 < result.drift_mean <= result.drift_p95 <= 1


def test_other_settings_want_another_folder(catalogue: Path) -> None:
    run_side_by_side(request(catalogue, "loud"))
    with pytest.raises(OutputError, match="--overwrite"):
        run_side_by_side(request(catalogue, "loud", window_seconds=2.0))
    run_side_by_side(request(catalogue, "loud", window_seconds=2.0, overwrite=True))


def test_unknown_detector_is_told_before_any_work(catalogue: Path) -> None:
    with pytest.raises(DetectorError, match="has no absent"):
        run_side_by_side(request(catalogue, "loud", "absent"))
    assert not (catalogue.parent / "bench").exists()


def test_labels_that_nobody_knows(tmp_path: Path) -> None:
    manifest = tmp_path / "m.jsonl"
    manifest.write_text('{"uri": "a.wav", "label": "banana"}\n')
    asked = BenchRequest(str(manifest), str(tmp_path / "bench"), detector=["artifactnet"])
    with pytest.raises(ValueError, match="its labels: banana"):
        run_side_by_side(asked)
