import logging
import time
from pathlib import Path

import pyarrow as pa
import pytest

from artifactnet.pipeline.audit import local_runner
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
        local_runner.watched_rows(str(tmp_path), RUN, None, quiet=True),
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
