"""ArtifactBench as it is published: audio in Parquet, ids in CSV, files beside them."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from artifactnet.pipeline.bench.published_layout import is_published_layout, read_published_layout
from artifactnet.pipeline.bench.run_bench import BenchRequest, run_bench
from artifactnet.transforms.audio.codec_spec import parse_codecs
from tests.conftest import SAMPLES, music


def publish(folder: Path) -> Path:
    (folder / "real_audio").mkdir(parents=True)
    generated = [path.read_bytes() for path in sorted(SAMPLES.parent.glob("*-ai.*"))]
    pq.write_table(
        pa.table(
            {
                "track_id": [f"g{n}" for n in range(len(generated))],
                "audio": [{"bytes": content, "path": None} for content in generated],
                "source": ["generator"] * len(generated),
                "bench_origin": ["test"] * len(generated),
            }
        ),
        folder / "ai.parquet",
    )
    for name in ("abc", "-def"):
        soundfile.write(folder / "real_audio" / f"{name}.flac", music(5), 44_100)
    (folder / "real.csv").write_text(
        "youtube_id,source,bench_origin\nabc,fma,test\n-def,fma,test\ngone1,fma,test\ngone2,fma,\n"
    )
    return folder


@pytest.mark.slow
def test_rows_without_audio_are_counted_and_named(tmp_path: Path, tiny_weights: Path) -> None:
    folder = publish(tmp_path / "artifactbench")
    report = run_bench(
        BenchRequest(
            str(folder), str(tmp_path / "out"), segments=1, codecs=parse_codecs("wav"),
            weights=tiny_weights,
        )
    )  # fmt: skip
    assert report.absent == ("gone1", "gone2")
    (detector,) = [split for split in report.splits if split.scorer == "ArtifactNet"]
    assert (detector.metrics.tracks_ai, detector.metrics.tracks_real) == (3, 2)
    assert report.errors == 0
    assert "audio is not there: 2: gone1, gone2." in (tmp_path / "out" / "bench.md").read_text()


def test_other_folders_are_not_taken_for_it(tmp_path: Path) -> None:
    assert not is_published_layout(str(SAMPLES.parent))
    assert not is_published_layout("s3://bucket/bench")
    folder = publish(tmp_path / "b")
    assert is_published_layout(str(folder))
    (folder / "real.csv").write_text("uri\na.flac\n")
    assert not is_published_layout(str(folder))


def test_a_second_reading_starts_afresh(tmp_path: Path) -> None:
    folder = publish(tmp_path / "b")
    first = read_published_layout(str(folder), tmp_path / "work")
    assert read_published_layout(str(folder), tmp_path / "work") == first
    assert {p.name for p in (tmp_path / "work").iterdir()} == {"0000-ai.parquet", "real.jsonl"}
