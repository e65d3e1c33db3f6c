"""How one stage treats one element: count it, time it, and keep its failure in line.

Enters: a :class:`~transforms.records.SegmentBatch` and the stage's pure function. Leaves:
the batch with the function's result, or with a :class:`~transforms.records.StageFailure`
that names the stage. A batch that failed before passes untouched.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import apache_beam as beam
from apache_beam.metrics import Metrics

from transforms.audio_errors import AuditError
from transforms.detector_stages import Detector, DetectorOptions, detector_of
from transforms.records import SegmentBatch, StageFailure

NAMESPACE = "artifactnet"
InT = TypeVar("InT")
OutT = TypeVar("OutT")
logger = logging.getLogger(__name__)


class StageMetrics:
    """Beam metrics of one stage: elements, failures, and a latency distribution in ms."""

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self.elements = Metrics.counter(NAMESPACE, f"{stage}_elements")
        self.failures = Metrics.counter(NAMESPACE, f"{stage}_failures")
        self.latency = Metrics.distribution(NAMESPACE, f"{stage}_latency_ms")

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Count one element and the time spent on it."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.elements.inc()
            self.latency.update(round(1000 * (time.perf_counter() - began)))


def failure(stage: str, track_id: str, error: Exception) -> StageFailure:
    """Turn an exception into a failure; anything unforeseen is logged with its traceback."""
    if isinstance(error, AuditError):
        return StageFailure(stage, type(error).__name__, str(error))
    logger.error("track %s: stage %s failed", track_id, stage, exc_info=error)
    return StageFailure(stage, type(error).__name__, str(error) or repr(error))


def run_stage(
    metrics: StageMetrics, batch: SegmentBatch[InT], compute: Callable[[InT], OutT]
) -> SegmentBatch[OutT]:
    """Apply ``compute`` to the payload of ``batch``."""
    if isinstance(batch.payload, StageFailure):
        return batch.with_payload(batch.payload)
    with metrics.timed():
        try:
            return batch.with_payload(compute(batch.payload))
        except Exception as error:  # one bad track must not fail the job
            metrics.failures.inc()
            return batch.with_payload(failure(metrics.stage, batch.track.row.track_id, error))


class SegmentStageDoFn(beam.DoFn):
    """A DoFn that applies one pure function to every batch.

    Subclasses name their ``stage`` and implement :meth:`compute`, mostly by ``detector``.
    """

    stage: str

    def __init__(self, options: DetectorOptions | None = None) -> None:
        self._options = options or DetectorOptions()
        self._metrics = StageMetrics(self.stage)

    @property
    def detector(self) -> Detector:
        """The detector of this process."""
        return detector_of(self._options)

    def compute(self, payload: Any) -> Any:
        """The stage's work on one payload."""
        raise NotImplementedError

    def process(self, element: SegmentBatch) -> Iterator[SegmentBatch]:
        """Yield the batch one stage further."""
        yield run_stage(self._metrics, element, self.compute)
