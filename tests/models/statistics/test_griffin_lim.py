"""What knows phases found anew: how its word joins that of the others, and crafted files."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from artifactnet.models.statistics.forensic_statistics import FEATURE_NAMES
from artifactnet.models.statistics.griffin_lim import GriffinLimHead, either, parts_of_either
from artifactnet.models.statistics.head import StatisticsHead
from artifactnet.pipeline.training.statistics.learning.boosting import BoostingConfig
from artifactnet.pipeline.training.statistics.learning.heads import (
    BANDS,
    LAYOUT,
    HeadConfig,
    Levels,
    fit_head,
    with_typical,
)
from artifactnet.pipeline.training.statistics.learning.networks import (
    BandConfig,
    BandShape,
    Learning,
    Lesson,
    fit_band_network,
)

logits = st.floats(-30, 30, width=32)
parts = arrays(np.float64, (3, 4), elements=st.floats(-20, 20, width=32))
ALL = len(FEATURE_NAMES)
SMALL = BandConfig(
    BandShape(networks=1, band_width=8, depth=8, width=8), Learning(epochs=8, batch=64)
)


@pytest.fixture(scope="module")
def learnt() -> tuple[StatisticsHead, np.ndarray, np.ndarray]:
    """A head, statistics, and what is wrong with them: 0 nothing, 1 a decoder, 2 phases."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((600, ALL)).astype(np.float32)
    what = rng.integers(0, 3, 600)
    x[what == 1, :200] += 1
    x[what == 2, :200] -= 1  # further from the decoder than people's music
    x[what == 2, 200:400] += 1
    config = HeadConfig(BoostingConfig(max_iter=20, bags=1), None, None)
    of_decoder = what != 2
    head = fit_head(
        Levels.of(x), of_decoder, what == 1, np.ones(of_decoder.sum()), config, layout=None
    )
    chosen = what != 1
    lesson = Lesson(x[chosen], what[chosen] == 2, np.ones(chosen.sum()), BANDS)
    anew = GriffinLimHead(fit_band_network(lesson, LAYOUT, SMALL))
    return StatisticsHead(head.trees, griffin_lim=anew), x, what


@given(logits, logits)
def test_either_is_as_sure_as_the_surer_and_symmetric(one: float, other: float) -> None:
    said = either(np.array([one]), np.array([other]))[0]
    assert max(one, other) <= said <= max(one, other) + np.log(2) + 1e-9
    assert said == either(np.array([other]), np.array([one]))[0]


@given(logits, parts, logits, parts)
def test_contributions_of_either_add_up(
    begin: float, moved: np.ndarray, other_begin: float, other_moved: np.ndarray
) -> None:
    start, found = parts_of_either((begin, moved), (other_begin, other_moved))
    want = either(begin + moved.sum(axis=1), other_begin + other_moved.sum(axis=1))
    np.testing.assert_allclose(start + found.sum(axis=1), want, atol=1e-4)
    # A statistic that moves both alike moves the sum alike.
    same = np.isclose(moved, other_moved)
    np.testing.assert_allclose(found[same], moved[same], atol=1e-4)


def test_a_logit_that_never_speaks_changes_nothing() -> None:
    moved = np.array([[1.0, -2.0, 0.5]])
    start, found = parts_of_either((0.3, moved), (-60.0, np.zeros((1, 3))))
    assert start == pytest.approx(0.3)
    np.testing.assert_allclose(found, moved, atol=1e-6)


def test_a_head_finds_what_either_finds(learnt) -> None:
    head, x, what = learnt
    alone = StatisticsHead(head.trees)
    assert (alone.logit(x[what == 2]) < alone.logit(x[what == 0]).mean()).mean() > 0.8
    found = head.logit(x)
    people = np.quantile(found[what == 0], 0.95)
    for one in (1, 2):
        assert (found[what == one] > people).mean() > 0.9


def test_contributions_add_up_with_and_without_what_is_typical(learnt) -> None:
    head, x, what = learnt
    human = x[what == 0]
    typical = with_typical(head, human, np.ones(len(human)), np.arange(len(human)), most=200)
    for one in (head, typical):
        start, found = one.contributions(x[:60])
        np.testing.assert_allclose(start + found.sum(axis=1), one.logit(x[:60]), atol=1e-3)
    _, found = typical.contributions(x[what == 2][:40])
    by_cause = found.mean(axis=0)  # what is noise cancels
    assert by_cause[200:400].sum() > 3 * abs(by_cause[400:].sum())


def test_what_is_heard_together_is_so_by_these_networks_too(learnt) -> None:
    head, x, what = learnt
    heard = replace(head, together=0.5)
    human = np.flatnonzero(what == 0)
    pairs = np.arange(len(human)) // 2
    typical = with_typical(heard, x[human], np.ones(len(human)), pairs, most=100)
    same = np.arange(60) // 3
    by_phases = heard.logits(x[:60], same)[:, -1]
    assert abs(by_phases - heard.logits(x[:60])[:, -1]).max() > 1e-3
    assert by_phases.reshape(-1, 3).std(axis=1).mean() < (
        heard.logits(x[:60])[:, -1].reshape(-1, 3).std(axis=1).mean()
    )
    for one in (heard, typical):
        start, found = one.contributions(x[:60], same)
        np.testing.assert_allclose(start + found.sum(axis=1), one.logit(x[:60], same), atol=1e-3)
    start, _ = typical.contributions(x[:1])
    alone = with_typical(head, x[human], np.ones(len(human)), pairs, most=100)
    assert abs(start - alone.contributions(x[:1])[0]) > 1e-4


def test_arrays_go_out_and_come_back(learnt) -> None:
    head, x, what = learnt
    head = with_typical(
        head, x[what == 0], np.ones((what == 0).sum()), np.arange((what == 0).sum()), most=100
    )
    once = StatisticsHead.from_tensors(head.to_tensors())
    np.testing.assert_allclose(once.logit(x), head.logit(x), atol=0.02)
    again = StatisticsHead.from_tensors(once.to_tensors())
    np.testing.assert_array_equal(once.logit(x), again.logit(x))
    assert once.griffin_lim is not None
    assert once.griffin_lim.margin == head.griffin_lim.margin
    np.testing.assert_array_equal(once.griffin_lim.typical, head.griffin_lim.typical)


@pytest.mark.parametrize(
    ("name", "broken", "complaint"),
    [
        ("margin", None, "griffin_lim: margin must be one float32"),
        ("margin", np.zeros(2, np.float32), "griffin_lim: margin must be one float32"),
        ("margin", np.ones(1, np.complex64), "griffin_lim: margin must be one float32"),
        ("margin", np.full(1, -101, np.float32), "griffin_lim: margin must be one float32"),
        ("a\nb", np.zeros(1, np.float32), r"griffin_lim: 'a\\nb' is not expected"),
        ("margin", np.full(1, np.nan, np.float32), "griffin_lim: margin must be one float32"),
        ("typical", np.zeros(3, np.float32), f"griffin_lim: typical must be {ALL} finite"),
        ("typical", np.full(ALL, np.inf, np.float32), "griffin_lim: typical must be"),
        ("extra", np.zeros(1, np.float32), "griffin_lim: 'extra' is not expected"),
        ("network.cells", None, "griffin_lim: band network: unusable shapes"),
        ("network.scale", np.zeros(ALL, np.float32), "griffin_lim: band network: scale must be"),
    ],
)
def test_a_crafted_file_is_refused_by_name(
    learnt, name: str, broken: np.ndarray | None, complaint: str
) -> None:
    tensors = learnt[0].to_tensors()
    tensors.pop("griffin_lim." + name, None)
    if broken is not None:
        tensors["griffin_lim." + name] = broken
    with pytest.raises(ValueError, match=complaint):
        StatisticsHead.from_tensors(tensors)


def test_networks_of_other_statistics_are_refused(learnt) -> None:
    head, x, what = learnt
    few = fit_head(
        Levels.of(x[:, :20]), what < 2, what == 1, np.ones((what < 2).sum()),
        HeadConfig(BoostingConfig(max_iter=3, bags=1), None, None),
    )  # fmt: skip
    tensors = StatisticsHead(few.trees, griffin_lim=head.griffin_lim).to_tensors()
    with pytest.raises(ValueError, match=f"griffin_lim: reads {ALL} statistics, the trees 20"):
        StatisticsHead.from_tensors(tensors)
