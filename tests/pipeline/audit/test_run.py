"""The audit end to end on real files: every row is accounted for, once."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from artifactnet.models.artifactnet import load_detector
from artifactnet.models.pooling import pooled
from artifactnet.pipeline.audit.prepare import prepare
from artifactnet.pipeline.audit.request import AuditRequest, without_secrets
from artifactnet.pipeline.audit.run import (
    AuditFailedError,
    AuditInterruptedError,
    execute,
    run_audit,
)
from artifactnet.pipeline.audit.score import score_rows
from artifactnet.pipeline.output.folder import OutputError, make_output
from artifactnet.transforms.audio.codec_spec import parse_codecs
from artifactnet.transforms.decode import DecodeOptions
from artifactnet.transforms.detector.detector import DetectorOptions, detector_of
from artifactnet.transforms.elements.errors import CodecError
from artifactnet.transforms.elements.records import AuditedTrack, ManifestRow
from artifactnet.transforms.manifests.columns import ManifestError
from artifactnet.transforms.reencode import ReencodeOptions
from tests.conftest import SAMPLES, SHARED_CORPUS


def table(output: Path, name: str) -> pd.DataFrame:
    path = f"{output}/{name}/*.parquet"
    return duckdb.sql(f"SELECT * FROM '{path}'").df()


@pytest.fixture(scope="module")
def request_of_samples(tiny_weights: Path) -> AuditRequest:
    return AuditRequest(
        str(SAMPLES), "", weights=tiny_weights, workers=1, quiet=True,
        codecs=parse_codecs("mp3:64k"),
    )  # fmt: skip


@pytest.fixture(scope="module")
def audited(request_of_samples: AuditRequest, tmp_path_factory: pytest.TempPathFactory):
    output = tmp_path_factory.mktemp("audit") / "out"
    return output, run_audit(replace(request_of_samples, output=str(output)))


def test_counts_agree_with_the_tables(audited) -> None:
    output, record = audited
    written = json.loads((output / "run.json").read_text())
    assert written["counts"] == {
        "rows_in": 8, "tracks": 7, "errors": 1, "skipped": 0, "segments": 2 * 13,
        "shards": 2, "repeated_shards": 0, "skipped_errors": 0,
    }  # fmt: skip
    for name in ("tracks", "segments", "errors"):
        assert len(table(output, name)) == written["counts"][name]
    assert record.counts.add_up


def test_tracks_say_what_was_found_and_carry_the_manifest(audited) -> None:
    output, record = audited
    tracks = table(output, "tracks").set_index("track_id")
    rows = [json.loads(line) for line in SAMPLES.read_text().splitlines()]
    for row in rows:
        if row["track_id"] == "broken":
            continue
        track = tracks.loc[row["track_id"]]
        assert track.title == row["title"]
        assert track.label == row["label"]
        assert track.model_id == record.model_id
        assert [score["codec"] for score in track.codec_scores] == ["wav", "mp3:64k"]
        assert track.codec_drift == pytest.approx(
            abs(track.codec_scores[0]["p_ai"] - track.codec_scores[1]["p_ai"])
        )
    containers = {name: (t.container, t.codec) for name, t in tracks.iterrows()}
    assert containers["march-real"] == ("mp3", "mp3")
    assert containers["waltz-real"] == ("ogg", "vorbis")
    assert containers["nocturne-real"] == ("mov", "aac")
    assert containers["stomp-real"] == ("wav", "pcm_16")
    assert containers["march-ai"][1] == "opus"


def test_stages_fused_into_one_dofn_give_the_same_rows(
    audited, request_of_samples: AuditRequest, tmp_path: Path
) -> None:
    plan = prepare(replace(request_of_samples, output=str(tmp_path / "out")))
    fused = replace(plan, options=replace(plan.options, fused=True, partitions=3))
    make_output(plan.output)
    execute(fused)
    for name, key in (("tracks", "track_id"), ("segments", "track_id"), ("errors", "track_id")):
        one, other = (
            table(output, name).drop(columns=["run_id", "audited_at"], errors="ignore")
            for output in (audited[0], tmp_path / "out")
        )
        pd.testing.assert_frame_equal(
            one.sort_values([key, *one.columns[:3]], ignore_index=True),
            other.sort_values([key, *one.columns[:3]], ignore_index=True),
            check_exact=False,
            atol=1e-5,
        )


def test_error_names_track_and_stage(audited) -> None:
    (row,) = table(audited[0], "errors").to_dict("records")
    assert (row["track_id"], row["stage"], row["error_class"]) == (
        "broken", "decode", "NotAudioError"
    )  # fmt: skip


def test_track_score_is_that_of_its_segments(audited, tiny_weights: Path) -> None:
    output, _ = audited
    segments = table(output, "segments")
    pooling = load_detector(tiny_weights).network.config.pooling
    groups = segments[segments.codec == "wav"].groupby("track_id").p_ai
    by_track = groups.apply(lambda scores: pooled(scores.to_numpy(), pooling))
    tracks = table(output, "tracks").set_index("track_id").p_ai
    pd.testing.assert_series_equal(tracks.sort_index(), by_track.sort_index(), check_dtype=False)
    assert not segments.duplicated(["track_id", "codec", "start"]).any()


def test_files_are_zstd_and_carry_the_run_id(audited) -> None:
    output, record = audited
    for path in output.rglob("*.parquet"):
        assert record.run_id in path.name
        metadata = pq.ParquetFile(path).metadata
        if metadata.num_rows:
            assert metadata.row_group(0).column(0).compression == "ZSTD"
    assert not [path for path in output.rglob("*") if "temp" in path.name]


def test_metrics_cover_every_stage(audited) -> None:
    metrics = audited[1].metrics
    for stage in ("decode", "codec", "stft", "residual", "hpss", "features", "classify", "verdict"):
        assert metrics["counters"][f"{stage}_elements"] > 0
        assert metrics["distributions"][f"{stage}_latency_us"]["count"] > 0
    assert metrics["counters"]["audio_seconds"] == 4 * 26


@pytest.mark.slow
def test_again_and_in_two_processes_and_without_beam_the_scores_are_the_same(
    audited, request_of_samples: AuditRequest, tmp_path: Path
) -> None:
    first = table(audited[0], "tracks").set_index("track_id").p_ai
    run_audit(replace(request_of_samples, output=str(tmp_path), workers=2))
    again = table(tmp_path, "tracks").set_index("track_id").p_ai
    rows = [
        ManifestRow(row["track_id"], str(SAMPLES.parent / row["uri"]), "m", 1)
        for row in map(json.loads, SAMPLES.read_text().splitlines())
    ]
    assert request_of_samples.weights
    detector = detector_of(DetectorOptions(request_of_samples.weights))
    scored = list(score_rows(rows, detector, DecodeOptions(), ReencodeOptions()))
    direct = {
        result.track.row.track_id: result.verdict.p_ai
        for result in scored
        if isinstance(result, AuditedTrack)
    }
    assert len(first) == len(again) == len(direct) == 7
    for track_id, score in first.items():
        assert again[track_id] == pytest.approx(score, abs=1e-5)
        assert direct[track_id] == pytest.approx(score, abs=1e-5)


def request(catalogue: Path | str, output: Path, weights: Path, **more) -> AuditRequest:
    return AuditRequest(str(catalogue), str(output), weights=weights, workers=1, quiet=True, **more)


def test_bad_rows_are_errors_and_nothing_is_lost(tmp_path: Path, free_weights: Path, wav) -> None:
    good = wav("good.wav")
    lines = [
        json.dumps({"track_id": "good", "uri": good.name, "year": 1999}),
        json.dumps({"track_id": "good", "uri": good.name}),
        json.dumps({"track_id": "typed", "uri": good.name, "year": [1]}),
        "not json",
        json.dumps({"track_id": "nowhere"}),
        json.dumps({"track_id": "gone", "uri": "gone.wav"}),
        json.dumps({"track_id": "ünï 'q\"", "uri": good.name, "late": 1}),
    ]
    manifest = tmp_path / "m.jsonl"
    manifest.write_text("\n".join(lines))
    record = run_audit(request(manifest, tmp_path / "out", free_weights))
    assert (record.counts.rows_in, record.counts.tracks, record.counts.errors) == (7, 3, 4)
    errors = table(tmp_path / "out", "errors")
    assert Counter(errors.error_class) == {
        "ManifestRowError": 2, "DuplicateTrackError": 1, "AudioNotFoundError": 1
    }  # fmt: skip
    assert set(table(tmp_path / "out", "tracks").track_id) == {"good", "typed", "ünï 'q\""}


def test_only_errors_and_no_track(tmp_path: Path, free_weights: Path) -> None:
    (tmp_path / "m.csv").write_text("uri\na.wav\nb.wav\n")
    record = run_audit(request(tmp_path / "m.csv", tmp_path / "out", free_weights))
    assert (record.counts.tracks, record.counts.errors) == (0, 2)
    assert len(table(tmp_path / "out", "tracks")) == 0


def test_parquet_with_embedded_audio(tmp_path: Path, free_weights: Path, wav) -> None:
    good = wav().read_bytes()
    audio = [{"bytes": good, "path": "a.wav"}, {"bytes": b"no", "path": None}, None]
    columns = {"track_id": ["a", "b", "c"], "audio": audio, "verdict": ["x", "y", "z"]}
    pq.write_table(pa.table(columns), tmp_path / "m.parquet")
    record = run_audit(request(tmp_path / "m.parquet", tmp_path / "out", free_weights))
    assert (record.counts.tracks, record.counts.errors) == (1, 2)
    (track,) = table(tmp_path / "out", "tracks").to_dict("records")
    assert track["track_id"] == "a"
    assert track["manifest_verdict"] == "x"
    assert track["uri"].endswith("m.parquet#1/a.wav")


def test_folder_is_listed_first(tmp_path: Path, free_weights: Path, wav) -> None:
    wav("music/one.wav")
    wav("music/deep [x]/two's.wav")
    (tmp_path / "music" / "notes.txt").write_text("no music")
    record = run_audit(request(tmp_path / "music", tmp_path / "out", free_weights))
    assert record.counts.tracks == 2
    assert set(table(tmp_path / "out", "tracks").track_id) == {"one.wav", "deep [x]/two's.wav"}
    (listing,) = (tmp_path / "out").glob("manifest-*.jsonl")
    assert len(listing.read_text().splitlines()) == 2


def test_an_earlier_audit_is_not_mixed_with_a_new_one(
    tmp_path: Path, free_weights: Path, wav
) -> None:
    asked = request(wav(), tmp_path / "out", free_weights)
    first = run_audit(asked)
    second = run_audit(replace(asked, overwrite=True))
    assert first.run_id != second.run_id
    assert (second.counts.tracks, second.counts.skipped) == (1, 0)
    assert len(table(tmp_path / "out", "tracks")) == 1


def test_a_bad_catalogue_leaves_the_earlier_audit_alone(
    tmp_path: Path, free_weights: Path, wav
) -> None:
    asked = request(wav(), tmp_path / "out", free_weights)
    run_audit(asked)
    (tmp_path / "empty.jsonl").touch()
    with pytest.raises(ManifestError, match="empty"):
        run_audit(replace(asked, catalogue=str(tmp_path / "empty.jsonl"), overwrite=True))
    assert len(table(tmp_path / "out", "tracks")) == 1


def test_overwriting_touches_nothing_but_an_audit(tmp_path: Path, free_weights: Path, wav) -> None:
    music, curated = wav("music/tracks/one.wav"), tmp_path / "music" / "manifest.jsonl"
    curated.write_text("{}")
    asked = request(tmp_path / "music", tmp_path / "music", free_weights, overwrite=True)
    first = run_audit(asked)
    second = run_audit(asked)
    assert (first.counts.tracks, second.counts.tracks) == (1, 1)
    assert music.exists()
    assert curated.read_text() == "{}"
    written = [path.name for path in (tmp_path / "music").rglob("*") if "-2" in path.name]
    assert all(second.run_id in name for name in written)


def test_files_named_like_an_audits_are_not_taken_for_one(
    tmp_path: Path, free_weights: Path, wav
) -> None:
    manifest = tmp_path / "out" / "manifest-2024.jsonl"
    manifest.parent.mkdir()
    manifest.write_text(json.dumps({"uri": str(wav())}))
    asked = request(manifest, tmp_path / "out", free_weights)
    run_audit(asked)
    run_audit(replace(asked, overwrite=True))
    assert manifest.exists()
    (tmp_path / "out" / "run.json").write_text('{"mine": 1}')
    with pytest.raises(OutputError, match="not an audit's"):
        run_audit(replace(asked, overwrite=True))


def test_tables_that_are_read_are_not_replaced(tmp_path: Path, free_weights: Path, wav) -> None:
    asked = request(wav(), tmp_path / "out", free_weights)
    run_audit(asked)
    again = replace(asked, catalogue=f"{tmp_path}/out/tracks/*.parquet", overwrite=True)
    with pytest.raises(OutputError, match="to be read and replaced"):
        run_audit(again)
    assert len(table(tmp_path / "out", "tracks")) == 1


def test_refused_requests_leave_no_folder(tmp_path: Path, free_weights: Path) -> None:
    with pytest.raises(ManifestError, match="no such file"):
        run_audit(request(tmp_path / "gone.jsonl", tmp_path / "out", free_weights))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [({"output": ""}, "name is empty"), ({"beam_options": ("--runner", "Nonsense")}, "Nonsense")],
)
def test_requests_that_cannot_be_carried_out(
    tmp_path: Path, free_weights: Path, wav, change: dict, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        run_audit(replace(request(wav(), tmp_path / "out", free_weights), **change))


def test_interrupted_audit_can_be_started_again(
    tmp_path: Path, free_weights: Path, wav, monkeypatch: pytest.MonkeyPatch
) -> None:
    from artifactnet.pipeline.audit import run

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    asked = request(wav("music/a.wav").parent, tmp_path / "out", free_weights)
    with monkeypatch.context() as patch:
        patch.setattr(run, "_run_pipeline", interrupted)
        with pytest.raises(AuditInterruptedError, match="goes on from there"):
            run_audit(asked)
    assert run_audit(asked).counts.tracks == 1


def test_text_that_is_no_unicode_is_an_error_row(tmp_path: Path, free_weights: Path, wav) -> None:
    good = wav()
    rows = [
        {"track_id": "a", "uri": good.name, "label": "Bj\udcf6rk"},
        {"track_id": "\ud800", "uri": "\ud800://x"},
        {"track_id": "c", "uri": good.name, "\ud800": 1},
        {"track_id": "d", "uri": good.name},
    ]
    (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, rows)))
    record = run_audit(request(tmp_path / "m.jsonl", tmp_path / "out", free_weights))
    assert (record.counts.tracks, record.counts.errors) == (1, 3)
    ids = set(table(tmp_path / "out", "errors").track_id)
    assert ids == {"a", "c", "\\ud800"}


@pytest.mark.parametrize("name", ["out[1]", "out*", "wh?t"])
def test_output_that_looks_like_a_glob_is_refused(
    tmp_path: Path, free_weights: Path, wav, name: str
) -> None:
    with pytest.raises(OutputError, match="can't have"):
        run_audit(request(wav(), tmp_path / name, free_weights))


def test_encoder_that_is_missing_is_found_before_any_work(
    tmp_path: Path, free_weights: Path, wav
) -> None:
    codecs = parse_codecs("aac:128k:libfdk_aac")
    with pytest.raises(CodecError, match="libfdk_aac"):
        run_audit(request(wav(), tmp_path / "out", free_weights, codecs=codecs))


def test_secrets_are_not_written_down() -> None:
    flags = ("--s3_secret_access_key=abc", "--s3_session_token", "def", "--region", "x")
    assert without_secrets(flags) == [
        "--s3_secret_access_key=***", "--s3_session_token", "***", "--region", "x"
    ]  # fmt: skip


def test_output_that_cannot_be_written(tmp_path: Path, free_weights: Path, wav) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="can't be written"):
        run_audit(request(wav(), tmp_path / "file" / "out", free_weights))


def test_lost_rows_fail_the_audit(
    tmp_path: Path, free_weights: Path, wav, monkeypatch: pytest.MonkeyPatch
) -> None:
    from artifactnet.pipeline.output import run_record

    rows = run_record.rows_of_table
    monkeypatch.setattr(
        run_record, "rows_of_table", lambda *a: rows(*a) - (1 if a[1] == "tracks" else 0)
    )
    with pytest.raises(AuditFailedError, match="don't add up"):
        run_audit(request(wav(), tmp_path / "out", free_weights))


@pytest.mark.slow
@pytest.mark.skipif(not SHARED_CORPUS.exists(), reason="the shared corpus is not here")
def test_a_slice_of_the_shared_corpus(tmp_path: Path, free_weights: Path) -> None:
    lines = SHARED_CORPUS.read_text().splitlines()[::60]
    rows = [json.loads(line) for line in lines]
    for row in rows:
        row["uri"] = str(SHARED_CORPUS.parent / row["uri"])
    manifest = tmp_path / "slice.jsonl"
    manifest.write_text("\n".join(map(json.dumps, rows)))
    record = run_audit(request(manifest, tmp_path / "out", free_weights, segments=1))
    assert record.counts.tracks == len(rows) == 24
    assert record.counts.errors == 0
