"""A section of resynthesised crops: matched halves, what is stored, where a run goes on."""

from pathlib import Path

import numpy as np
import pytest

from artifactnet.pipeline.training.statistics.bank import shards
from artifactnet.pipeline.training.statistics.resynthesised.imitated import halves
from artifactnet.pipeline.training.statistics.resynthesised.inverted import halves as inverted
from artifactnet.pipeline.training.statistics.resynthesised.section import (
    Halves,
    fill_section,
    levelled,
    rms,
)
from artifactnet.pipeline.training.statistics.tracks import Item
from tests.conftest import music


def item(path: Path) -> Item:
    return Item(path.stem, str(path), "full", "real", "real", "band", "", "", "")


def test_both_halves_are_of_one_level_and_do_not_clip() -> None:
    real = 0.9 * music(3.0, 22_050)[:, 0]
    loud = np.where(np.arange(len(real)) % 1000 == 0, 9, real / 5).astype(np.float32) + 0.1
    made = levelled(real, loud, 22_050, "spikes")
    assert rms(made.fake) == pytest.approx(rms(made.real), rel=1e-3)
    assert max(np.abs(made.real).max(), np.abs(made.fake).max()) <= 1
    assert made.fake.mean() == pytest.approx(0, abs=1e-4)


def test_an_imitation_says_of_what_kind_it_is() -> None:
    audio = 0.5 * music(3.0, 22_050)[:, 0]
    made = [halves(audio, 22_050, np.random.default_rng(seed)) for seed in range(12)]
    kinds = {f"imitation-{kind}" for kind in ("linear", "mel", "components", "noise")}
    assert {one.generator for one in made} == kinds
    assert all(one.real.shape == one.fake.shape == audio.shape for one in made)


def test_a_crop_with_phases_found_anew_is_of_its_originals_level() -> None:
    audio = 0.5 * music(3.0, 22_050)[:, 0]
    for seed in range(4):
        made = inverted(audio, 22_050, np.random.default_rng(seed))
        assert made.generator == "griffin-lim"
        assert made.real.shape == made.fake.shape
        assert rms(made.fake) == pytest.approx(rms(made.real), rel=0.05)


def test_a_section_holds_both_halves_and_goes_on(wav, tmp_path: Path) -> None:
    asked = []

    def backwards(audio: np.ndarray, sample_rate: int, rng: np.random.Generator) -> Halves:
        asked.append(rng.random())
        return levelled(audio, audio[::-1].copy(), sample_rate, "backwards")

    tracks = [item(wav(f"{name}.wav", 6.0)) for name in ("one", "two")]
    short = item(wav("short.wav", 1.0))
    (tmp_path / "broken.wav").write_bytes(b"no sound")
    broken = item(tmp_path / "broken.wav")
    folder = tmp_path / "bank" / "section"
    fill_section(folder, [tracks[0], short, broken], backwards, "salt")
    fill_section(folder, [*tracks, short, broken], backwards, "salt")
    assert len(asked) == 2  # the first track is not made again
    rows = [row for _, table in shards(folder) for row in table]
    found = [(row["track_id"], row["label"], row["kind"], row["generator"]) for row in rows]
    assert found == [
        (name, *of)
        for name in ("one", "two")
        for of in (("ai", "codec", "backwards"), ("real", "real", ""))
    ]
    features = np.concatenate([block for block, _ in shards(folder)])
    assert np.isfinite(features).mean() > 0.3
