"""ArtifactNet, and any detector that an audit takes, behind the protocol of the others.

Enters: a file that ``--weights`` or ``--model`` takes, or nothing for the shipped weights. Leaves:
a ``Detector`` that runs the stages of an audit.
"""

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from artifactnet.models.weights.weights_file import SHIPPED_WEIGHTS, WeightsError
from artifactnet.pipeline.detectors.protocol import DetectorError
from artifactnet.transforms.detector.chain import chain_of
from artifactnet.transforms.detector.detector import DetectorOptions, detector_of
from artifactnet.transforms.detector.evidence import NONE
from artifactnet.transforms.elements.records import SegmentScores


class ArtifactNetDetector:
    """The stages of an audit, from forensic statistics to classifier.

    Args:
      weights: safetensors file; ``None`` for the shipped one.
    """

    level: Literal["segment", "track"] = "segment"
    output: Literal["probability", "logit"] = "probability"
    channels = 1

    def __init__(self, weights: Path | None) -> None:
        self._detector = detector_of(DetectorOptions(weights, evidence=NONE))
        config = self._detector.config
        named = weights is not None and weights.absolute() != SHIPPED_WEIGHTS
        self.name = f"artifactnet ({weights.name})" if named and weights else "artifactnet"
        self.sample_rate = config.sample_rate
        self.seconds: float | None = config.segment_seconds
        self.pooling = config.pooling

    def threshold(self, segments: int) -> float:
        """As an audit has it."""
        return self._detector.config.threshold_ai_of(segments)

    def score(self, sound: NDArray[np.float32]) -> NDArray[np.float32]:
        """P(AI) of ``sound`` ``[batch, 1, samples]``, windows of one track in their order."""
        step = self._detector.segments_per_batch
        found = []
        for first in range(0, len(sound), step):
            payload: Any = sound[first : first + step, 0]
            for stage in chain_of(self._detector):
                # What the head has decided passes the networks' stages by, as in an audit.
                if not isinstance(payload, SegmentScores):
                    payload = stage.compute(self._detector, payload)
            found.append(payload.p_ai)
        return np.concatenate(found)


def open_artifactnet(argument: str = "") -> ArtifactNetDetector:
    """The shipped detector, or that of the safetensors file ``argument``.

    Raises:
      DetectorError: the file can't be used.
    """
    try:
        return ArtifactNetDetector(Path(argument) if argument else None)
    except WeightsError as error:
        raise DetectorError(str(error)) from error
