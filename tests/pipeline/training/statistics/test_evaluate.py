"""Heads by folds: crops of people's music whose phases were found anew teach, and are no tracks."""

import numpy as np
import pandas as pd
import pytest

from artifactnet.models.statistics.band_network import BandShape
from artifactnet.models.statistics.forensic_statistics import FEATURE_NAMES
from artifactnet.pipeline.training.statistics import evaluate, phases
from artifactnet.pipeline.training.statistics.boosting import BoostingConfig
from artifactnet.pipeline.training.statistics.heads import HeadConfig
from artifactnet.pipeline.training.statistics.networks import BandConfig, Learning


def bank(rng: np.random.Generator) -> tuple[np.ndarray, pd.DataFrame]:
    """Tracks of people, of decoders, and of Riffusion, and fakes made of the people's."""
    rows, features = [], []
    for number in range(150):
        kind, generator = (("real", ""), ("ai", f"decoder{number % 7}"), ("ai", "riffusion"))[
            number % 3
        ]
        row = {
            "track_id": f"t{number}", "part": "full", "kind": kind,
            "label": "real" if kind == "real" else "ai", "generator": generator,
            "source": f"{kind}{number % 11}-page", "pair": "", "commercial": False,
            "recorded": kind == "real", "sample_rate": 44_100, "seconds": 30.0,
            "channel": "as-is", "start": 0.0, "section": "train",
        }  # fmt: skip
        x = rng.standard_normal((2, len(FEATURE_NAMES)))
        if generator == "riffusion":
            x[:, :150], x[:, 150:300] = x[:, :150] - 1, x[:, 150:300] + 1
        elif generator:
            x[:, :150] += 1
        rows += [row, row | {"section": "audit"}]
        features.append(x)
        if kind == "real":
            made = rng.standard_normal((2, len(FEATURE_NAMES)))
            made[0, 150:300] += 1
            fake = {"label": "ai", "kind": "codec", "generator": "griffin-lim"}
            own = row | {"section": phases.GRIFFIN_LIM}
            rows += [own | fake, own]
            features.append(made)
    return np.concatenate(features).astype(np.float32), pd.DataFrame(rows)


def test_what_knows_phases_finds_a_generator_that_it_never_heard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small = BandConfig(
        BandShape(networks=1, band_width=8, depth=8, width=8), Learning(epochs=40.0, batch=32)
    )

    def quick(features: np.ndarray, table: pd.DataFrame, seed: int) -> phases.GriffinLimHead:
        assert set(table.generator) <= {"", *phases.GENERATORS}
        return phases.fit_phases(features, table, seed, small)

    monkeypatch.setattr(evaluate, "fit_phases", quick)
    features, table = bank(np.random.default_rng(0))
    config = HeadConfig(BoostingConfig(max_iter=10, bags=1), None, None)

    def found(chosen: np.ndarray) -> float:
        logit, tracks = evaluate.out_of_fold(
            features[chosen], table[chosen].reset_index(drop=True),
            np.ones(chosen.sum()), np.zeros(chosen.sum()),
            folds=3, seed=0, config=config, weighting={}, learnt=("train", "audit"),
        )  # fmt: skip
        assert len(tracks) == 150
        assert set(tracks.kind) == {"real", "ai"}
        scored = evaluate.by_track(logit, table[chosen].reset_index(drop=True), tracks)
        assert scored.logit_mean.notna().all()
        people = scored.logit_mean[scored.kind == "real"].quantile(0.95)
        return float((scored.logit_mean[scored.generator == "riffusion"] > people).mean())

    with_fakes = np.ones(len(table), bool)
    assert found(with_fakes) > 0.6
    assert found((table.section != phases.GRIFFIN_LIM).to_numpy()) < 0.3
