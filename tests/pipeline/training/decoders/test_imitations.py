"""Imitations of decoders: of one length, repeatable, near the original and not the original."""

from itertools import pairwise

import numpy as np
import pytest

from artifactnet.pipeline.training.decoders.imitations import IMITATIONS, Imitation
from tests.conftest import music

RATE = 22_050


def band_levels(audio: np.ndarray) -> np.ndarray:
    """dB in eight bands of equal width up to 8 kHz."""
    power = np.square(np.abs(np.fft.rfft(audio)))
    hz = np.fft.rfftfreq(len(audio), 1 / RATE)
    edges = np.linspace(0, 8000, 9)
    return 10 * np.log10([power[(hz >= low) & (hz < high)].sum() for low, high in pairwise(edges)])


@pytest.mark.parametrize("imitation", IMITATIONS)
def test_an_imitation_is_near_and_not_the_same(imitation: Imitation) -> None:
    audio = 0.5 * music(3.0, RATE)[:, 0]
    for seed in range(6):
        fake = imitation(audio, RATE, np.random.default_rng(seed))
        assert fake.shape == audio.shape
        assert np.isfinite(fake).all()
        assert np.abs(fake - audio).max() > 1e-4
        assert np.abs(band_levels(fake) - band_levels(audio))[0] < 3  # where nearly all sound is
        assert np.corrcoef(band_levels(fake), band_levels(audio))[0, 1] > 0.9
        again = imitation(audio, RATE, np.random.default_rng(seed))
        np.testing.assert_array_equal(fake, again)


def test_kinds_differ() -> None:
    audio = 0.5 * music(3.0, RATE)[:, 0]
    made = [imitation(audio, RATE, np.random.default_rng(0)) for imitation in IMITATIONS]
    for number, one in enumerate(made):
        for other in made[number + 1 :]:
            assert np.abs(one - other).max() > 1e-3
