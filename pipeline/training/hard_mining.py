"""Real music that the detector takes for generated is learnt from more often.

Enters: pairs and a detector from the stages before. Leaves: the same indices, those of the
pairs whose real half scored highest ``TIMES`` times. The scores stay in the run's
folder, so that a run that goes on after a kill draws the same batches.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track as progress

from artifactnet.models.artifactnet import ArtifactNet
from artifactnet.models.whole_file import whole_file
from artifactnet.pipeline.training.pair_cache import FULL_SCALE, PairCache

TIMES = 3
"""How often an epoch takes one of the hardest pairs."""
BATCH = 16


def real_scores(
    network: ArtifactNet, bank: PairCache, chosen: NDArray[np.intp], path: Path
) -> NDArray[np.float32]:
    """P(AI) ``[n]`` of the real half of the ``chosen`` pairs, in their first channel.

    Args:
      network: that they are hard for.
      bank: with the pairs.
      chosen: indices ``[n]`` of pairs.
      path: NumPy file for the scores; read when it is there and of as many pairs.
    """
    if path.exists() and len(found := np.load(path, allow_pickle=False)) == len(chosen):
        return found
    network = network.eval().to(memory_format=torch.channels_last)
    scores = []
    with torch.inference_mode():
        for start in progress(range(0, len(chosen), BATCH), description="Hard negatives"):
            crops = bank.crops[chosen[start : start + BATCH], 0, 0]
            audio = torch.from_numpy(crops.astype(np.float32)) / FULL_SCALE
            spectra = network.spectra(network.stft(audio), half=True)
            scores.append(torch.sigmoid(network.classify(spectra, half=True).logit).numpy())
    found = np.concatenate(scores)
    with whole_file(path) as partial, partial.open("wb") as file:
        np.save(file, found)
    return found


def with_hardest(
    chosen: NDArray[np.intp], scores: NDArray[np.float32], share: float
) -> NDArray[np.intp]:
    """``chosen`` and again the ``share`` of it that scored highest.

    Args:
      chosen: indices ``[n]``.
      scores: of each, ``[n]``.
      share: in [0, 1].

    Returns:
      Indices ``[n + (TIMES - 1) * round(share * n)]``.
    """
    hardest = chosen[np.argsort(-scores, kind="stable")[: round(share * len(chosen))]]
    return np.concatenate([chosen, np.repeat(hardest, TIMES - 1)])
