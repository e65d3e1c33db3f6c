"""Show how far a local audit is: a bar with ETA on a terminal, plain lines elsewhere.

Enters: the file that grows by a byte per finished row. Leaves: output on standard error.
"""

import logging
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

POLL_SECONDS = 0.5
LINE_SECONDS = 30.0
logger = logging.getLogger(__name__)


@contextmanager
def watched_ticks(total: int | None, quiet: bool) -> Iterator[str]:
    """Yield the path of a tick file and report on it until the block ends.

    Args:
      total: rows expected, or ``None`` if nobody knows.
      quiet: report nothing.
    """
    with tempfile.NamedTemporaryFile(prefix="artifactnet-ticks-") as ticks:
        done = threading.Event()
        on_terminal = sys.stderr.isatty()
        report = _bar if on_terminal else _lines
        thread = threading.Thread(target=report, args=(ticks.name, total, done), daemon=True)
        if not quiet:
            thread.start()
        try:
            yield ticks.name
        finally:
            done.set()
            if not quiet:
                thread.join()


def _bar(path: str, total: int | None, done: threading.Event) -> None:
    columns = (
        TextColumn("Auditing"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        while not done.wait(POLL_SECONDS):
            bar.update(task, completed=os.path.getsize(path))


def _lines(path: str, total: int | None, done: threading.Event) -> None:
    began = time.monotonic()
    while not done.wait(LINE_SECONDS):
        finished = os.path.getsize(path)
        rate = finished / (time.monotonic() - began)
        of_total = f" of {total}" if total else ""
        left = f", about {(total - finished) / rate:.0f} s left" if total and finished else ""
        logger.info("audited %d%s tracks, %.1f per second%s", finished, of_total, rate, left)
