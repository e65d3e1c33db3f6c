"""How the detector does on a neural codec of a family that it has never met.

Enters: weights, a labelled corpus and the weights of a codec that no training used. Leaves: the
area under the ROC curve over pairs whose halves differ in that codec only: held-out real
music, and the same through the codec, as it is and after one random channel for both.

Run as ``python -m artifactnet.pipeline.experiments.unseen_codec MANIFEST CODEC --weights WEIGHTS``.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from rich.progress import track as progress

from artifactnet.models.artifactnet import ArtifactNet, load_detector
from artifactnet.models.weights.weights_file import SHIPPED_WEIGHTS
from artifactnet.pipeline.evaluation.metrics import ScoredTracks, measure
from artifactnet.pipeline.training.corpus import load_corpus
from artifactnet.pipeline.training.pairs import Drawing, PairDataset


def pair_scores(
    network: ArtifactNet, dataset: PairDataset, codec: str, pairs: int
) -> NDArray[np.float64]:
    """P(AI) ``[pairs, 2]``, real first, of pairs by ``codec``."""
    found: list[NDArray] = []
    for index in progress(range(len(dataset)), description="Pairs"):
        if len(found) == pairs:
            break
        crops, origin = dataset[index]
        if origin.codec == codec:
            with torch.inference_mode():
                logit = network(torch.from_numpy(crops[0])).logit
            found.append(torch.sigmoid(logit).numpy())
    return np.array(found, np.float64)


def scored(scores: NDArray[np.float64]) -> ScoredTracks:
    """What the statistics take; the halves of a pair are one piece of music."""
    flat = scores.ravel()
    group = np.repeat(np.arange(len(scores)), 2).astype(str)
    return ScoredTracks(np.tile([False, True], len(scores)), flat, flat >= 0.5, group)


def main(
    manifest: Path,
    codec: Path,
    weights: Annotated[Path, typer.Option(help="Detector.")] = SHIPPED_WEIGHTS,
    pairs: int = 150,
    cache: Path = Path("runs/cache"),
) -> None:
    """Measure WEIGHTS on pairs by CODEC over the held-out real excerpts of MANIFEST."""
    network = load_detector(weights).network
    config = network.config
    corpus = load_corpus(manifest, cache, config.sample_rate)
    for augmentations, name in ((0, "as it is"), (1, "after a random augmentation")):
        drawing = Drawing(
            codecs=(codec,),
            crop_samples=config.segment_samples,
            sample_rate=config.sample_rate,
            length=2 * pairs,  # some are by linear codecs
            augmentations=augmentations,
            kinds=(1.0, 0.0, 0.0),
            bench_origin="test",
        )
        dataset = PairDataset(corpus, drawing)
        tracks = scored(pair_scores(network, dataset, codec.stem, pairs))
        print(f"{codec.stem}, {name}: AUC {measure(tracks).auc} over {len(tracks) // 2} pairs")


if __name__ == "__main__":
    typer.run(main)
