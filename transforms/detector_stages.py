"""The detector cut into the steps between which a job may look.

Enters: :class:`DetectorOptions`, which name the weights and the device. Leaves: a
:class:`Detector` whose methods are the pure functions of the model stages, on payloads
whose tensors stay on the device. The DoFns and ``artifactnet score`` call these same
methods; a process loads each detector once.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.artifactnet import SHIPPED_WEIGHTS, ArtifactNet, load_detector
from models.config import ArtifactNetConfig
from models.device import halving_on_oom, pick_device, segments_that_fit
from models.forensic_channels import channel_statistics, forensic_channels
from models.hpss import hpss
from models.safetensors_io import WeightsError
from transforms.model_file import local_model
from transforms.object_store import S3Access
from transforms.onnx_detector import OnnxDetector, is_onnx
from transforms.records import ResidualSpectra, SegmentScores, SeparatedSpectra


@dataclass(frozen=True)
class DetectorOptions:
    """Which detector runs where.

    Attributes:
      weights: safetensors or ONNX file that exists on every worker; ``None`` for the shipped
        one, wherever the package is installed.
      source: address in an object store from which ``weights`` was fetched, and from which a
        worker on another machine fetches it; or empty.
      access: to S3.
      model_id: what the file must be; empty for whatever it is.
      device: ``auto``, ``cpu``, ``cuda`` ...
      threads: CPU threads of torch in one process; 0 leaves torch's own choice.
    """

    weights: Path | None = None
    source: str = ""
    access: S3Access = field(default_factory=S3Access)
    model_id: str = ""
    device: str = "auto"
    threads: int = 0


class Detector:
    """The model stages as functions."""

    def __init__(self, network: ArtifactNet, model_id: str, device: torch.device) -> None:
        # Channels last is a fifth faster on a CPU than torch's default layout.
        self.network = network.to(device).to(memory_format=torch.channels_last)
        self.model_id = model_id
        self.device = device
        self.segments_per_batch = segments_that_fit(device)

    @property
    def config(self) -> ArtifactNetConfig:
        """The configuration stored with the weights."""
        return self.network.config

    @torch.inference_mode()
    def magnitude(self, audio: NDArray[np.float32]) -> Tensor:
        """STFT magnitude ``[segments, bins, frames]`` of audio ``[segments, samples]``."""
        return self.network.stft(torch.from_numpy(audio).to(self.device))

    @torch.inference_mode()
    def residual(self, magnitude: Tensor) -> ResidualSpectra:
        """ArtifactUNet residual of a magnitude ``[segments, bins, frames]``."""
        return ResidualSpectra(magnitude, halving_on_oom(self.network.unet, magnitude))

    @torch.inference_mode()
    def separate(self, spectra: ResidualSpectra) -> SeparatedSpectra:
        """Harmonic and percussive parts of the residual."""
        harmonic, percussive = hpss(spectra.residual, self.config.hpss_kernel)
        return SeparatedSpectra(spectra.magnitude, spectra.residual, harmonic, percussive)

    @torch.inference_mode()
    def channels(self, spectra: SeparatedSpectra) -> Tensor:
        """Forensic channels ``[segments, 7, bins, frames]``."""
        return forensic_channels(
            spectra.magnitude, spectra.residual, spectra.harmonic, spectra.percussive
        )

    @torch.inference_mode()
    def scores(self, channels: Tensor) -> SegmentScores:
        """P(AI), embedding and channel statistics of each segment, back on the CPU.

        Raises:
          ValueError: the detector returned something that is no probability.
        """
        logit, embedding = self.network.classifier(channels)
        p_ai = torch.sigmoid(logit).cpu().numpy()
        if not np.isfinite(p_ai).all():
            raise ValueError("the detector returned NaN")
        return SegmentScores(
            p_ai, embedding.cpu().numpy(), channel_statistics(channels).cpu().numpy()
        )


_loading = threading.Lock()


def detector_of(options: DetectorOptions) -> Any:
    """The detector of this process for ``options``.

    Returns:
      A :class:`Detector`, or an :class:`~transforms.onnx_detector.OnnxDetector` where the
      weights are ONNX.

    Raises:
      WeightsError: the weights can't be used, or are not those the job was started with.
      ValueError: the device can't be used.
    """
    with _loading:  # a harness may start several threads at once
        return _load(options)


@lru_cache(maxsize=2)
def _load(options: DetectorOptions) -> Detector | OnnxDetector:
    if options.threads:
        torch.set_num_threads(options.threads)
    path = options.weights or SHIPPED_WEIGHTS
    if options.source and not path.exists():
        path = local_model(options.source, options.access)
    detector: Detector | OnnxDetector
    if is_onnx(path):
        detector = OnnxDetector(path, options.device, options.threads)
    else:
        network, model_id = load_detector(path)
        detector = Detector(network, model_id, pick_device(options.device))
    if options.model_id and detector.model_id != options.model_id:
        raise WeightsError(
            f"{path}: model {detector.model_id} here, {options.model_id} where the job was started"
        )
    return detector


def segment_stages(detector: Any) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
    """Names and functions from audio ``[segments, samples]`` to :class:`SegmentScores`."""
    if isinstance(detector, OnnxDetector):
        return (("classify", detector.scores_of_audio),)
    return (
        ("stft", detector.magnitude),
        ("residual", detector.residual),
        ("hpss", detector.separate),
        ("features", detector.channels),
        ("classify", detector.scores),
    )
