"""Run a pipeline on this machine, and show how far it is.

Enters: a pipeline and Beam options. Leaves: the finished result, and on standard error a bar with
ETA on a terminal, plain lines elsewhere. ``DirectRunner`` would look for the Prism binary on the
web before it falls back to the runner used here; choosing that one on purpose starts at once and
needs no network. One process per core, each with its share of the cores for torch, is faster than
one process with all of them. Progress is what lies in the output: the rows of the shards that are
written.
"""

import logging
import math
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions
from apache_beam.portability import python_urns
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.portability.fn_api_runner.fn_runner import RunnerResult
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from artifactnet.pipeline.output.layout import table_files
from artifactnet.transforms.assign_shards import ROWS_PER_SHARD
from artifactnet.transforms.storage.files import table_rows

ROWS_PER_WORKER = 8
"""Fewer rows take less time than a further process needs to start."""

SHARDS_PER_WORKER = 8
MOST_SHARDS = 65_536
"""Each is three files; beyond 4 million rows shards grow."""

LEAST_ROWS = 4
SUBPROCESS = python_urns.SUBPROCESS_SDK
LOCAL_RUNNERS = ("", "DirectRunner", "FnApiRunner")


def usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_workers(rows: int, on_gpu: bool) -> int:
    """One process per core; fewer where there is little to do, one for a GPU.

    Args:
      rows: of the catalogue.
      on_gpu: one GPU serves one process.
    """
    if on_gpu:
        return 1
    return max(1, min(usable_cores(), math.ceil(rows / ROWS_PER_WORKER)))


def shard_count(rows: int, workers: int) -> int:
    """Shards for ``rows`` rows: several for each worker, no larger than need be."""
    in_mean = min(ROWS_PER_SHARD, max(LEAST_ROWS, math.ceil(rows / (SHARDS_PER_WORKER * workers))))
    return max(1, min(MOST_SHARDS, math.ceil(rows / in_mean)))


def local_options(options: PipelineOptions, workers: int) -> PipelineOptions:
    """``options`` for ``workers`` processes; a single one stays in this process."""
    direct = options.view_as(DirectOptions)
    direct.direct_num_workers = workers
    direct.direct_running_mode = "multi_processing" if workers > 1 else "in_memory"
    return options


class LocalRunner(FnApiRunner):
    """Beam's runner for one machine, whose workers leave the terminal to the one that asked.

    A terminal sends Ctrl-C to all of them, and each would print a traceback of its own; so would
    each whose shard fails, of which the one that asked tells in a line. The runner ends its workers
    itself.
    """

    def run_via_runner_api(
        self, pipeline_proto: beam_runner_api_pb2.Pipeline, options: PipelineOptions
    ) -> RunnerResult:
        """See Beam."""
        for environment in pipeline_proto.components.environments.values():
            if environment.urn == SUBPROCESS and os.name == "posix":
                quiet = not logging.getLogger("apache_beam").isEnabledFor(logging.ERROR)
                where = b" 2>/dev/null" if quiet else b""
                environment.payload = b'trap "" INT; exec ' + environment.payload + where
        return super().run_via_runner_api(pipeline_proto, options)


def local_runner() -> FnApiRunner:
    """The runner."""
    return LocalRunner()


POLL_SECONDS = 0.5
BUCKET_SECONDS = 10.0
"""Between two looks at an output in an object store, where a look is a request."""

COUNTING_SHARE = 20
"""Of the time, counting takes one part in this many: it reads a footer of every file."""

LINE_SECONDS = 30.0
logger = logging.getLogger(__name__)


class WrittenRows:
    """Counts the rows that a run has written so far.

    Args:
      output: of the audit.
      run_id: of the run.

    Attributes:
      poll_seconds: least time between two counts.
    """

    def __init__(self, output: str, run_id: str) -> None:
        self._output = output
        self._run_id = run_id
        self._counted: dict[str, int] = {}
        self.poll_seconds = BUCKET_SECONDS if "://" in output else POLL_SECONDS

    def count(self) -> int:
        """Rows of ``tracks/`` and ``errors/``; a file is read once."""
        try:
            for table in ("errors", "tracks"):
                for path in table_files(self._output, table, self._run_id):
                    if path not in self._counted:
                        self._counted[path] = table_rows(path)
        except Exception as error:  # whoever only watches must not stop the work
            logger.debug("progress can't be read: %s", error)
        return sum(self._counted.values())


@contextmanager
def watched_rows(output: str, run_id: str, total: int, quiet: bool) -> Iterator[None]:
    """Report on the rows that are written until the block ends.

    Args:
      output: of the audit.
      run_id: of the run.
      total: rows expected, about.
      quiet: report nothing.
    """
    if quiet:
        yield
        return
    done = threading.Event()
    report = _bar if sys.stderr.isatty() else _lines
    rows = WrittenRows(output, run_id)
    thread = threading.Thread(target=report, args=(rows, total, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _bar(rows: WrittenRows, total: int, done: threading.Event) -> None:
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
        wait = rows.poll_seconds
        while not done.wait(wait):
            began = time.monotonic()
            bar.update(task, completed=rows.count())
            wait = max(rows.poll_seconds, COUNTING_SHARE * (time.monotonic() - began))


def _lines(rows: WrittenRows, total: int, done: threading.Event) -> None:
    began = time.monotonic()
    while not done.wait(LINE_SECONDS):
        finished = rows.count()
        rate = finished / (time.monotonic() - began)
        seconds = max(0, total - finished) / rate if finished else 0
        left = f", about {seconds:.0f} s left" if finished else ""
        logger.info("audited %d of %d tracks, %.1f per second%s", finished, total, rate, left)
