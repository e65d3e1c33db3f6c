"""A stage of the detector, and how Beam runs it.

Enters: ``SegmentBatch`` elements. Leaves: the same batches one stage further. A ``SegmentStage``
is a name and a pure function of detector and payload. A stage without a network is a DoFn; one
with a network goes through Beam's RunInference, which shares the model and has metrics of its own.
A batch is a batch of segments already, cut to what the device holds, so Beam's own batching, which
holds an element back until the next one comes, is skipped.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import apache_beam as beam
from apache_beam.ml.inference.base import ModelHandler, RunInference

from artifactnet.transforms.detector.detector import DetectorOptions, detector_of
from artifactnet.transforms.elements.records import SegmentBatch
from artifactnet.transforms.elements.stage import NAMESPACE, StageMetrics, run_stage


@dataclass(frozen=True)
class SegmentStage:
    """One step from audio to score.

    Attributes:
      name: in metrics and error rows.
      compute: ``compute(detector, payload)``, the payload of the next stage.
      has_network: whether it is run by RunInference.
    """

    name: str
    compute: Callable[[Any, Any], Any]
    has_network: bool = False


class SegmentStageDoFn(beam.DoFn):
    """Applies a stage without a network to every batch."""

    def __init__(self, stage: SegmentStage, options: DetectorOptions) -> None:
        self._stage = stage
        self._options = options
        self._metrics = StageMetrics(stage.name)

    def process(self, element: SegmentBatch) -> Iterator[SegmentBatch]:
        """Yield the batch one stage further."""
        compute = partial(self._stage.compute, detector_of(self._options))
        yield run_stage(self._metrics, element, compute)


class SegmentStageHandler(ModelHandler[SegmentBatch, SegmentBatch, Any]):
    """Runs a stage with a network, for RunInference."""

    def __init__(self, stage: SegmentStage, options: DetectorOptions) -> None:
        super().__init__()
        self._stage = stage
        self._options = options

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
        metrics = StageMetrics(self._stage.name)
        for segments in batch:
            yield run_stage(metrics, segments, partial(self._stage.compute, model))

    def get_num_bytes(self, batch: Sequence[SegmentBatch]) -> int:
        """Size in RunInference's metrics: the segments' samples, four bytes each."""
        samples = detector_of(self._options).config.segment_samples
        return sum(4 * samples * len(segments.starts) for segments in batch)

    def get_metrics_namespace(self) -> str:
        """Where RunInference counts."""
        return f"{NAMESPACE}_{self._stage.name}"

    def should_skip_batching(self) -> bool:
        """Elements come one by one, as lists of one: see ``RunSegmentStage``."""
        return True


class RunSegmentStage(beam.PTransform):
    """One stage over every batch of segments."""

    def __init__(self, stage: SegmentStage, options: DetectorOptions) -> None:
        super().__init__()
        self._stage = stage
        self._options = options

    def expand(self, batches: beam.PCollection[SegmentBatch]) -> beam.PCollection[SegmentBatch]:
        """Run the stage, by RunInference if it has a network."""
        if not self._stage.has_network:
            return batches | beam.ParDo(SegmentStageDoFn(self._stage, self._options))
        return (
            batches
            | "OneByOne" >> beam.Map(lambda batch: [batch])
            | "RunInference" >> RunInference(SegmentStageHandler(self._stage, self._options))
        )
