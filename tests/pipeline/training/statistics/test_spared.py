import numpy as np
import pandas as pd

from artifactnet.pipeline.training.statistics.spared import reasons


def test_a_narrow_band_comes_first_and_nothing_known_spares_nobody() -> None:
    p_voice = pd.Series([0.1, 0.9, 0.9, np.nan, 0.5], list("abcde"))
    measured = pd.Series([0.9, 0.9, 0.2, np.nan, 0.9], list("abcde"))
    found = reasons(p_voice, measured, 0.5)
    assert list(found) == ["", "voice alone", "narrow band", "", "voice alone"]
    assert list(found.index) == list("abcde")
