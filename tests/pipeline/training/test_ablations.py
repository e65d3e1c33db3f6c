"""Variants differ in what they say they differ in; outcomes are written as a table and curves."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from models.artifactnet import ArtifactNet, load_detector, save_detector
from models.config import ArtifactNetConfig
from pipeline.training.ablations import Outcome, _write, variants, without_unet
from pipeline.training.corpus import Corpus, Excerpt
from pipeline.training.training_config import TrainingConfig


def small(folder: Path) -> Path:
    shape = ArtifactNetConfig(unet_channels=(4, 6), classifier_channels=(4, 4, 4, 4, 4))
    save_detector(ArtifactNet(shape).eval(), folder / "unet.safetensors")
    return folder / "unet.safetensors"


def test_without_unet_the_residual_is_a_share_of_the_magnitude(tmp_path: Path) -> None:
    path = without_unet(small(tmp_path), tmp_path / "constant.safetensors")
    magnitude = torch.rand(1, 1025, 40)
    with torch.inference_mode():
        residual = load_detector(path).network.unet(magnitude)
    torch.testing.assert_close(residual, magnitude / 4)


def test_each_variant_changes_one_thing(tmp_path: Path) -> None:
    codecs = tuple(Path(f"{name}.safetensors") for name in "abcdefgh")
    base = TrainingConfig(
        manifest=Path("m"), codecs=codecs, output=Path("o"), run=Path("r"), cache=Path("c"),
        unet=str(small(tmp_path)), couples_used=10,
    )  # fmt: skip
    excerpts = tuple(
        Excerpt(name, "real", "real", name, None, "train", 0, 44_100 * 3600) for name in "pqrstuvw"
    )
    corpus = Corpus(excerpts, np.zeros(1, np.float16))
    found = {one.name: one for one in variants(base, corpus, ("p",), tmp_path)}
    whole = found["everything"].config
    assert whole.leave_out_sources == ("p",)
    assert found["without pairs"].config == replace(whole, pairs=False)
    assert found["without HPSS"].config == replace(whole, hpss_kernel=1)
    assert found["3 decoders of our own"].config.leave_out_codecs == (*"defgh", "linear")
    hours = sorted(one.x for one in found.values() if one.curve == "genuine hours")
    assert hours == [2, 4, 7]


def test_table_and_curves(tmp_path: Path) -> None:
    outcomes = [Outcome("everything", 0.9, 0.8, 0.7, 0.5, 0.1)]
    for curve in ("decoders", "genuine hours"):
        outcomes += [Outcome(f"{x} {curve}", 0.8, 0.7, 0.6, 0.4, 0.1, curve, x) for x in (1, 2)]
    _write(outcomes, tmp_path)
    assert (
        "| everything | 0.900 | 0.800 | 0.700 | 0.500 | 0.100 |"
        in (tmp_path / "ablations.md").read_text()
    )
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
