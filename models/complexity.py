"""Parameters and floating-point operations of the detector.

Enters: a detector. Leaves: ``Complexity``, counted by torch's own FLOP counter (one
multiply-add is two operations) over one segment.
"""

from typing import NamedTuple

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from artifactnet.models.artifactnet import ArtifactNet
from artifactnet.models.forensic_channels import forensic_channels


class Complexity(NamedTuple):
    """Size and cost of a detector; GFLOP are for one segment."""

    unet_parameters: int
    classifier_parameters: int
    total_parameters: int
    unet_gflop: float
    classifier_gflop: float


def _parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def measure_complexity(network: ArtifactNet) -> Complexity:
    """Count the parameters and the GFLOP of one segment."""
    config = network.config
    magnitude = torch.rand(1, config.bins, config.frames)
    with torch.no_grad():
        channels = forensic_channels(*network.spectra(magnitude))
        with FlopCounterMode(display=False) as unet:
            network.unet(magnitude)
        with FlopCounterMode(display=False) as classifier:
            network.classifier(channels)
    return Complexity(
        unet_parameters=_parameters(network.unet),
        classifier_parameters=_parameters(network.classifier),
        total_parameters=_parameters(network),
        unet_gflop=unet.get_total_flops() / 1e9,
        classifier_gflop=classifier.get_total_flops() / 1e9,
    )
