"""What knows phases found anew learns from people and Griffin and Lim, and from nobody else."""

import numpy as np
import pandas as pd

from artifactnet.models.statistics.band_network import BandShape
from artifactnet.models.statistics.forensic_statistics import FEATURE_NAMES
from artifactnet.pipeline.training.statistics.learning.networks import BandConfig, Learning
from artifactnet.pipeline.training.statistics.learning.phases import (
    GRIFFIN_LIM,
    fit_phases,
    learnt_from,
)


def table(rows: list[tuple[str, str, str]]) -> pd.DataFrame:
    made = pd.DataFrame(rows, columns=["section", "generator", "label"])
    return made.assign(
        kind=np.where(made.label == "real", "real", "ai"), source="page", sample_rate=44_100
    )


def test_which_crops_are_learnt_from() -> None:
    rows = [
        ("train", "", "real"),
        ("train", "suno", "ai"),
        ("train", "riffusion", "ai"),
        ("plain", "", "real"),
        ("common", "msanii", "ai"),
        (GRIFFIN_LIM, "griffin-lim", "ai"),
        (GRIFFIN_LIM, "", "real"),
        ("imitations", "griffin-lim", "ai"),
    ]
    assert learnt_from(table(rows)).tolist() == [
        True, False, True, False, False, True, True, False,
    ]  # fmt: skip
    assert not learnt_from(table(rows[:5])).any()  # a bank without the section


def test_it_learns() -> None:
    rng = np.random.default_rng(0)
    known = table([("train", "", "real"), (GRIFFIN_LIM, "griffin-lim", "ai")] * 300)
    x = rng.standard_normal((600, len(FEATURE_NAMES))).astype(np.float32)
    x[1::2, :300] += 0.5
    config = BandConfig(
        BandShape(networks=1, band_width=8, depth=8, width=8), Learning(epochs=6, batch=64)
    )
    head = fit_phases(x, known, config=config)
    assert ((head.logit(x) + head.margin > 0) == (known.label == "ai")).mean() > 0.9
