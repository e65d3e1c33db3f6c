"""Classifier stage: the CNN over the forensic channels, by RunInference.

Enters: ``SegmentBatch[Tensor]``, channels ``[segments, 7, bins, frames]``. Leaves:
``SegmentBatch[SegmentScores]``, off the device.
"""

import apache_beam as beam

from transforms.detector_stages import Detector, DetectorOptions
from transforms.model_handler import DetectorStageHandler, RunDetectorStage
from transforms.onnx_detector import OnnxDetector
from transforms.records import SegmentBatch


class Classify(beam.PTransform):
    """P(AI), embedding and channel statistics of each segment."""

    def __init__(self, options: DetectorOptions) -> None:
        super().__init__()
        self._options = options

    def expand(self, batches: beam.PCollection[SegmentBatch]) -> beam.PCollection[SegmentBatch]:
        """Run the CNN."""
        handler = DetectorStageHandler(self._options, "classify", Detector.scores)
        return batches | "SegmentClassifier" >> RunDetectorStage(handler)


class ClassifyOnnx(beam.PTransform):
    """P(AI) of each segment's audio by an ONNX model, in place of all stages from the STFT on."""

    def __init__(self, options: DetectorOptions) -> None:
        super().__init__()
        self._options = options

    def expand(self, batches: beam.PCollection[SegmentBatch]) -> beam.PCollection[SegmentBatch]:
        """Run the model."""
        handler = DetectorStageHandler(self._options, "classify", OnnxDetector.scores_of_audio)
        return batches | "Onnx" >> RunDetectorStage(handler)
