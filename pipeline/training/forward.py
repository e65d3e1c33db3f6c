"""One pass through the whole network in training: bfloat16 where it pays.

Enters: audio, float32 ``[batch, samples]``. Leaves: :class:`Pass`, through which gradients flow.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from models.artifactnet import ArtifactNet
from models.forensic_channels import forensic_channels
from models.hpss import hpss


class Pass(NamedTuple):
    """``magnitude`` and ``residual`` ``[batch, bins, frames]``, ``logit`` ``[batch]``; float32."""

    magnitude: Tensor
    residual: Tensor
    logit: Tensor


def forward(network: ArtifactNet, audio: Tensor) -> Pass:
    """Run ``network`` on ``audio`` ``[batch, samples]``."""
    magnitude = network.stft(audio)
    with torch.autocast("cpu", torch.bfloat16):
        residual = network.unet(magnitude)
    harmonic, percussive = hpss(residual, network.config.hpss_kernel)
    channels = forensic_channels(magnitude, residual, harmonic, percussive)
    with torch.autocast("cpu", torch.bfloat16):
        logit = network.classifier(channels).logit.float()
    return Pass(magnitude, residual, logit)
