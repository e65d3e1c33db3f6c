"""The networks and the head of a weights file, on their device.

Enters: a weights file and a device's name. Leaves: a ``Detector``. The stages
(``transforms/statistics.py``, then ``stft.py`` to ``classify.py``) are functions of it.
"""

import os
from pathlib import Path

import torch

from artifactnet.models.artifactnet import ArtifactNet, load_detector
from artifactnet.models.config import ArtifactNetConfig
from artifactnet.models.device import pick_device, segments_that_fit
from artifactnet.models.statistics.head import StatisticsHead
from artifactnet.transforms.detector.evidence import FLAGGED


class Detector:
    """The networks on their device.

    Attributes:
      network: STFT, ArtifactUNet and CNN, in evaluation mode.
      model_id: of the weights file.
      device: where the tensors are.
      segments_per_batch: segments that go through at once.
      head: on forensic statistics, which decides; ``None`` where the CNN does.
      evidence: see ``DetectorOptions``.
    """

    def __init__(
        self,
        network: ArtifactNet,
        model_id: str,
        device: torch.device,
        head: StatisticsHead | None = None,
        evidence: str = FLAGGED,
    ) -> None:
        # Channels last is a fifth faster on a CPU than torch's default layout.
        self.network = network.to(device).to(memory_format=torch.channels_last)
        self.model_id = model_id
        self.device = device
        self.segments_per_batch = segments_that_fit(device)
        self.head = head
        self.evidence = evidence

    @property
    def config(self) -> ArtifactNetConfig:
        """The configuration stored with the weights."""
        return self.network.config


def use_threads(threads: int) -> None:
    """CPU threads of torch in this process, unless its environment has ``OMP_NUM_THREADS``."""
    if threads and not os.environ.get("OMP_NUM_THREADS"):
        torch.set_num_threads(threads)


def open_detector(path: Path, device: str, evidence: str) -> Detector:
    """The detector of a weights file.

    Raises:
      WeightsError: the file can't be used.
      ValueError: the device can't be used.
    """
    network, model_id, head = load_detector(path)
    return Detector(network, model_id, pick_device(device), head, evidence)
