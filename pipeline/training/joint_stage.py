"""Third stage: ArtifactUNet and CNN learn together what tells the classes apart.

Enters: couples as audio, and a detector from the stages before. Leaves: losses of a step, the
same as in :mod:`pipeline.training.classifier_stage`, but through the whole network, which
costs eight times as much.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.artifactnet import ArtifactNet
from pipeline.training.bandwidth import match_bandwidth
from pipeline.training.batches import Batches
from pipeline.training.classifier_stage import SHARE_OF_TIME, classification_losses
from pipeline.training.crop_bank import FULL_SCALE, CropBank
from pipeline.training.forward import forward


class JointLosses:
    """Losses of a step of the whole network.

    Args:
      network: to train.
      bank: with the couples.
      chosen: indices of the couples to learn from.
      batch: crops a step.
      consistency_weight: of the distance between channels in ``total``.
      seed: decides the batches.
      one_bandwidth: whether both halves of a couple are given one bandwidth.
    """

    def __init__(
        self,
        network: ArtifactNet,
        bank: CropBank,
        chosen: NDArray[np.intp],
        batch: int,
        consistency_weight: float,
        seed: int,
        one_bandwidth: bool = True,
    ) -> None:
        self._one_bandwidth = one_bandwidth
        self._network, self._bank = network, bank
        self._weight, self._seed = consistency_weight, seed
        crops = bank.crops.shape[1] * bank.crops.shape[2]
        self._batches = Batches(chosen, max(1, batch // crops), seed)

    def __call__(self, step: int) -> dict[str, Tensor]:
        """Losses of ``step``."""
        samples = self._bank.crops.shape[-1]
        width = round(SHARE_OF_TIME * samples)
        start = int(np.random.default_rng([self._seed, step]).integers(samples - width + 1))
        stored = self._bank.crops[self._batches(step)][..., start : start + width]
        crops: NDArray[np.float32] = stored.astype(np.float32) / np.float32(FULL_SCALE)
        if self._one_bandwidth:
            rate = self._network.config.sample_rate
            crops = match_bandwidth(crops, rate, np.random.default_rng([self._seed, step, 1]))
        audio = torch.from_numpy(crops)
        logit = forward(self._network, audio.flatten(0, 2)).logit
        return classification_losses(logit.view(audio.shape[:3]), self._weight)
