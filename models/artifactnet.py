"""The whole detector as one torch module.

Enters: audio, float32 ``[batch, samples]`` at ``config.sample_rate``. Leaves: logits,
embeddings and everything in between that is evidence. The steps are the modules beside
this one; training, ``artifactnet score`` and the Beam job run these same modules.
"""

from pathlib import Path
from typing import NamedTuple

from torch import Tensor, nn

from models.artifact_unet import ArtifactUNet
from models.config import ArtifactNetConfig
from models.forensic_channels import CHANNELS, forensic_channels
from models.hpss import hpss
from models.safetensors_io import load_module, model_id, save_module
from models.segment_classifier import Classification, SegmentClassifier
from models.stft import Stft

SHIPPED_WEIGHTS = Path(__file__).parent / "weights" / "artifactnet.safetensors"


class ArtifactNet(nn.Module):
    """STFT -> ArtifactUNet -> HPSS -> forensic channels -> CNN."""

    def __init__(self, config: ArtifactNetConfig) -> None:
        super().__init__()
        self.config = config
        self.stft = Stft(config.n_fft, config.hop_length)
        self.unet = ArtifactUNet(config.unet_channels, config.unet_stem, config.mask_bound)
        self.classifier = SegmentClassifier(
            len(CHANNELS), config.classifier_channels, config.embedding_size
        )

    def channels(self, magnitude: Tensor) -> Tensor:
        """Forensic channels ``[batch, 7, bins, frames]`` of ``[batch, bins, frames]``."""
        residual = self.unet(magnitude)
        harmonic, percussive = hpss(residual, self.config.hpss_kernel)
        return forensic_channels(magnitude, residual, harmonic, percussive)

    def forward(self, audio: Tensor) -> Classification:
        """Classify ``audio`` ``[batch, samples]``."""
        return self.classifier(self.channels(self.stft(audio)))


class LoadedDetector(NamedTuple):
    """A detector ready to score and the id of the file it came from."""

    network: ArtifactNet
    model_id: str


def save_detector(network: ArtifactNet, path: Path) -> str:
    """Write weights (float16) and configuration to one file; returns the model id."""
    return save_module(network, network.config.to_json(), path, half=True)


def load_detector(path: Path = SHIPPED_WEIGHTS) -> LoadedDetector:
    """Read a detector, in evaluation mode, on the CPU.

    Raises:
      WeightsError: the file is missing, damaged, or not a detector.
    """
    network, _ = load_module(lambda stored: ArtifactNet(ArtifactNetConfig.from_json(stored)), path)
    return LoadedDetector(network.eval(), model_id(path))
