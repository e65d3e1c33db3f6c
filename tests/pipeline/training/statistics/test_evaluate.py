"""Heads by folds: what goes on where it stopped, and what teaches but is no track."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import typer

from artifactnet.models.statistics.band_network import BandShape
from artifactnet.models.statistics.forensic_statistics import FEATURE_NAMES
from artifactnet.pipeline.training.statistics import crop_table, evaluate, out_of_fold
from artifactnet.pipeline.training.statistics.crop_table import heard_together
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
    FolderError,
    Mixture,
    head_without,
    said_of,
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
        heads = [head_without(crops, course, 0, fold) for fold in range(3)]
        said = pd.concat(
            [said_of_fold(head, crops, course, 0, fold) for fold, head in enumerate(heads)]
        )
        logit = Mixture.of(course).logit(said.reindex(crops.table.index), crops.table)
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


def test_windows_of_a_track_through_one_channel_are_heard_together() -> None:
    rows = [
        ("a", "audit", "as-is", 0.0), ("b", "audit", "as-is", 0.0), ("a", "audit", "as-is", 4.0),
        ("a", "plain", "as-is", 0.0), ("a", "plain", "as-is", 4.0), ("a", "plain", "as-is", 8.0),
        ("a", "drift", "mp3", 0.0), ("a", "drift", "aac", 0.0), ("a", "drift", "mp3", 4.0),
        ("a", "train", "as-is", 0.0), ("a", "train", "as-is", 0.0),
        ("a", phases.GRIFFIN_LIM, "as-is", 0.0), ("a", phases.GRIFFIN_LIM, "as-is", 0.0),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["track_id", "section", "channel", "start"])
    # Of the plain windows those that go through codecs have the company that they have there.
    assert heard_together(table).tolist() == [0, 1, 0, 2, 2, 3, 4, 5, 4, 6, 7, 8, 9]


def test_a_fold_is_heard_in_blocks_that_part_no_track(monkeypatch: pytest.MonkeyPatch) -> None:
    features, table = bank(np.random.default_rng(0))
    table["track_id"] = [f"t{number % 7}" for number in range(len(table))]

    class Head:
        def logits(self, x: np.ndarray, together: np.ndarray) -> np.ndarray:
            sizes.append(len(x))
            mean = pd.Series(x[:, 0]).groupby(together).transform("mean")
            return np.stack([x[:, 0], mean], axis=1)

    sizes: list[int] = []
    monkeypatch.setattr(out_of_fold, "BLOCK", 20)
    rows = np.random.default_rng(1).permutation(len(table))[:200]
    said = said_of(Head(), Crops(features, table), rows)  # type: ignore[arg-type]
    assert len(sizes) > 5
    np.testing.assert_array_equal(said[:, 0], features[rows, 0])
    own = heard_together(table)[rows]
    mean = pd.Series(features[rows, 0]).groupby(own).transform("mean")
    np.testing.assert_array_equal(said[:, 1], mean)


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
    usual = Mixture.of(Course(config, {}))
    np.testing.assert_allclose(usual.logit(said, table), want, rtol=1e-12)
    np.testing.assert_allclose(
        Mixture((1.0, 0.0), missing_doubt=0.0).logit(said.drop(columns=PHASES), table),
        head.trees.logit(features) * (1 - 0.5 * table.p_voice),
    )
    # What is of no fold of which phases were learnt says nothing of them.
    silent = said.assign(**{PHASES: np.nan})
    np.testing.assert_array_equal(
        usual.logit(silent, table), usual.logit(said.drop(columns=PHASES), table)
    )


@pytest.fixture
def course() -> Course:
    return Course(TREES_ONLY, {}, ("train", "audit"), folds=3)


@pytest.fixture
def crops(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Crops:
    """Of a bank at ``tmp_path / "bank"`` whose shards nobody reads."""
    (tmp_path / "bank" / "train").mkdir(parents=True)
    (tmp_path / "bank" / "train" / "0.npz").write_bytes(b"a shard")
    features, table = bank(np.random.default_rng(0))
    keep = (table.section != phases.GRIFFIN_LIM).to_numpy()
    crops = Crops(features[keep], table[keep].reset_index(drop=True))
    monkeypatch.setattr(Crops, "of_bank", classmethod(lambda *_: crops))
    return crops


def test_learning_goes_on_where_it_stopped(
    tmp_path: Path, crops: Crops, course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    folder = Folder(tmp_path / "own", tmp_path / "bank", course)
    folder.learn([1], told.append)
    assert [one.split(":")[0] for one in told[1:]] == [f"seed 1, fold {n}" for n in range(3)]
    first = folder.said(1)
    assert first.notna().all(axis=None)
    (tmp_path / "own" / "seed1-fold2.parquet").unlink()
    again = Folder(tmp_path / "own", tmp_path / "bank", course)
    with pytest.raises(FolderError, match=r"seed1-fold2.parquet: is missing: remove it, and what"):
        again.said(1)
    again.learn(range(2), told.append)
    assert [one.split(":")[0] for one in told[5:]] == [
        "seed 0, fold 0", "seed 0, fold 1", "seed 0, fold 2", "seed 1, fold 2",
    ]  # fmt: skip
    pd.testing.assert_frame_equal(again.said(1), first)
    assert not again.said(0).equals(first)
    monkeypatch.setattr(Crops, "of_bank", classmethod(lambda *_: pytest.fail("nothing is to do")))
    again.learn(range(2))
    assert {one.name for one in (tmp_path / "own").iterdir()} == {
        "settings.json", "crops.parquet",
        *(f"seed{s}-fold{f}.{kind}" for s in range(2) for f in range(3)
          for kind in ("parquet", "safetensors")),
    }  # fmt: skip


def test_what_a_head_said_is_said_again_without_learning(
    tmp_path: Path, crops: Crops, course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Folder(tmp_path / "own", tmp_path / "bank", course)
    folder.learn([0], lambda _: None)
    first = folder.said(0)
    file = tmp_path / "own" / "seed0-fold1.parquet"
    file.unlink()
    asked: list[float] = []

    def said(head: Any, *rest: Any) -> pd.DataFrame:
        asked.append(head.together)
        return said_of_fold(head, *rest)

    monkeypatch.setattr(out_of_fold, "head_without", lambda *_: pytest.fail("was learnt before"))
    monkeypatch.setattr(out_of_fold, "said_of_fold", said)
    folder.learn([0], lambda _: None)
    pd.testing.assert_frame_equal(folder.said(0), first)
    alone = Folder(tmp_path / "own", tmp_path / "bank", course, together=0.0)
    alone.learn([0], lambda _: None)
    pd.testing.assert_frame_equal(alone.said(0), first)  # trees hear each by itself
    assert asked == [out_of_fold.TOGETHER, 0.0, 0.0, 0.0]
    assert (tmp_path / "own" / "seed0-fold2-together0.parquet").exists()
    file.unlink()
    file.with_suffix(".safetensors").write_bytes(b"no tensors")
    with pytest.raises(FolderError, match=r"seed0-fold1.safetensors: is damaged: remove it, and"):
        folder.learn([0], lambda _: None)


def test_a_head_with_networks_says_the_same_from_its_file(tmp_path: Path, crops: Crops) -> None:
    band = BandConfig(BandShape(networks=1, band_width=8, depth=8, width=8), Learning(epochs=2.0))
    dense = NetworkConfig(1, 8, learning=Learning(epochs=2.0))
    config = HeadConfig(BoostingConfig(max_iter=5, bags=1), dense, band)
    course = Course(config, {}, ("train", "audit"), folds=2)
    folder = Folder(tmp_path / "own", tmp_path / "bank", course)
    folder.learn([0], lambda _: None)
    for fold in range(2):
        head = head_without(crops, course, 0, fold)
        said = said_of_fold(head, crops, course, 0, fold)
        found = folder.said(0).loc[said.index]
        # Weights of networks lie in files in half precision.
        pd.testing.assert_frame_equal(found, said, atol=0.02, rtol=0.02)
        assert said.bands.std() > 0.05


def test_what_another_process_learnt_is_not_learnt_again(
    tmp_path: Path, crops: Crops, course: Course
) -> None:
    folder = Folder(tmp_path / "own", tmp_path / "bank", course)
    told: list[str] = []

    def other_learns(line: str) -> None:
        if not told:
            folder.learn([0], lambda _: None)
        told.append(line)

    folder.learn([0], other_learns)
    assert len(told) == 1


def test_what_another_course_or_bank_said_is_not_taken(
    tmp_path: Path, crops: Crops, course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, own_bank = tmp_path / "own", tmp_path / "bank"
    Folder(own, own_bank, course).learn([0])
    (own / "seed0-fold1.parquet").unlink()
    with pytest.raises(FolderError, match=r"folds was 3, now 2; learnt was .*: use another --name"):
        Folder(own, own_bank, replace(course, folds=2, learnt=("train",)))
    for column, value in (("label", "ai"), ("pair", "p"), ("source", "x"), ("measured", 0.25)):
        table = crops.table.assign(**{column: [value, *crops.table[column][1:]]})
        changed = Crops(crops.features, table)
        monkeypatch.setattr(Crops, "of_bank", classmethod(lambda *_, c=changed: c))
        with pytest.raises(FolderError, match="has other crops or labels: use another --name"):
            Folder(own, own_bank, course).learn([0])
    monkeypatch.setattr(Crops, "of_bank", classmethod(lambda *_: crops))
    Folder(own, own_bank, course).learn([0])
    monkeypatch.setattr(out_of_fold, "CORRECTIONS", own_bank / "train" / "0.npz")
    with pytest.raises(FolderError, match="corrections was"):
        Folder(own, own_bank, course)
    monkeypatch.undo()
    (own_bank / "train" / "1.npz").write_bytes(b"one more")
    with pytest.raises(FolderError, match="shards was"):
        Folder(own, own_bank, course)
    with pytest.raises(FolderError, match="nowhere: no crops: fill it with python -m"):
        Folder(tmp_path / "more", tmp_path / "nowhere", course)
    assert not (tmp_path / "more").exists()


@pytest.mark.parametrize("file", ["settings.json", "crops.parquet", "seed0-fold1.parquet"])
def test_damage_is_named(tmp_path: Path, crops: Crops, course: Course, file: str) -> None:
    Folder(tmp_path / "own", tmp_path / "bank", course).learn([0])
    damaged = tmp_path / "own" / file
    damaged.write_bytes(damaged.read_bytes()[:20])
    with pytest.raises(FolderError, match=f"{file}: is damaged: (use another|remove it)"):
        Folder(tmp_path / "own", tmp_path / "bank", course).said(0)


def test_figures_of_another_mixture_leave_the_scores_alone(
    tmp_path: Path, crops: Crops, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(**options: Any) -> None:
        evaluate.main(
            tmp_path / "bank", tmp_path / "out", folds=3, seeds=2, learn=["train", "audit"],
            settings=["max_iter=5", "bags=1", "dense.networks=0", "band.networks=0"], **options,
        )  # fmt: skip

    run(only_seed=1)
    assert not (tmp_path / "out" / "scores.json").exists()
    run()
    stored = (tmp_path / "out" / "scores.json").read_bytes()
    assert json.loads(stored)["mixture"] == {"mix": [1.0], "missing_doubt": 0.75, "margin": 1.0}
    scores = pd.read_parquet(tmp_path / "out" / "scores.parquet")
    assert scores.p_ai.between(0, 1).all()
    run(mix="2", missing_doubt=0.1)
    assert (tmp_path / "out" / "scores.json").read_bytes() == stored
    other = json.loads((tmp_path / "out" / "scores-other.json").read_text())
    assert other["mixture"]["mix"] == [2.0]
    assert "AUC all parts: generators" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"mix": "a,b"}, "--mix a,b: use a number from 0 for each of trees, dense, bands"),
        ({"mix": "1"}, "--mix 1: use a number from 0 for each of trees, dense, bands"),
        ({"mix": "nan,1,1"}, "--mix nan,1,1: use a number from 0"),
        ({"mix": "inf,1,1"}, "--mix inf,1,1: use a number from 0"),
        ({"mix": "0,0,0"}, "--mix 0,0,0: use a number from 0"),
        ({"mix": "-1,1,1"}, "--mix -1,1,1: use a number from 0"),
        ({"only_seed": 3}, "--only-seed 3: --seeds 3 are 0 to 2"),
        ({"name": "../x"}, "--name ../x: use a name without folders"),
        ({"learn": ["bogus"]}, "--learn bogus: use one of train, plain"),
        ({"drop": ["bogus"]}, "--drop bogus: use one of fine_correlation"),
        ({"weighting": ["bogus=1"]}, "--weighting bogus=1: use one of evenness"),
        ({"weighting": ["evenness=x"]}, "--weighting evenness=x: not a number"),
        ({"weighting": ["evenness=nan"]}, "--weighting evenness=nan: use a number from 0"),
        ({"settings": ["bogus=1"]}, "--set bogus=1: use one of"),
        ({"settings": ["bags=0"]}, "--set bags=0: a head has trees"),
    ],
)
def test_a_wrong_option_is_told_before_anything_is_learnt_or_written(
    tmp_path: Path, crops: Crops, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(typer.BadParameter) as error:
        evaluate.main(tmp_path / "bank", tmp_path / "out", **options)
    assert str(error.value).startswith(said)
    assert not (tmp_path / "out").exists()
