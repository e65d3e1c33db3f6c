"""Learn to tell a voice alone from music, and measure it on sources that were not learnt from.

Enters: a bank. Leaves: boosted trees for ``StatisticsHead.voice``, and P(a voice alone) of every
track by trees that saw neither its source nor its generator. Speech and unaccompanied singing in a
studio look like what a vocoder makes of them, so the detector says nothing of them.
"""

from typing import Annotated

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from artifactnet.models.pooling import MEAN, pooled
from artifactnet.models.statistics.boosted_trees import BoostedTrees
from artifactnet.pipeline.training.statistics.learning.boosting import (
    BoostingConfig,
    bin_edges,
    binned,
    fit_boostings,
    trees_of,
)

SINGERS = frozenset((
    "golf-gt", "multi-singer-gt", "sifigan-natural", "singgan-gt", "techsinger-gt",
    "xiaoicesing2-gt",
))  # fmt: skip
"""Sources of the corpus that are people singing alone."""
SINGING_DECODERS = frozenset((
    "diffsinger", "fastsvc", "hifi-wavegan", "m4singer", "m4singer-vocoder", "multi-singer",
    "neucosvc", "nsf", "refinegan", "rmssinger", "sifigan", "tcsinger", "techsinger",
    "xiaoicesing2",
))  # fmt: skip
"""Generators and vocoders whose sound is a voice alone."""
MIXED = (
    "bigvgan", "ddsp", "diffwave", "fastdiff", "hifigan", "melgan", "parallel", "periodwave",
    "priorgrad", "sawsing", "scoredec", "univnet", "vocos", "waveland", "wavefm", "wavegrad",
)  # fmt: skip
"""Pages and vocoders with voices and music: nobody has listened, so nothing is learnt from them."""
CONFIG = BoostingConfig(
    max_iter=80, max_leaf_nodes=7, max_features=0.2, min_samples_leaf=20, bags=1
)
MUSIC_SHARE = 0.35
"""Of the crops of music: there are fifty times as many as of voices."""
FALSE_RATE = 0.01
"""Of the tracks that are no voice alone, above the threshold."""

VoiceTable = Annotated[pd.DataFrame, "columns source, generator, label, track_id, section"]


def is_voice(table: VoiceTable) -> NDArray[np.bool_]:
    """Which crops are a voice alone."""
    return (table.source.isin(SINGERS) | table.generator.isin(SINGING_DECODERS)).to_numpy()


def is_known(table: VoiceTable) -> NDArray[np.bool_]:
    """Which crops are certainly one or the other."""
    mixed = "|".join(MIXED)
    unsure = table.source.str.contains(mixed) | table.generator.str.contains(mixed)
    return is_voice(table) | ~unsure.to_numpy()


def _fit(
    levels: NDArray[np.float32], table: VoiceTable, chosen: NDArray[np.bool_], seed: int
) -> list:
    """Boostings in which voices and music, and in both what is generated and not, weigh alike."""
    voice, generated = is_voice(table)[chosen], (table.label == "ai").to_numpy()[chosen]
    weights = np.ones(len(voice))
    for one in (True, False):
        for other in (True, False):
            part = (voice == one) & (generated == other)
            weights[part] = 1 / max(1, part.sum())
    return fit_boostings(levels[chosen], voice, weights, CONFIG, seed)


def _chosen(table: VoiceTable, seed: int) -> NDArray[np.bool_]:
    draw = np.random.default_rng(seed).random(len(table)) < MUSIC_SHARE
    return is_voice(table) | (draw & is_known(table))


def fit_voice(features: NDArray[np.float32], table: VoiceTable, seed: int = 0) -> BoostedTrees:
    """Trees learnt from all crops ``[crops, statistics]``."""
    edges = bin_edges(features)
    return trees_of(_fit(binned(features, edges), table, _chosen(table, seed), seed), edges)


LEARNT = ("train", "plain", "audit")
"""Sections of a bank that the trees learn from."""


def voice_of_crops(
    features: NDArray[np.float32], table: VoiceTable, folds: int = 5, seed: int = 0
) -> NDArray[np.float64]:
    """P(a voice alone) of each crop, by trees that saw neither its source nor its generator."""
    edges = bin_edges(features)
    levels = binned(features, edges)
    chosen = _chosen(table, seed) & table.section.isin(LEARNT).to_numpy()
    family = pd.Series(np.where(table.generator != "", table.generator, table.source))
    names = family.str.split("-").str[0]
    order = np.random.default_rng(seed).permutation(names.unique())
    fold = names.map({name: index % folds for index, name in enumerate(order)}).to_numpy()
    p_voice = np.full(len(table), np.nan)
    for one in range(folds):
        trees = trees_of(_fit(levels, table, chosen & (fold != one), seed), edges)
        p_voice[fold == one] = 1 / (1 + np.exp(-trees.logit(features[fold == one])))
    return p_voice


def voice_out_of_fold(
    features: NDArray[np.float32], table: VoiceTable, folds: int = 5, seed: int = 0
) -> pd.Series:
    """P(a voice alone) of each track, see ``voice_of_crops``."""
    p_voice = voice_of_crops(features, table, folds, seed)
    as_is = (table.section != "train").to_numpy()
    by_track = pd.Series(p_voice[as_is]).groupby(table.track_id[as_is].to_numpy())
    return by_track.apply(lambda scores: pooled(scores.to_numpy(), MEAN))


def voice_threshold(p_voice: pd.Series, table: VoiceTable) -> float:
    """What at most ``FALSE_RATE`` of the tracks reach that are certainly no voice alone."""
    tracks = table.assign(voice=is_voice(table), known=is_known(table))
    music = tracks[~tracks.voice & tracks.known].track_id.unique()
    scores = p_voice.reindex(music).dropna()
    return float(np.nextafter(scores.quantile(1 - FALSE_RATE), 1))
