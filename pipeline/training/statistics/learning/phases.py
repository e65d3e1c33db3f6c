"""Learn to tell music whose phases were found anew from music by people.

Enters: crops of a bank. Leaves: a ``GriffinLimHead``. It learns from people's music and from what
Griffin and Lim's iterations made, and from no other generator: beside those, what has no trace of a
decoder would be taken for people's.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from artifactnet.models.statistics.band_network import BandShape
from artifactnet.models.statistics.griffin_lim import GriffinLimHead
from artifactnet.pipeline.training.statistics.learning.heads import BANDS, LAYOUT
from artifactnet.pipeline.training.statistics.learning.networks import (
    BandConfig,
    Learning,
    Lesson,
    fit_band_network,
)
from artifactnet.pipeline.training.statistics.weights import crop_weights

GRIFFIN_LIM = "griffin_lim"
"""Section of human crops whose phases were found anew, and of their originals."""
GENERATORS = ("griffin-lim", "msanii", "riffusion")
"""Whose phases Griffin and Lim's iterations find."""
LEARNT = ("train", "audit", GRIFFIN_LIM)
CONFIG = BandConfig(BandShape(networks=2), Learning(epochs=4.0, dropout=0.0))


def learnt_from(table: pd.DataFrame) -> NDArray[np.bool_]:
    """Which crops there are to learn from: none where the bank lacks the section.

    Args:
      table: columns ``section``, ``generator``, ``label``.
    """
    if not (table.section == GRIFFIN_LIM).any():
        return np.zeros(len(table), bool)
    either = table.generator.isin(GENERATORS) | (table.label == "real")
    return (either & table.section.isin(LEARNT)).to_numpy()


def fit_phases(
    features: NDArray[np.float32], table: pd.DataFrame, seed: int = 0, config: BandConfig = CONFIG
) -> GriffinLimHead:
    """Fit it.

    Args:
      features: statistics of crops that ``learnt_from`` names, ``[crops, statistics]``.
      table: of the same crops.
      seed: of all draws.
      config: of the networks.
    """
    missing = np.isnan(features[:, BANDS]).sum(axis=1)
    weights = crop_weights(table.reset_index(drop=True), missing)
    lesson = Lesson(features, np.array(table.label == "ai"), weights, BANDS)
    return GriffinLimHead(fit_band_network(lesson, LAYOUT, config, seed))
