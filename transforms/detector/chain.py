"""The chain of stages from audio to score: one list, for the Beam graph and for ``score``.

Enters: the detector's file. Leaves: its ``SegmentStage`` items in order, from float32 audio
``[segments, samples]`` to ``SegmentScores``. An ONNX model is one stage in place of all.
"""

from pathlib import Path

from artifactnet.transforms.classify import CLASSIFY, CLASSIFY_ONNX
from artifactnet.transforms.detector.onnx import OnnxDetector, is_onnx
from artifactnet.transforms.detector.stages import SegmentStage
from artifactnet.transforms.features import FEATURES
from artifactnet.transforms.hpss import HPSS
from artifactnet.transforms.residual import RESIDUAL
from artifactnet.transforms.statistics import STATISTICS
from artifactnet.transforms.stft import STFT

NETWORK_CHAIN = (STATISTICS, STFT, RESIDUAL, HPSS, FEATURES, CLASSIFY)
ONNX_CHAIN = (CLASSIFY_ONNX,)


def segment_chain(weights: Path | None) -> tuple[SegmentStage, ...]:
    """The stages that a detector's file needs; ``None`` is the shipped detector."""
    return ONNX_CHAIN if is_onnx(weights) else NETWORK_CHAIN


def chain_of(detector: object) -> tuple[SegmentStage, ...]:
    """The stages of a detector that is loaded."""
    return ONNX_CHAIN if isinstance(detector, OnnxDetector) else NETWORK_CHAIN
