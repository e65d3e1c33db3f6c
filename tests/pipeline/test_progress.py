import logging
import time
from pathlib import Path

import pytest

from pipeline import progress
from transforms.row_ticks import RowTicksDoFn


def tick(path: str, times: int) -> None:
    do_fn = RowTicksDoFn(path)
    do_fn.setup()
    for _ in range(times):
        do_fn.process("row")
    do_fn.teardown()


def test_lines_tell_rate_and_rest(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.05)
    with caplog.at_level(logging.INFO), progress.watched_ticks(20, quiet=False) as path:
        tick(path, 5)
        time.sleep(0.3)
    assert "audited 5 of 20 tracks" in caplog.text
    assert "s left" in caplog.text
    assert not Path(path).exists()


def test_quiet_says_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.01)
    with caplog.at_level(logging.INFO), progress.watched_ticks(None, quiet=True) as path:
        tick(path, 1)
        time.sleep(0.1)
    assert caplog.text == ""
