"""Whole excerpts to evaluate a detector on while it trains.

Enters: a corpus and a detector with a frozen ArtifactUNet. Leaves: ``HeldOut``, for
every excerpt the maps of its middle segment, as it is and through the common channel, and
from those the figures that stop a training or compare ablations. Published figures come
from ``artifactnet bench`` and the audit; these are for many trainings an hour.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from artifactnet.models.artifactnet import ArtifactNet
from artifactnet.pipeline.evaluation.common_channel import common_channel
from artifactnet.pipeline.evaluation.metrics import ScoredTracks, auc, tpr_at
from artifactnet.pipeline.training.corpus import Corpus, Excerpt
from artifactnet.pipeline.training.spectrogram_cache import cached_channels, fill_spectrogram_cache
from artifactnet.transforms.elements.errors import CodecError

PLAIN, COMMON = 0, 1


def scored_excerpts(excerpts: Sequence[Excerpt], scores: NDArray[np.float64]) -> ScoredTracks:
    """What the statistics take, of excerpts and P(AI) ``[excerpts]``."""
    return ScoredTracks(
        np.array([excerpt.label == "ai" for excerpt in excerpts]),
        scores,
        scores >= 0.5,
        np.array([excerpt.pair or excerpt.track_id for excerpt in excerpts]),
    )


@dataclass(frozen=True)
class HeldOut:
    """Excerpts and their maps, uint8 ``[excerpts, 2, 4, bins, frames]``: plain and common."""

    excerpts: tuple[Excerpt, ...]
    maps: NDArray[np.uint8]

    def scores(
        self, classifier: nn.Module, index: NDArray[np.intp], channel: int
    ) -> NDArray[np.float64]:
        """P(AI) of the excerpts at ``index``."""
        found = []
        with torch.inference_mode():
            for one in index:
                maps = torch.from_numpy(np.array(self.maps[one, channel])).unsqueeze(0)
                with torch.autocast("cpu", torch.bfloat16):
                    found.append(
                        float(torch.sigmoid(classifier(cached_channels(maps)).logit.float()))
                    )
        return np.array(found)

    def figures(self, classifier: nn.Module, index: NDArray[np.intp]) -> dict[str, float]:
        """TPR at 1 % FPR and AUC of the excerpts at ``index``, both channels pooled."""
        excerpts = [self.excerpts[one] for one in index]
        both = [
            scored_excerpts(excerpts, self.scores(classifier, index, c)) for c in (PLAIN, COMMON)
        ]
        pooled = ScoredTracks(
            *(
                np.concatenate([getattr(one, name) for one in both])
                for name in ("is_ai", "score", "called_ai", "group")
            )
        )
        return {"tpr_at_fpr_1": tpr_at(0.01)(pooled), "auc": auc(pooled)}


def _windows(audio: NDArray[np.float32], samples: int, sample_rate: int) -> NDArray[np.float32]:
    start = max(0, (len(audio) - samples) // 2)
    piece = audio[start : start + samples]
    plain = np.pad(piece, (0, samples - len(piece)))
    try:
        common = common_channel(plain, sample_rate)
    except CodecError:
        common = plain
    return np.stack([plain, common])


def held_out(
    corpus: Corpus,
    excerpts: tuple[Excerpt, ...],
    network: ArtifactNet,
    cache: Path,
    name: str,
    threads: int = 1,
) -> HeldOut:
    """Prepare ``excerpts``; ``name`` tells their maps in ``cache`` from others."""
    path = cache / f"{name}.u8"
    config = network.config
    shape = (len(excerpts), 2, config.segment_samples)
    crops = np.memmap(cache / f"{name}.i16", np.int16, "w+", shape=shape)
    if not path.exists():
        for row, excerpt in zip(crops, excerpts, strict=True):
            pair = _windows(corpus.audio(excerpt), config.segment_samples, config.sample_rate)
            row[:] = np.round(np.clip(pair, -1, 1) * 32_767).astype(np.int16)
    maps = fill_spectrogram_cache(network, crops, path, threads)
    (cache / f"{name}.i16").unlink()
    return HeldOut(excerpts, maps)
