"""How one stage handles one element: count it, time it, and keep its failure in line.

Enters: a ``SegmentBatch`` and the stage's pure function. Leaves: the batch with the function's
result, or with a ``StageFailure`` that names the stage. A batch that failed before passes
untouched, and so does one whose scores stand already.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from apache_beam.metrics import Metrics

from artifactnet.models.first_line import first_line
from artifactnet.transforms.elements.errors import AuditError
from artifactnet.transforms.elements.records import SegmentBatch, SegmentScores, StageFailure

NAMESPACE = "artifactnet"
LONGEST_MESSAGE = 500
"""Characters of what nobody foresaw, in an error row."""
InT = TypeVar("InT")
OutT = TypeVar("OutT")
logger = logging.getLogger(__name__)


class StageMetrics:
    """Beam metrics of one stage: elements, failures, and a distribution of microseconds."""

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self.elements = Metrics.counter(NAMESPACE, f"{stage}_elements")
        self.failures = Metrics.counter(NAMESPACE, f"{stage}_failures")
        self.latency = Metrics.distribution(NAMESPACE, f"{stage}_latency_us")

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Count one element and the time spent on it."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.elements.inc()
            self.latency.update(round(1e6 * (time.perf_counter() - began)))


def failure(stage: str, track_id: str, error: Exception) -> StageFailure:
    """Turn an exception into a failure; anything unforeseen is logged with its traceback."""
    if isinstance(error, AuditError):
        return StageFailure(stage, type(error).__name__, str(error))
    logger.error("track %s: stage %s failed", track_id, stage, exc_info=error)
    # The log has the rest: what torch raises may bring a page of frames along.
    return StageFailure(stage, type(error).__name__, first_line(error)[:LONGEST_MESSAGE])


def run_stage(
    metrics: StageMetrics, batch: SegmentBatch[InT], compute: Callable[[InT], OutT]
) -> SegmentBatch[OutT]:
    """Apply ``compute`` to the payload of ``batch``."""
    if isinstance(batch.payload, StageFailure | SegmentScores):
        return batch  # type: ignore[return-value]
    with metrics.timed():
        try:
            return batch.with_payload(compute(batch.payload))
        except Exception as error:  # one bad track must not fail the job
            metrics.failures.inc()
            return batch.with_payload(failure(metrics.stage, batch.track.row.track_id, error))
