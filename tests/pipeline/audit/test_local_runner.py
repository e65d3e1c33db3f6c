import json
import logging
import time
from pathlib import Path

import pyarrow as pa
import pytest
import torch

from artifactnet.pipeline.audit import local_runner
from artifactnet.pipeline.audit.prepare import prepare
from artifactnet.pipeline.audit.request import AuditRequest
from artifactnet.transforms.storage.files import parquet_bytes, write_bytes
from artifactnet.transforms.write_shards import table_file

RUN = "20260101T000000-abcdef"


def write(output: Path, table: str, rows: int, part: str = "0123456789ab") -> None:
    content = parquet_bytes(pa.table({"track_id": ["t"] * rows}))
    write_bytes(table_file(str(output), table, RUN, part), content)


def test_lines_tell_rate_and_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(local_runner, "LINE_SECONDS", 0.05)
    with (
        caplog.at_level(logging.INFO),
        local_runner.watched_rows(str(tmp_path), RUN, 20, quiet=False),
    ):
        write(tmp_path, "errors", 2)
        write(tmp_path, "tracks", 3)
        time.sleep(0.5)
    assert "audited 5 of 20 tracks" in caplog.text
    assert "s left" in caplog.text


def test_quiet_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(local_runner, "LINE_SECONDS", 0.01)
    with (
        caplog.at_level(logging.INFO),
        local_runner.watched_rows(str(tmp_path), RUN, 1, quiet=True),
    ):
        write(tmp_path, "tracks", 1)
        time.sleep(0.1)
    assert caplog.text == ""


def test_rows_of_shards_that_are_written_count_once(tmp_path: Path) -> None:
    rows = local_runner.WrittenRows(str(tmp_path), RUN)
    assert rows.count() == 0
    write(tmp_path, "tracks", 3)
    assert rows.count() == rows.count() == 3
    (tmp_path / "tracks" / f"tracks-{RUN}-ffffffffffff.parquet").write_bytes(b"damaged")
    assert rows.count() == 3  # whoever only watches never fails


@pytest.mark.parametrize(
    ("rows", "on_gpu", "workers"),
    [(10_000, False, 8), (9, False, 2), (0, False, 1), (10_000, True, 1)],
)
def test_a_process_a_core_but_one_for_a_gpu(
    monkeypatch: pytest.MonkeyPatch, rows: int, on_gpu: bool, workers: int
) -> None:
    monkeypatch.setattr(local_runner, "usable_cores", lambda: 8)
    assert local_runner.default_workers(rows, on_gpu) == workers


def test_shards_are_of_sixty_rows_and_not_too_many() -> None:
    found = [local_runner.shard_count(rows, 2) for rows in (1, 100, 10_000, 400_000, 40_000_000)]
    assert found == [1, 15, 157, 6250, 65_536]


@pytest.mark.parametrize(("cuda", "workers"), [(False, 4), (True, 1)])
def test_an_audit_uses_the_gpu_that_is_there(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    tiny_weights: Path,
    cuda: bool,
    workers: int,
) -> None:
    monkeypatch.setattr(local_runner, "usable_cores", lambda: 4)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    rows = [{"track_id": f"t{n}", "uri": f"{n}.wav"} for n in range(100)]
    manifest = tmp_path / "m.jsonl"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    request = AuditRequest(str(manifest), str(tmp_path / "out"), weights=tiny_weights)
    plan = prepare(request)
    assert plan.workers == workers
    assert plan.options.shards == local_runner.shard_count(100, workers)
