"""Beam's RunInference over our detector.

Enters: ``SegmentBatch`` elements. Leaves: the same batches one model stage further. A batch
is already a batch of segments, cut to what the device holds, so Beam's own batching, which
would hold an element back until the next one comes, is skipped; what RunInference adds is the
shared model, and its metrics.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.ml.inference.base import ModelHandler, RunInference

from transforms.detector_stages import DetectorOptions, detector_of
from transforms.records import SegmentBatch
from transforms.stage import NAMESPACE, StageMetrics, run_stage


class DetectorStageHandler(ModelHandler[SegmentBatch, SegmentBatch, Any]):
    """Runs one model stage of the detector.

    Args:
      options: which detector, where.
      stage: name in metrics and error rows.
      compute: the stage as an unbound method of the detector.
    """

    def __init__(
        self, options: DetectorOptions, stage: str, compute: Callable[[Any, Any], Any]
    ) -> None:
        super().__init__()
        self._options = options
        self._stage = stage
        self._compute = compute

    def load_model(self) -> Any:
        """Load the detector, or take the one that this process has."""
        return detector_of(self._options)

    def run_inference(
        self,
        batch: Sequence[SegmentBatch],
        model: Any,
        inference_args: dict[str, Any] | None = None,
    ) -> Iterable[SegmentBatch]:
        """Apply the stage to each batch of segments."""
        metrics = StageMetrics(self._stage)
        for segments in batch:
            yield run_stage(metrics, segments, lambda payload: self._compute(model, payload))

    def get_num_bytes(self, batch: Sequence[SegmentBatch]) -> int:
        """Size in RunInference's metrics: the segments' samples, four bytes each."""
        samples = detector_of(self._options).config.segment_samples
        return sum(4 * samples * len(segments.starts) for segments in batch)

    def get_metrics_namespace(self) -> str:
        """Where RunInference counts."""
        return f"{NAMESPACE}_{self._stage}"

    def should_skip_batching(self) -> bool:
        """Elements come one by one, as lists of one: see :class:`RunDetectorStage`."""
        return True


class RunDetectorStage(beam.PTransform):
    """One model stage over every batch of segments, each handed over as a list of its own."""

    def __init__(self, handler: DetectorStageHandler) -> None:
        super().__init__()
        self._handler = handler

    def expand(self, batches: beam.PCollection[SegmentBatch]) -> beam.PCollection[SegmentBatch]:
        """Run the handler's stage."""
        return (
            batches
            | "OneByOne" >> beam.Map(lambda batch: [batch])
            | "RunInference" >> RunInference(self._handler)
        )
