"""Second stage: the CNN learns from the maps of a frozen ArtifactUNet.

Enters: maps uint8 ``[couples, channels, 2, 4, bins, frames]``. Leaves: losses of a step. Each
couple gives both halves in every channel it passed through; the consistency term is the
squared distance of P(AI) between channels of one half, which is codec drift.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from pipeline.training.batches import Batches
from pipeline.training.forensic_maps import channels_of

SMOOTHING = 0.02
SHARE_OF_TIME = 2 / 3
"""Of a crop's frames a step sees this share, from a random place on: cheaper, and more of them."""


def classification_losses(logit: Tensor, consistency_weight: float) -> dict[str, Tensor]:
    """Losses of couples.

    Args:
      logit: float32 ``[couples, channels, 2]``, the genuine half first.
      consistency_weight: of the distance between channels in ``total``.

    Returns:
      Scalars ``total``, ``classification``, ``consistency`` and ``accuracy``.
    """
    target = torch.arange(2.0).expand(logit.shape)
    smoothed = target * (1 - SMOOTHING) + SMOOTHING / 2
    classification = functional.binary_cross_entropy_with_logits(logit, smoothed)
    p_ai = torch.sigmoid(logit)
    consistency = (p_ai - p_ai.mean(dim=1, keepdim=True)).square().mean()
    return {
        "total": classification + consistency_weight * consistency,
        "classification": classification,
        "consistency": consistency,
        "accuracy": ((logit > 0) == (target > 0.5)).float().mean(),
    }


class ClassifierLosses:
    """Losses of a step of the CNN.

    Args:
      classifier: to train.
      maps: of all couples.
      chosen: indices of the couples to learn from.
      batch: crops a step.
      consistency_weight: of the distance between channels in ``total``.
      seed: decides the batches.
    """

    def __init__(
        self,
        classifier: nn.Module,
        maps: NDArray[np.uint8],
        chosen: NDArray[np.intp],
        batch: int,
        consistency_weight: float,
        seed: int,
    ) -> None:
        self._classifier, self._maps, self._weight = classifier, maps, consistency_weight
        self._seed = seed
        crops = maps.shape[1] * maps.shape[2]
        self._batches = Batches(chosen, max(1, batch // crops), seed)

    def __call__(self, step: int) -> dict[str, Tensor]:
        """Losses of ``step``."""
        frames = self._maps.shape[-1]
        width = max(1, round(SHARE_OF_TIME * frames))
        rng = np.random.default_rng([self._seed, step])
        starts = rng.integers(frames - width + 1, size=len(self._batches))
        couple_maps = [
            self._maps[one, ..., start : start + width]
            for one, start in zip(self._batches(step), starts, strict=True)
        ]
        maps = torch.from_numpy(np.stack(couple_maps))
        with torch.autocast("cpu", torch.bfloat16):
            inputs = channels_of(maps.flatten(0, 2)).to(memory_format=torch.channels_last)
            logit = self._classifier(inputs).logit.float()
        return classification_losses(logit.view(maps.shape[:3]), self._weight)
