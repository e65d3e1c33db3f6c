"""Residual stage: ArtifactUNet over every magnitude, by RunInference.

Enters: ``SegmentBatch[Tensor]``, magnitude ``[segments, bins, frames]``. Leaves:
``SegmentBatch[ResidualSpectra]``.
"""

import apache_beam as beam

from transforms.detector_stages import Detector, DetectorOptions
from transforms.model_handler import DetectorStageHandler, RunDetectorStage
from transforms.records import SegmentBatch


class ExtractResidual(beam.PTransform):
    """What the codec left in each segment."""

    def __init__(self, options: DetectorOptions) -> None:
        super().__init__()
        self._options = options

    def expand(self, batches: beam.PCollection[SegmentBatch]) -> beam.PCollection[SegmentBatch]:
        """Run ArtifactUNet."""
        handler = DetectorStageHandler(self._options, "residual", Detector.residual)
        return batches | "ArtifactUNet" >> RunDetectorStage(handler)
