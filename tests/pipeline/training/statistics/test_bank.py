"""A bank of statistics on a few tracks made here, the folds and the weights, and a head from it."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import typer

from artifactnet.models.artifactnet import load_detector
from artifactnet.pipeline.training.statistics import bank as bank_module
from artifactnet.pipeline.training.statistics import evaluate, train
from artifactnet.pipeline.training.statistics.bank import finished, main, shards
from artifactnet.pipeline.training.statistics.tracks import all_items
from artifactnet.pipeline.training.statistics.weights import assign_folds, crop_weights
from tests.conftest import music


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("statistics")
    rng = np.random.default_rng(0)
    rows = []
    for number in range(24):
        kind = ("real", "ai", "codec")[number % 3]
        name = f"{kind}{number}"
        audio = music(4.5)[:, 0] + rng.normal(0, 0.02 + 0.1 * (kind != "real"), int(4.5 * 44_100))
        soundfile.write(folder / f"{name}.flac", 0.3 * audio, 44_100)
        rows.append(
            {"track_id": name, "uri": f"{name}.flac", "label": "real" if kind == "real" else "ai"}
            | {"kind": kind, "source": f"{kind}-page{number % 4}", "generator": kind, "pair": None}
        )
    (folder / "m.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


def fill(folder: Path, section: str, most: int = 0) -> None:
    main(section, folder / "bank", folder / "m.jsonl", folder / "none.jsonl", folder / "none",
         most=most)  # fmt: skip


def test_a_bank_is_filled_once_measured_and_learnt_from(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(folder, "train", most=10)
    fill(folder, "train")
    fill(folder, "plain")
    tracks = [row["track_id"] for _, rows in shards(folder / "bank" / "train") for row in rows]
    assert len(set(tracks)) == 24  # what the first call had done stayed
    assert len(finished(folder / "bank" / "train")) == 24
    before = len(tracks)
    fill(folder, "train")
    assert sum(len(rows) for _, rows in shards(folder / "bank" / "train")) == before
    evaluate.main(folder / "bank", tmp_path, folds=2, seeds=1, settings=["max_iter=5", "bags=1"])
    scores = pd.read_parquet(tmp_path / "scores.parquet")
    assert set(scores.track_id) == set(tracks)
    assert scores.p_ai.between(0, 1).all()
    train.main(
        folder / "bank", tmp_path / "h.safetensors", settings=["max_iter=5", "min_samples_leaf=2"]
    )
    assert "10 trees and networks, from 96 crops" in capsys.readouterr().out
    head = load_detector(tmp_path / "h.safetensors").head
    assert head is not None
    assert head.trees.trees == 10
    assert head.griffin_lim is None
    out = tmp_path / "other.safetensors"
    with pytest.raises(typer.BadParameter, match="griffin_lim is empty"):
        train.main(folder / "bank", out, keep_head=True)
    with pytest.raises(typer.BadParameter, match="--set is of what --keep-head keeps"):
        train.main(folder / "bank", out, keep_head=True, settings=["bags=1"])
    assert not out.exists()


def test_a_track_that_cannot_be_read_is_counted_and_passed_over(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "real0.flac").rename(folder / "away")
    try:
        main("plain", folder / "other", folder / "m.jsonl", folder / "n", folder / "n", most=24)
    finally:
        (folder / "away").rename(folder / "real0.flac")
    printed = capsys.readouterr().out
    assert "real0: FileNotFoundError" in printed
    assert "1 failed" in printed


def test_what_belongs_together_is_in_one_fold(folder: Path) -> None:
    items = all_items(folder / "m.jsonl", folder / "none", folder / "none")
    rows = [vars(one) | {"commercial": False, "recorded": True} for one in items]
    table = pd.DataFrame(rows)
    table["fold"] = assign_folds(table, 3, 0)
    assert (table.groupby("source").fold.nunique() == 1).all()
    assert (table[table.generator != ""].groupby("generator").fold.nunique() == 1).all()


def test_classes_weigh_alike_in_every_bandwidth() -> None:
    rng = np.random.default_rng(0)
    kind = rng.choice(["real", "ai"], 400, p=[0.3, 0.7])
    missing = np.where(kind == "ai", rng.integers(0, 12, 400), rng.integers(0, 4, 400))
    table = pd.DataFrame(
        {"kind": kind, "source": "s" + pd.Series(rng.integers(0, 5, 400).astype(str)),
         "generator": np.where(kind == "ai", "g", ""), "section": "train", "sample_rate": 44_100}
    )  # fmt: skip
    weight = crop_weights(table, missing)
    assert weight.sum() == pytest.approx(1)
    low = missing < 2
    share = weight[low & (kind == "real")].sum() / weight[low].sum()
    assert 0.4 < share < 0.6


def test_sections_are_known() -> None:
    assert set(bank_module.SECTIONS) == {"train", "plain", "audit", "common", "drift"}
