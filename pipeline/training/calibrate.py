"""Set the verdict's two thresholds from an audit of labelled tracks.

Enters: the output of ``artifactnet audit`` on tracks that the detector was not trained on.
Leaves: the weights file with its thresholds replaced, and on standard output what they give
on tracks that did not set them (cross-validation).

``threshold_ai`` is a split-conformal quantile of the genuine scores (Vovk et al. 2005;
Angelopoulos and Bates, arXiv 2107.07511): a further genuine track, exchangeable with these, is
called ``ai`` with at most the requested probability. ``threshold_real`` is the same for
generated tracks that would be called ``real``.

Run as ``python -m pipeline.training.calibrate AUDIT WEIGHTS``.
"""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.dataset as ds
import typer
from numpy.typing import NDArray

from models.artifactnet import ArtifactNet, load_detector, save_detector

FOLDS = 10


def upper_threshold(scores: NDArray[np.float64], rate: float) -> float:
    """Smallest threshold that a further score reaches with probability at most ``rate``.

    Args:
      scores: exchangeable scores ``[n]``.
      rate: in (0, 1).

    Raises:
      ValueError: fewer than ``1 / rate - 1`` scores, which can't carry the claim.
    """
    position = math.ceil((len(scores) + 1) * (1 - rate))
    if position > len(scores):
        needed = math.ceil(1 / rate) - 1
        raise ValueError(f"{len(scores)} tracks can't carry a rate of {rate:g}; {needed} can")
    return float(np.nextafter(np.sort(scores)[position - 1], np.inf))


def thresholds(
    genuine: NDArray[np.float64], generated: NDArray[np.float64], rate_ai: float, rate_real: float
) -> tuple[float, float]:
    """``(threshold_real, threshold_ai)``; the first is never above the second.

    Raises:
      ValueError: too few tracks for the rates.
    """
    ai = upper_threshold(genuine, rate_ai)
    return min(-upper_threshold(-generated, rate_real), ai), ai


def cross_validated(
    genuine: NDArray[np.float64], generated: NDArray[np.float64], rate_ai: float, rate_real: float
) -> dict[str, float]:
    """Rates of each verdict for tracks whose own fold did not set the thresholds."""
    rng = np.random.default_rng(0)
    folds = [rng.permutation(len(scores)) % FOLDS for scores in (genuine, generated)]
    counts = np.zeros((2, 3))
    for fold in range(FOLDS):
        real, ai = thresholds(
            genuine[folds[0] != fold], generated[folds[1] != fold], rate_ai, rate_real
        )
        for label, scores in enumerate((genuine[folds[0] == fold], generated[folds[1] == fold])):
            counts[label] += np.bincount((scores >= real) * 1 + (scores >= ai), minlength=3)
    shares = counts / counts.sum(axis=1, keepdims=True)
    return {
        f"{label} called {verdict}": round(float(shares[row, column]), 4)
        for row, label in enumerate(("genuine", "generated"))
        for column, verdict in enumerate(("real", "uncertain", "ai"))
    }


def main(audit: Path, weights: Path, rate_ai: float = 0.02, rate_real: float = 0.1) -> None:
    """Replace the thresholds of WEIGHTS by those that the audit AUDIT gives."""
    table = ds.dataset(audit / "tracks").to_table(["label", "p_ai"]).to_pandas()
    genuine = table.p_ai[table.label == "real"].to_numpy()
    generated = table.p_ai[table.label == "ai"].to_numpy()
    real, ai = thresholds(genuine, generated, rate_ai, rate_real)
    network, _ = load_detector(weights)
    config = replace(network.config, threshold_real=real, threshold_ai=ai)
    calibrated = ArtifactNet(config)
    calibrated.load_state_dict(network.state_dict())
    print(f"{len(genuine)} genuine and {len(generated)} generated tracks")
    for name, share in cross_validated(genuine, generated, rate_ai, rate_real).items():
        print(f"{name:26} {share:.3f}")
    print(f"real < {real:.4f}, ai >= {ai:.4f}, model id {save_detector(calibrated, weights)}")


if __name__ == "__main__":
    typer.run(main)
