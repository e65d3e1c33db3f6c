"""Run a pipeline on this machine, with as many worker processes as asked for.

Enters: a pipeline and Beam options. Leaves: the finished result. ``DirectRunner`` would look
for the Prism binary on the web before it falls back to the runner used here; choosing that
one on purpose starts at once and needs no network. One process per core, each with its
share of the cores for torch, is faster than one process with all of them.
"""

import math
import os

from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from transforms.shard_rows import ROWS_PER_SHARD

ROWS_PER_WORKER = 8
"""Fewer rows take less time than a further process needs to start."""

UNKNOWN_SHARDS = 65_536
SHARDS_PER_WORKER = 8
LEAST_ROWS = 4
LOCAL_RUNNERS = ("", "DirectRunner", "FnApiRunner")


def usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_workers(rows: int | None, on_gpu: bool) -> int:
    """One process per core; fewer where there is little to do, one for a GPU.

    Args:
      rows: of the catalogue, ``None`` if nobody knows.
      on_gpu: one GPU serves one process.
    """
    if on_gpu:
        return 1
    busy = usable_cores() if rows is None else math.ceil(rows / ROWS_PER_WORKER)
    return max(1, min(usable_cores(), busy))


def shard_count(rows: int | None, workers: int) -> int:
    """Shards for ``rows`` rows: several for each worker, none larger than need be."""
    if rows is None:
        return UNKNOWN_SHARDS
    in_mean = min(ROWS_PER_SHARD, max(LEAST_ROWS, math.ceil(rows / (SHARDS_PER_WORKER * workers))))
    return max(1, math.ceil(rows / in_mean))


def local_options(options: PipelineOptions, workers: int) -> PipelineOptions:
    """``options`` for ``workers`` processes; a single one stays in this process."""
    direct = options.view_as(DirectOptions)
    direct.direct_num_workers = workers
    direct.direct_running_mode = "multi_processing" if workers > 1 else "in_memory"
    return options


def local_runner() -> FnApiRunner:
    """The runner."""
    return FnApiRunner()
