"""Variants differ in what they say they differ in; outcomes are written as a table and curves."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from artifactnet.models.artifactnet import ArtifactNet, load_detector, save_detector
from artifactnet.models.config import ArtifactNetConfig
from artifactnet.pipeline.evaluation.metrics import Estimate
from artifactnet.pipeline.experiments.ablations import (
    Evaluated,
    Outcome,
    Variant,
    outcome,
    variants,
    without_unet,
    write_outcomes,
)
from artifactnet.pipeline.training.config import TrainingConfig
from artifactnet.pipeline.training.corpus import Corpus, Excerpt

HOUR = 44_100 * 3600


def small(folder: Path) -> Path:
    shape = ArtifactNetConfig(unet_channels=(4, 6), classifier_channels=(4, 4, 4, 4, 4))
    save_detector(ArtifactNet(shape).eval(), folder / "unet.safetensors")
    return folder / "unet.safetensors"


def base(folder: Path) -> TrainingConfig:
    codecs = tuple(Path(f"{name}.safetensors") for name in "abcdefgh")
    return TrainingConfig(
        manifest=Path("m"), codecs=codecs, output=Path("o"), run=Path("r"), cache=Path("c"),
        unet=str(small(folder)), pairs_used=1000, classifier_steps=7,
    )  # fmt: skip


@pytest.fixture
def found(tmp_path: Path) -> dict[str, Variant]:
    excerpts = tuple(
        Excerpt(name, "real", "real", name, "piece" if name == "w" else None, "train", 0, HOUR)
        for name in "pqrstuvw"
    )
    corpus = Corpus(excerpts, np.zeros(1, np.float16))
    return {one.name: one for one in variants(base(tmp_path), corpus, ("p",), tmp_path)}


def test_without_unet_the_residual_is_a_share_of_the_magnitude(tmp_path: Path) -> None:
    path = without_unet(small(tmp_path), tmp_path / "constant.safetensors")
    magnitude = torch.rand(1, 1025, 40)
    with torch.inference_mode():
        residual = load_detector(path).network.unet(magnitude)
    torch.testing.assert_close(residual, magnitude / 4)


def test_networks_differ_on_the_same_examples(found: dict[str, Variant]) -> None:
    whole = found["everything"].config
    assert whole.leave_out_sources == ("p",)
    assert found["without HPSS"].config == replace(whole, hpss_kernel=1)
    assert found["everything, another trial"].config == replace(whole, trial=1)
    joint = found["both networks together, from the first stage"].config
    assert (joint.classifier_steps, joint.joint_steps, joint.start_from_residual) == (0, 7, True)


def test_examples_differ_without_a_unet_that_knows_them(found: dict[str, Variant]) -> None:
    rows = [one for one in found.values() if one.group != "networks"]
    assert {Path(one.config.unet).name for one in rows} == {"constant.safetensors"}
    for group in ("examples", "decoders", "real hours"):
        learnt = {sum(one.config.learnt) for one in rows if one.group == group}
        assert len(learnt) == 1
    assert found["without pairs of either kind"].config.learnt == (0, 0, 232)
    assert found["4 decoders of our own"].config.leave_out_codecs == (*"efgh", "linear")
    bare = found["without codec augmentation, nor consistency"].config
    assert (bare.processed, bare.classifier_batch) == (False, 8)


def test_hours_fall_and_originals_of_pairs_stay(found: dict[str, Variant]) -> None:
    hours = {one.x: one.config for one in found.values() if one.group == "real hours"}
    assert sorted(hours) == [3, 4, 7]
    assert all("w" not in config.leave_out_sources for config in hours.values())


def test_outcome_is_set_against_the_first_of_its_group(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = ["ai"] * 40 + ["real"] * 40
    excerpts = tuple(
        Excerpt(f"t{n}", label, label, f"s{n % 2}", None, "train", 0, 1)
        for n, label in enumerate(labels)
    )
    is_ai = np.array(labels) == "ai"
    good = Evaluated(excerpts, np.stack([is_ai + rng.random(80)] * 2))
    chance = Evaluated(excerpts, rng.random((2, 80)))
    variant = Variant("chance", base(tmp_path), "examples")
    same = outcome(variant, good, good)
    assert same.auc == pytest.approx(1.0)
    assert same.difference == Estimate(0.0, 0.0, 0.0)
    worse = outcome(variant, chance, good)
    assert worse.difference.low < worse.difference.value < worse.difference.high < -0.2
    assert worse.auc == pytest.approx(0.5, abs=0.2)


def test_table_and_curves(tmp_path: Path) -> None:
    rows = [Outcome("everything", "networks", None, 0.9, 0.8, 0.7, Estimate(0, 0, 0), 0.5, 0.1)]
    for curve in ("decoders", "real hours"):
        rows += [
            Outcome(f"{x} {curve}", curve, x, 0.8, 0.7, 0.6, Estimate(-0.1, -0.2, 0.0), 0.4, 0.1)
            for x in (1, 2)
        ]
    write_outcomes(rows, tmp_path)
    text = (tmp_path / "ablations.md").read_text()
    assert "| everything | 0.900 | 0.800 | 0.700 | +0.000 [+0.00, +0.00] | 0.500 | 0.100 |" in text
    assert "| 1 decoders | 0.800 | 0.700 | 0.600 | -0.100 [-0.20, +0.00] |" in text
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
