"""Losses of a step, one class for each of the three stages of training.

Enters: pairs of a real and a fake half, as audio or as cached spectra. Leaves: the losses of a
step, as a function of its number alone, so that a killed training goes on with the same ones.

1. ``ResidualLosses``: ArtifactUNet learns what a decoder changes, from pairs of ours, whose halves
   differ in the decoder only. The loss is the CNN's binary cross-entropy and, for ArtifactUNet, the
   residual: the magnitude that the decoder changed, ``|M_fake - M_real|``, bounded like its mask,
   and nothing for the real half (ArtifactNet, arXiv 2604.16254).
2. ``ClassifierLosses``: the CNN learns from the spectra of a frozen ArtifactUNet. Each pair gives
   both halves in every augmentation; the consistency term is the squared distance of P(AI) between
   the augmentations of one half, which is codec drift.
3. ``JointLosses``: both networks learn together what tells the classes apart. The loss is that of
   the second stage, but through the whole network, which costs eight times as much.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from artifactnet.models.artifactnet import ArtifactNet
from artifactnet.pipeline.training.augmentations import match_bandwidth
from artifactnet.pipeline.training.fit import Batches
from artifactnet.pipeline.training.pair_cache import FULL_SCALE, PairCache
from artifactnet.pipeline.training.spectrogram_cache import cached_channels

SMOOTHING = 0.02
SHARE_OF_TIME = 2 / 3
"""Of a crop's frames a step sees this share, from a random place on: cheaper, and more of them."""


def _classification(logit: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Cross entropy with smoothed targets, and accuracy."""
    smoothed = target * (1 - SMOOTHING) + SMOOTHING / 2
    return {
        "classification": functional.binary_cross_entropy_with_logits(logit, smoothed),
        "accuracy": ((logit > 0) == (target > 0.5)).float().mean(),
    }


def classification_losses(logit: Tensor, consistency_weight: float) -> dict[str, Tensor]:
    """Losses of pairs.

    Args:
      logit: float32 ``[pairs, augmentations, 2]``, the real half first.
      consistency_weight: of the distance between augmentations in ``total``.

    Returns:
      Scalars ``total``, ``classification``, ``consistency`` and ``accuracy``.
    """
    target = torch.arange(2.0).expand(logit.shape)
    p_ai = torch.sigmoid(logit)
    consistency = (p_ai - p_ai.mean(dim=1, keepdim=True)).square().mean()
    found = _classification(logit, target)
    total = found["classification"] + consistency_weight * consistency
    return {"total": total, "consistency": consistency} | found


class ClassifierLosses:
    """Losses of a step of the CNN.

    Args:
      classifier: to train.
      maps: of all pairs.
      chosen: indices of the pairs to learn from.
      batch: crops a step.
      consistency_weight: of the distance between augmentations in ``total``.
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
        pair_maps = [
            self._maps[one, ..., start : start + width]
            for one, start in zip(self._batches(step), starts, strict=True)
        ]
        maps = torch.from_numpy(np.stack(pair_maps))
        with torch.autocast("cpu", torch.bfloat16):
            inputs = cached_channels(maps.flatten(0, 2)).to(memory_format=torch.channels_last)
            logit = self._classifier(inputs).logit.float()
        return classification_losses(logit.view(maps.shape[:3]), self._weight)


def pair_loss(network: ArtifactNet, pairs: Tensor, residual_weight: float) -> dict[str, Tensor]:
    """Losses of a batch of aligned pairs.

    Args:
      network: in training mode.
      pairs: float32 ``[pairs, 2, samples]``, the real half first.
      residual_weight: weight of the residual loss in ``total``.

    Returns:
      Scalars ``total``, ``classification``, ``residual`` and ``accuracy``.
    """
    audio = pairs.transpose(0, 1).flatten(0, 1)
    target = torch.arange(2).repeat_interleave(len(pairs)).float()
    spectra = network.spectra(network.stft(audio), half=True)
    logit = network.classify(spectra, half=True).logit
    real, fake = spectra.magnitude.chunk(2)
    changed = torch.minimum((fake - real).abs(), network.config.mask_bound * fake)
    wanted = torch.cat([torch.zeros_like(real), changed])
    error = (torch.log(spectra.residual + 1e-3) - torch.log(wanted + 1e-3)).abs().mean()
    found = _classification(logit, target)
    total = found["classification"] + residual_weight * error
    return {"total": total, "residual": error} | found


class ResidualLosses:
    """Losses of a step: a batch of pairs, each through one of its augmentations.

    Args:
      network: to train.
      bank: with the pairs.
      chosen: indices of aligned pairs.
      batch: pairs a step.
      weight: of the residual loss.
      seed: decides the batches.
    """

    def __init__(
        self,
        network: ArtifactNet,
        bank: PairCache,
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
        return pair_loss(self._network, torch.from_numpy(crops), self._weight)


class JointLosses:
    """Losses of a step of the whole network.

    Args:
      network: to train.
      bank: with the pairs.
      chosen: indices of the pairs to learn from.
      batch: crops a step.
      consistency_weight: of the distance between augmentations in ``total``.
      seed: decides the batches.
      one_bandwidth: whether both halves of a pair are given one bandwidth.
    """

    def __init__(
        self,
        network: ArtifactNet,
        bank: PairCache,
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
        network = self._network
        spectra = network.spectra(network.stft(audio.flatten(0, 2)), half=True)
        logit = network.classify(spectra, half=True).logit
        return classification_losses(logit.view(audio.shape[:3]), self._weight)
