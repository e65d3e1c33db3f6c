from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from artifactnet.models.artifactnet import load_detector
from artifactnet.models.config import ArtifactNetConfig
from artifactnet.models.statistics.forensic_statistics import GROUPS
from artifactnet.models.weights.weights_file import SHIPPED_WEIGHTS, model_id
from artifactnet.pipeline.evidence.explanations import CONDITIONS, explanations, judged
from artifactnet.pipeline.evidence.reference import (
    COLUMNS,
    MODEL_ID,
    Reference,
    load_reference,
    rate,
    reference_path,
)
from artifactnet.pipeline.evidence.words import GROUP_WORDS

CONFIG = ArtifactNetConfig(threshold_real=0.3, threshold_ai=0.8, threshold_ai_short=0.9)


def known(**columns: list) -> Reference:
    """A reference of human tracks, but for ``columns``."""
    count = len(next(iter(columns.values())))
    rows = {name: [0.0] * count for name in COLUMNS}
    rows |= {"label": ["real"] * count, "source": ["s"] * count, "segments": [7] * count}
    return Reference("id", pa.table(rows | columns))


def test_bounds_are_exact() -> None:
    assert rate(0, 100).upper == pytest.approx(1 - 0.05 ** (1 / 100))
    assert rate(0, 100).lower == 0.0
    assert rate(100, 100).lower == pytest.approx(0.05 ** (1 / 100))
    assert rate(100, 100).upper == 1.0
    assert rate(3, 1000).lower < 0.003 < rate(3, 1000).upper
    assert not rate(0, 29).enough


def test_a_score_is_measured_against_tracks_of_like_length() -> None:
    reference = known(p_ai=[0.1, 0.5, 0.9, 0.95], segments=[7, 7, 7, 2])
    assert reference.human_rate(0.9, short=False)[:2] == (1, 3)
    assert reference.human_rate(0.9, short=True)[:2] == (1, 1)


def test_a_condition_is_measured_on_the_nearest_human_tracks() -> None:
    """Fifty voices that are called ai, and songs with ever less of a voice that are not."""
    share = np.r_[np.full(50, 0.9), np.linspace(0.1, 0.0, 200)]
    reference = known(p_ai=[0.95] * 50 + [0.1] * 200, p_voice=list(share))
    assert reference.human_rate_near("p_voice", 0.9, True, CONFIG)[:2] == (50, 100)
    assert reference.human_rate_near("p_voice", 0.02, True, CONFIG)[:2] == (0, 90)
    assert reference.human_rate_near("p_voice", 0.95, True, CONFIG)[:2] == (0, 0)


def test_a_short_track_is_called_ai_by_its_own_threshold() -> None:
    reference = known(p_ai=[0.85] * 20, segments=[2] * 10 + [7] * 10, level_db=[-20.0] * 20)
    assert reference.human_rate_near("level_db", -20, False, CONFIG)[:2] == (10, 20)


def test_what_explains_and_what_does_not() -> None:
    assert judged(rate(0, 10)) == "cannot tell"
    assert judged(rate(0, 200)) == "does not explain"
    assert judged(rate(30, 60)) == "explains"
    assert judged(rate(3, 60)) == "cannot tell"


def test_explanations_of_a_voice_alone_and_of_one_channel() -> None:
    many = 100
    voices = [0.9] * 50 + [0.0] * 50
    reference = known(p_ai=[0.95] * 30 + [0.1] * (many - 30), p_voice=voices)
    facts = {"p_voice": 0.8, "channel_correlation": float("nan"), "bandwidth_hz": None}
    found = {one.name: one for one in explanations(facts, reference, CONFIG)}
    assert found["a voice alone"].says == "explains"
    assert "30 are called ai" in found["a voice alone"].why
    assert found["channels in antiphase"].says == "does not explain"
    assert found["narrow bandwidth, or a transcoded source"].says == "cannot tell"
    assert found["noise reduction"].says == "cannot tell"
    nothing = explanations({"p_voice": 0.8}, None, CONFIG)
    assert {one.says for one in nothing} == {"cannot tell", "does not explain"}


def test_the_shipped_reference_is_of_the_shipped_weights() -> None:
    reference = load_reference(None, model_id(SHIPPED_WEIGHTS))
    assert reference is not None
    config = load_detector().network.config
    human = reference.scores("real", short=False)
    assert len(human) >= 500
    assert reference.sources() >= 30
    called = (human >= config.threshold_ai).mean()
    assert called <= 0.01  # what the thresholds were set for
    assert np.median(reference.scores("ai", short=False)) > config.threshold_ai


def test_a_reference_of_another_model_is_none_and_a_broken_one_is_named(tmp_path: Path) -> None:
    weights = tmp_path / "w.safetensors"
    assert load_reference(weights, "x") is None
    table = known(p_ai=[0.1]).tracks.replace_schema_metadata({MODEL_ID: "other"})
    pq.write_table(table, reference_path(weights))
    assert load_reference(weights, "x") is None
    assert load_reference(weights, "other") is not None
    reference_path(weights).write_text("no table")
    with pytest.raises(ValueError, match=r"w\.reference\.parquet: no table of reference scores"):
        load_reference(weights, "other")


def test_every_group_has_words() -> None:
    assert set(GROUP_WORDS) == set(GROUPS)


def test_files_that_are_not_coded_lossily_have_no_bit_rate_to_compare() -> None:
    """Fifty FLAC files of few bits that are called ai say nothing of an MP3."""
    reference = known(
        p_ai=[0.95] * 50 + [0.1] * 50,
        bit_rate=[96.0] * 50 + [128.0] * 50,
        codec=["pcm_16"] * 50 + ["mp3"] * 50,
    )
    assert reference.human_rate_near("bit_rate", 128.0, False, CONFIG)[:2] == (0, 50)


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda one: one.fact)
def test_what_explains_a_score_is_downgraded_by_the_audit(condition) -> None:
    """Of the weights that ship, a voice alone explains scores, and the verdict heeds it.

    If another condition fails here, ``transforms/verdict.py`` must make such tracks uncertain too.
    """
    network, shipped, _ = load_detector(SHIPPED_WEIGHTS)
    reference = load_reference(None, shipped)
    assert reference is not None
    facts = reference.tracks[condition.fact].to_numpy(zero_copy_only=False).astype(float)
    values = np.nanquantile(facts[np.isfinite(facts)], np.linspace(0, 1, 41))
    explaining = [
        value
        for value in values
        if judged(reference.human_rate_near(condition.fact, value, condition.above, network.config))
        == "explains"
    ]
    if condition.fact == "p_voice":
        assert all(value >= 0.25 for value in explaining)
    else:
        assert not explaining
