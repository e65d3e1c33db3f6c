"""The hardest real halves are found, kept, and drawn three times."""

from collections import Counter
from pathlib import Path

import numpy as np
import torch

from artifactnet.models.artifactnet import ArtifactNet
from artifactnet.models.config import ArtifactNetConfig
from artifactnet.pipeline.training.hard_mining import real_scores, with_hardest
from artifactnet.pipeline.training.pair_cache import FULL_SCALE, PairCache
from artifactnet.pipeline.training.pairs import Origin


def network() -> ArtifactNet:
    torch.manual_seed(0)
    shape = ArtifactNetConfig(unet_channels=(4, 6), classifier_channels=(4, 4, 4, 4, 4))
    return ArtifactNet(shape).eval()


def bank(pairs: int) -> PairCache:
    rng = np.random.default_rng(0)
    crops = rng.integers(-9000, 9000, (pairs, 2, 2, 22_050), np.int16)
    return PairCache(crops, (Origin("ours", ("game",)),) * pairs)


def test_scores_are_those_of_the_real_half(tmp_path: Path) -> None:
    chosen = np.array([4, 1, 2])
    examples = bank(5)
    scores = real_scores(network(), examples, chosen, tmp_path / "run" / "mined.npy")
    audio = torch.from_numpy(examples.crops[chosen, 0, 0].astype(np.float32)) / FULL_SCALE
    with torch.inference_mode():
        expected = torch.sigmoid(network()(audio).logit).numpy()
    np.testing.assert_allclose(scores, expected, atol=0.02)  # bfloat16 in training


def test_scores_are_read_again_unless_the_pairs_changed(tmp_path: Path) -> None:
    path = tmp_path / "mined.npy"
    np.save(path, np.array([0.5, 0.25], np.float32))
    again = real_scores(network(), bank(3), np.array([0, 2]), path)
    np.testing.assert_array_equal(again, [0.5, 0.25])
    assert len(real_scores(network(), bank(3), np.array([0, 1, 2]), path)) == 3
    assert len(np.load(path)) == 3


def test_the_hardest_come_three_times() -> None:
    scores = np.array([0.1, 0.9, 0.2, 0.8], np.float32)
    found = Counter(with_hardest(np.array([7, 8, 9, 10]), scores, 0.5).tolist())
    assert found == {7: 1, 8: 3, 9: 1, 10: 3}
    assert len(with_hardest(np.array([7, 8]), scores[:2], 0.0)) == 2
