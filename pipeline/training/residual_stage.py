"""First stage: ArtifactUNet learns what a decoder changes.

Enters: couples of ours, where only the decoder differs. Leaves: a detector whose
ArtifactUNet is trained, with a CNN that helped. The loss is the CNN's binary cross-entropy
and, for ArtifactUNet, the residual: the magnitude that the decoder changed,
``|M_generated - M_genuine|``, bounded like its mask, and nothing for the genuine half
(ArtifactNet, arXiv 2604.16254).
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from models.artifactnet import ArtifactNet
from pipeline.training.batches import Batches
from pipeline.training.crop_bank import FULL_SCALE, CropBank
from pipeline.training.forward import forward


def couple_loss(network: ArtifactNet, couples: Tensor, residual_weight: float) -> dict[str, Tensor]:
    """Losses of a batch of aligned couples.

    Args:
      network: in training mode.
      couples: float32 ``[couples, 2, samples]``, the genuine half first.
      residual_weight: weight of the residual loss in ``total``.

    Returns:
      Scalars ``total``, ``classification``, ``residual`` and ``accuracy``.
    """
    audio = couples.transpose(0, 1).flatten(0, 1)
    target = torch.arange(2).repeat_interleave(len(couples)).float()
    magnitude, residual, logit = forward(network, audio)
    classification = functional.binary_cross_entropy_with_logits(logit, target * 0.98 + 0.01)
    genuine, generated = magnitude.chunk(2)
    changed = torch.minimum((generated - genuine).abs(), network.config.mask_bound * generated)
    wanted = torch.cat([torch.zeros_like(genuine), changed])
    error = (torch.log(residual + 1e-3) - torch.log(wanted + 1e-3)).abs().mean()
    return {
        "total": classification + residual_weight * error,
        "classification": classification,
        "residual": error,
        "accuracy": ((logit > 0) == (target > 0.5)).float().mean(),
    }


class ResidualLosses:
    """Losses of a step: a batch of couples, each through one of its channels.

    Args:
      network: to train.
      bank: with the couples.
      chosen: indices of aligned couples.
      batch: couples a step.
      weight: of the residual loss.
      seed: decides the batches.
    """

    def __init__(
        self,
        network: ArtifactNet,
        bank: CropBank,
        chosen: NDArray[np.intp],
        batch: int,
        weight: float,
        seed: int,
    ) -> None:
        self._network, self._bank, self._weight = network, bank, weight
        self._batches = Batches(chosen, batch, seed)

    def __call__(self, step: int) -> dict[str, Tensor]:
        """Losses of ``step``."""
        index = self._batches(step)
        channel = step % self._bank.crops.shape[1]
        crops = self._bank.crops[index, channel].astype(np.float32) / FULL_SCALE
        return couple_loss(self._network, torch.from_numpy(crops), self._weight)
