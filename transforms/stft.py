"""STFT stage: audio to magnitude, moved to the device on the way.

Enters: ``SegmentBatch[MeasuredAudio]``. Leaves: ``SegmentBatch[MagnitudeSpectra]``.
"""

import torch

from artifactnet.transforms.detector.network_detector import Detector
from artifactnet.transforms.detector.stages import SegmentStage
from artifactnet.transforms.elements.records import MagnitudeSpectra, MeasuredAudio


@torch.inference_mode()
def magnitude(detector: Detector, measured: MeasuredAudio) -> MagnitudeSpectra:
    """Magnitude spectrogram ``[segments, bins, frames]`` of each segment."""
    audio = torch.from_numpy(measured.audio).to(detector.device)
    return MagnitudeSpectra(measured.scores, measured.chosen, detector.network.stft(audio))


STFT = SegmentStage("stft", magnitude)
