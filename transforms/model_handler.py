"""Beam's RunInference over our detector.

Enters: ``SegmentBatch`` elements. Leaves: the same batches one model stage further. A batch
is already a batch of segments, cut to what the device holds, so RunInference hands over
one at a time; what it adds is the shared model, and its metrics.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from apache_beam.ml.inference.base import ModelHandler

from transforms.detector_stages import Detector, DetectorOptions, detector_of
from transforms.records import SegmentBatch
from transforms.stage import NAMESPACE, StageMetrics, run_stage


class DetectorStageHandler(ModelHandler[SegmentBatch, SegmentBatch, Detector]):
    """Runs one model stage of the detector.

    Args:
      options: which detector, where.
      stage: name in metrics and error rows.
      compute: the stage as an unbound method of :class:`Detector`.
    """

    def __init__(
        self, options: DetectorOptions, stage: str, compute: Callable[[Detector, Any], Any]
    ) -> None:
        super().__init__()
        self._options = options
        self._stage = stage
        self._compute = compute

    def load_model(self) -> Detector:
        """Load the detector, or take the one that this process has."""
        return detector_of(self._options)

    def run_inference(
        self,
        batch: Sequence[SegmentBatch],
        model: Detector,
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

    def batch_elements_kwargs(self) -> dict[str, int]:
        """One element at a time: it is a batch already."""
        return {"min_batch_size": 1, "max_batch_size": 1}
