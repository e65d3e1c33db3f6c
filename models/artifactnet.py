"""The whole detector as one torch module.

Enters: audio, float32 ``[batch, samples]`` at ``config.sample_rate``. Leaves: logits,
embeddings and everything in between that is evidence. The steps are the modules beside
this one; training, ``artifactnet score`` and the Beam job run these same modules.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from artifactnet.models.artifact_unet import ArtifactUNet
from artifactnet.models.config import FORENSIC_CHANNELS, ArtifactNetConfig
from artifactnet.models.forensic_channels import forensic_channels
from artifactnet.models.hpss import hpss
from artifactnet.models.pooling import MEAN
from artifactnet.models.segment_classifier import Classification, SegmentClassifier
from artifactnet.models.statistics.forensic_statistics import VERSIONS
from artifactnet.models.statistics.head import StatisticsHead
from artifactnet.models.statistics.spectrum import SAMPLE_RATE
from artifactnet.models.stft import Stft
from artifactnet.models.weights.safetensors_io import load_module_and_arrays, save_module
from artifactnet.models.weights.weights_file import SHIPPED_WEIGHTS, WeightsError, model_id


class Spectra(NamedTuple):
    """What the forensic channels are made of, float32 ``[batch, bins, frames]`` each."""

    magnitude: Tensor
    residual: Tensor
    harmonic: Tensor
    percussive: Tensor


class ArtifactNet(nn.Module):
    """STFT -> ArtifactUNet -> HPSS -> forensic channels -> CNN."""

    def __init__(self, config: ArtifactNetConfig) -> None:
        super().__init__()
        self.config = config
        self.stft = Stft(config.n_fft, config.hop_length)
        self.unet = ArtifactUNet(config.unet_channels, config.unet_stem, config.mask_bound)
        self.classifier = SegmentClassifier(
            len(FORENSIC_CHANNELS), config.classifier_channels, config.embedding_size
        )

    def spectra(
        self, magnitude: Tensor, *, half: bool = False, median_network: bool = False
    ) -> Spectra:
        """Residual of ``magnitude`` ``[batch, bins, frames]``, and its two parts.

        Args:
          magnitude: of the STFT.
          half: run ArtifactUNet in bfloat16, as training does.
          median_network: use the sorting network on a CPU too, as an exported graph must.
        """
        with torch.autocast(magnitude.device.type, torch.bfloat16, enabled=half):
            residual = self.unet(magnitude)
        harmonic, percussive = hpss(residual.float(), self.config.hpss_kernel, median_network)
        return Spectra(magnitude, residual.float(), harmonic, percussive)

    def classify(self, spectra: Spectra, *, half: bool = False) -> Classification:
        """Logit and embedding of ``spectra``; ``half`` runs the CNN in bfloat16."""
        channels = forensic_channels(*spectra)
        with torch.autocast(channels.device.type, torch.bfloat16, enabled=half):
            found = self.classifier(channels)
        return Classification(found.logit.float(), found.embedding.float())

    def forward(self, audio: Tensor) -> Classification:
        """Classify ``audio`` ``[batch, samples]``."""
        return self.classify(self.spectra(self.stft(audio)))


class LoadedDetector(NamedTuple):
    """A detector ready to score.

    Attributes:
      network: in evaluation mode.
      model_id: of the file it came from.
      head: on forensic statistics, which decides; ``None`` where the CNN does.
    """

    network: ArtifactNet
    model_id: str
    head: StatisticsHead | None = None


def save_detector(network: ArtifactNet, path: Path, head: StatisticsHead | None = None) -> str:
    """Write weights (float16), head and configuration to one file; returns the model id.

    Raises:
      ValueError: the head reads as many statistics as no version has.
    """
    version = ""
    if head is not None:
        version = next((one for one, count in VERSIONS.items() if count == head.features), "")
        if not version:
            raise ValueError(f"a head of {head.features} statistics is of no version of them")
    pooling = network.config.pooling if head is None else MEAN
    config = replace(network.config, statistics=version, pooling=pooling)
    arrays = head.to_tensors() if head else None
    return save_module(network, config.to_json(), path, half=True, arrays=arrays)


def load_detector(path: Path = SHIPPED_WEIGHTS) -> LoadedDetector:
    """Read a detector, in evaluation mode, on the CPU.

    Raises:
      WeightsError: the file is missing, damaged, or not a detector.
    """
    network, _, arrays = load_module_and_arrays(
        lambda stored: ArtifactNet(ArtifactNetConfig.from_json(stored)), path
    )
    return LoadedDetector(network.eval(), model_id(path), _head(network.config, arrays, path))


def _head(
    config: ArtifactNetConfig, arrays: Mapping[str, NDArray], path: Path
) -> StatisticsHead | None:
    if not config.statistics and not arrays:
        return None
    if config.statistics not in VERSIONS:
        raise WeightsError(
            f"{path}: its head reads the statistics {config.statistics or 'of no version'}, and "
            f"these are {', '.join(VERSIONS)}; use the version of artifactnet that it was made by"
        )
    try:
        head = StatisticsHead.from_tensors(arrays)
    except ValueError as error:
        raise WeightsError(f"{path}: {error}") from error
    if config.sample_rate != SAMPLE_RATE:
        raise WeightsError(f"{path}: its head reads statistics, which are of {SAMPLE_RATE} Hz only")
    if head.features != VERSIONS[config.statistics]:
        raise WeightsError(
            f"{path}: its head reads {head.features} statistics, version {config.statistics} has "
            f"{VERSIONS[config.statistics]}"
        )
    return head
