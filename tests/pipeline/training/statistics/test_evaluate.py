"""Heads by folds: what goes on where it stopped, and what teaches but is no track."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from artifactnet.models.statistics.band_network import BandShape
from artifactnet.models.statistics.forensic_statistics import FEATURE_NAMES
from artifactnet.pipeline.training.statistics import crop_table, out_of_fold
from artifactnet.pipeline.training.statistics.figures import by_track
from artifactnet.pipeline.training.statistics.learning import phases
from artifactnet.pipeline.training.statistics.learning.boosting import BoostingConfig
from artifactnet.pipeline.training.statistics.learning.heads import HeadConfig, fit_head
from artifactnet.pipeline.training.statistics.learning.networks import (
    BandConfig,
    Learning,
    NetworkConfig,
)
from artifactnet.pipeline.training.statistics.out_of_fold import (
    PHASES,
    Course,
    Crops,
    Folder,
    Mixture,
    said_of_fold,
)

TREES_ONLY = HeadConfig(BoostingConfig(max_iter=10, bags=1), None, None)


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
            "measured": 1 - number / 300, "p_voice": number / 150 if kind == "ai" else 0.0,
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

    monkeypatch.setattr(out_of_fold, "fit_phases", quick)
    features, table = bank(np.random.default_rng(0))
    course = Course(TREES_ONLY, {}, ("train", "audit"), folds=3)

    def found(chosen: np.ndarray) -> float:
        crops = Crops(features[chosen], table[chosen].reset_index(drop=True))
        said = pd.concat([said_of_fold(crops, course, 0, fold) for fold in range(3)])
        logit = Mixture().logit(said.reindex(crops.table.index), crops.table)
        tracks = crop_table.tracks_of(
            crops.table[~crops.table.section.isin(crop_table.RESYNTHESISED)]
        )
        assert len(tracks) == 150
        assert set(tracks.kind) == {"real", "ai"}
        scored = by_track(logit, crops.table, tracks)
        assert scored.logit_mean.notna().all()
        people = scored.logit_mean[scored.kind == "real"].quantile(0.95)
        return float((scored.logit_mean[scored.generator == "riffusion"] > people).mean())

    with_fakes = np.ones(len(table), bool)
    assert found(with_fakes) > 0.6
    assert found((table.section != phases.GRIFFIN_LIM).to_numpy()) < 0.3


def test_a_mixture_says_what_a_head_would() -> None:
    features, table = bank(np.random.default_rng(0))
    network = NetworkConfig(1, 8, learning=Learning(epochs=1.0, batch=32))
    config = HeadConfig(BoostingConfig(max_iter=5, bags=1), network, None)
    crops = Crops(features, table)
    head = fit_head(crops.levels, np.ones(len(table), bool), (table.label == "ai").to_numpy(),
                    np.ones(len(table)), config)  # fmt: skip
    band = BandConfig(BandShape(networks=1, band_width=8, depth=8, width=8), Learning(epochs=1.0))
    own = phases.learnt_from(table)
    head = replace(head, griffin_lim=phases.fit_phases(features[own], table[own], 0, band))
    said = pd.DataFrame(head.logits(features), columns=["trees", "dense", PHASES])
    said[PHASES] += head.griffin_lim.margin
    want = head.logit(features) * head.doubt(table.measured.to_numpy(), table.p_voice.to_numpy())
    np.testing.assert_allclose(Mixture().logit(said, table), want, rtol=1e-12)
    np.testing.assert_allclose(
        Mixture((1.0, 0.0), missing_doubt=0.0).logit(said.drop(columns=PHASES), table),
        head.trees.logit(features) * (1 - 0.5 * table.p_voice),
    )
    # What is of no fold of which phases were learnt says nothing of them.
    silent = said.assign(**{PHASES: np.nan})
    np.testing.assert_array_equal(
        Mixture().logit(silent, table), Mixture().logit(said.drop(columns=PHASES), table)
    )
    with pytest.raises(ValueError, match="3 numbers of a mix: use one for each of trees, dense"):
        Mixture((1.0, 1.0, 1.0)).logit(said, table)


def test_learning_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    features, table = bank(np.random.default_rng(0))
    keep = (table.section != phases.GRIFFIN_LIM).to_numpy()
    crops = Crops(features[keep], table[keep].reset_index(drop=True))
    monkeypatch.setattr(Crops, "of_bank", classmethod(lambda *_: crops))
    course = Course(TREES_ONLY, {}, ("train", "audit"), folds=3)
    told: list[str] = []
    folder = Folder(tmp_path / "own", tmp_path / "bank", course)
    folder.learn([1], told.append)
    assert [one.split(":")[0] for one in told[1:]] == [f"seed 1, fold {n}" for n in range(3)]
    first = folder.said(1)
    assert first.notna().all(axis=None)
    (tmp_path / "own" / "seed1-fold2.parquet").unlink()
    again = Folder(tmp_path / "own", tmp_path / "bank", course)
    again.learn(range(2), told.append)
    assert [one.split(":")[0] for one in told[5:]] == [
        "seed 0, fold 0", "seed 0, fold 1", "seed 0, fold 2", "seed 1, fold 2",
    ]  # fmt: skip
    pd.testing.assert_frame_equal(again.said(1), first)
    assert not again.said(0).equals(first)
    monkeypatch.setattr(Crops, "of_bank", classmethod(lambda *_: pytest.fail("nothing is to do")))
    again.learn(range(2))
    assert not [one for one in (tmp_path / "own").iterdir() if one.name.startswith(".")]


def test_what_another_course_or_bank_said_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    features, table = bank(np.random.default_rng(0))
    crops = Crops(features, table)
    monkeypatch.setattr(Crops, "of_bank", classmethod(lambda *_: crops))
    course = Course(TREES_ONLY, {}, ("train", "audit"), folds=3)
    Folder(tmp_path, tmp_path / "bank", course)._write(tmp_path / "crops.parquet", table.to_parquet)
    with pytest.raises(ValueError, match="was begun with another learnt, folds: use another"):
        Folder(tmp_path, tmp_path / "bank", replace(course, folds=2, learnt=("train",)))
    with pytest.raises(ValueError, match="was begun with another bank"):
        Folder(tmp_path, tmp_path / "other", course)
    relabelled = table.assign(label=["ai", *table.label[1:]])
    for other in (Crops(features[:-1], table[:-1]), Crops(features, relabelled)):
        monkeypatch.setattr(Crops, "of_bank", classmethod(lambda *_, other=other: other))
        with pytest.raises(ValueError, match="has other crops or labels than when it was begun"):
            Folder(tmp_path, tmp_path / "bank", course).learn([0])
