import json
from pathlib import Path

import numpy as np
import pytest

from artifactnet.models.artifactnet import load_detector
from artifactnet.pipeline.training.distillation.bank_sound import BankSound
from artifactnet.pipeline.training.distillation.distil import STEM, main, mask_distance
from tests.conftest import music

SAMPLES = 132_300


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    folder = tmp_path / "bank" / "train"
    folder.mkdir(parents=True)
    crop = (music(3)[:, 0] * 30_000).astype(np.int16)
    for shard, count in enumerate((2, 3)):
        rows = [
            {
                "track_id": f"t{shard}{n}", "label": "ai" if n % 2 else "real",
                "kind": "ai" if n % 2 else "real", "source": f"s{n}", "generator": "",
                "sample_rate": 44_100, "path": "", "part": "full", "pair": "", "origin": "",
            }
            for n in range(count)
        ]  # fmt: skip
        sound = np.stack([crop // (1 + n + 10 * shard) for n in range(count)])
        np.save(folder / f"0-{shard}.audio.npy", sound)
        texts = np.array([json.dumps(row) for row in rows])
        np.savez(folder / f"0-{shard}.npz", features=np.zeros((count, 1)), rows=texts)
    return tmp_path / "bank"


def test_crops_and_their_rows_stay_together(bank: Path) -> None:
    sound = BankSound(bank)
    assert len(sound) == len(sound.table) == 5
    assert list(sound.table.track_id) == ["t00", "t01", "t10", "t11", "t12"]
    peaks = np.abs(sound.crops(np.arange(5))).max(axis=1)
    np.testing.assert_allclose(peaks / peaks[0], [1, 1 / 2, 1 / 11, 1 / 12, 1 / 13], rtol=0.01)


def test_a_bank_without_sound_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="fill the section train with --audio"):
        BankSound(tmp_path)


def test_a_mask_is_no_distance_from_itself() -> None:
    import torch

    mask = torch.rand(2, 8, 8) / 2
    assert mask_distance(mask, mask) == 0
    assert mask_distance(mask, mask / 2) > mask_distance(mask, mask * 0.9) > 0


def test_a_cheaper_detector_comes_out_and_a_killed_run_goes_on(
    bank: Path, tmp_path: Path, tiny_weights: Path
) -> None:
    run, out = tmp_path / "run", tmp_path / "small.safetensors"
    common = {"weights": tiny_weights, "batch": 2, "checkpoint_steps": 1}
    main(bank, out, run, unet_steps=2, classifier_steps=2, **common)
    made = load_detector(out).network
    assert made.config.unet_stem == STEM
    again = tmp_path / "again.safetensors"
    main(bank, again, run, unet_steps=2, classifier_steps=2, **common)  # nothing left to do
    np.testing.assert_array_equal(
        made.classifier.head.weight.detach(),
        load_detector(again).network.classifier.head.weight.detach(),
    )
