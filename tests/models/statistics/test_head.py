"""Trees and networks mixed: what they say, who said it, and what a crafted file can't do."""

import numpy as np
import pytest
import torch

from artifactnet.models.artifactnet import load_detector
from artifactnet.models.statistics.band_network import BandShape
from artifactnet.models.statistics.head import StatisticsHead
from artifactnet.models.statistics.network import StatisticsNetwork
from artifactnet.models.weights.weights_file import SHIPPED_WEIGHTS
from artifactnet.pipeline.training.statistics.learning.boosting import BoostingConfig
from artifactnet.pipeline.training.statistics.learning.heads import (
    MISSING_DOUBT,
    HeadConfig,
    Levels,
    fit_head,
    parsed_config,
    with_typical,
)
from artifactnet.pipeline.training.statistics.learning.networks import (
    BandConfig,
    Learning,
    Lesson,
    NetworkConfig,
    fit_network,
    partners,
)

CONFIG = HeadConfig(
    BoostingConfig(max_iter=30, bags=1),
    NetworkConfig(2, 24, learning=Learning(input_dropout=0.0, epochs=30, batch=64, blend=0.0)),
)
Learnt = tuple[StatisticsHead, np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def learnt() -> Learnt:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1200, 30)).astype(np.float32) * 10.0 ** rng.uniform(-3, 3, 30)
    x = x.astype(np.float32)
    unit = x / x.std(axis=0)
    y = unit[:, 0] + unit[:, 1] - unit[:, 2] > 0
    x[rng.random(x.shape) < 0.1] = np.nan
    x[:, 7] = np.nan
    return fit_head(Levels.of(x), np.ones(len(x), bool), y, np.ones(len(x)), CONFIG), x, y


def test_both_learn_and_are_mixed(learnt: Learnt) -> None:
    head, x, y = learnt
    trees = head.trees.logit(x)
    with torch.inference_mode():
        network = head.network(head.network.inputs(torch.from_numpy(x))).numpy()
    for one in (trees, network):
        assert ((one > 0) == y).mean() > 0.85
    np.testing.assert_allclose(
        head.logit(x), head.mix[0] * trees + head.mix[1] * network, atol=1e-4
    )


def test_contributions_add_up_to_the_logit(learnt: Learnt) -> None:
    head, x, _ = learnt
    start, parts = head.contributions(x)
    np.testing.assert_allclose(start + parts.sum(axis=1), head.logit(x), atol=1e-4)
    assert set(np.argsort(np.abs(parts).mean(axis=0))[-3:]) == {0, 1, 2}


def test_networks_do_not_depend_on_the_batch(learnt: Learnt) -> None:
    head, x, _ = learnt
    alone = np.concatenate([head.logit(row[None]) for row in x[:20]])
    np.testing.assert_allclose(alone, head.logit(x)[:20], atol=1e-5)


def test_no_statistic_decides_alone_however_odd(learnt: Learnt) -> None:
    head, x, _ = learnt
    odd = x[:1].repeat(3, axis=0)
    odd[0, 5], odd[1, 5], odd[2, 5] = 1e30, np.inf, -np.inf
    assert np.isfinite(head.logit(odd)).all()


def test_arrays_go_out_and_come_back(learnt: Learnt) -> None:
    head, x, _ = learnt
    once = StatisticsHead.from_tensors(head.to_tensors())
    np.testing.assert_allclose(once.logit(x), head.logit(x), atol=0.02)
    again = StatisticsHead.from_tensors(once.to_tensors())
    np.testing.assert_array_equal(once.logit(x), again.logit(x))
    assert again.missing_doubt == head.missing_doubt == MISSING_DOUBT
    older = {name: one for name, one in head.to_tensors().items() if name != "missing_doubt"}
    assert StatisticsHead.from_tensors(older).missing_doubt == 0


def test_trees_alone_are_a_head(learnt: Learnt) -> None:
    head, x, y = learnt
    alone = StatisticsHead.from_tensors(head.trees.to_tensors())
    np.testing.assert_array_equal(alone.logit(x), head.trees.logit(x))
    config = HeadConfig(BoostingConfig(max_iter=5, bags=1), None, None)
    fitted = fit_head(Levels.of(x), np.ones(len(x), bool), y, np.ones(len(x)), config)
    again = StatisticsHead.from_tensors(fitted.to_tensors())
    np.testing.assert_array_equal(again.logit(x), fitted.logit(x))


@pytest.mark.parametrize(
    ("name", "broken", "complaint"),
    [
        ("network.center", np.zeros(3, np.float32), "hidden.0.linear.weight"),
        ("network.scale", np.zeros(30, np.float32), "scale must be positive"),
        ("network.output.bias", np.full((2, 1, 1), np.nan, np.float32), "must be finite"),
        ("network.hidden.0.linear.weight", np.zeros((2, 30), np.float16), "unusable shapes"),
        ("network.hidden.0.linear.weight", np.zeros((0, 54, 8), np.float16), "unusable shapes"),
        ("network.hidden.0.gain", np.full((2, 1, 24), 9e11, np.float32), "gain must be finite"),
        ("network.flagged", np.zeros(1, np.uint16), "flagged is torch.uint16"),
        ("network.flagged", np.zeros(31, np.int64), "more flags than statistics"),
        ("network.center", np.zeros(0, np.float32), "more flags than statistics"),
        ("network.scale", np.full(30, 1e-300), "scale is torch.float64"),
        ("mix", np.full(2, 1e30, np.float32), "mix must be from 0 to 100"),
        ("mix", np.ones(2, np.complex64), "mix must be from 0 to 100"),
        ("mix", np.array([-0.5, 0.4], np.float32), "mix must be from 0 to 100"),
        ("mix", np.array([np.nan, 0.4], np.float32), "mix must be from 0 to 100"),
        ("missing_doubt", np.zeros(2, np.float32), "missing_doubt must be one number from 0 to 1"),
        ("missing_doubt", np.full(1, 1.5, np.float32), "missing_doubt must be one number"),
        ("missing_doubt", np.ones(1, np.complex64), "missing_doubt must be one number"),
        ("missing_doubt", np.full(1, np.nan, np.float32), "missing_doubt must be one number"),
        ("typical", np.zeros(3, np.float32), "typical must be 30 finite numbers"),
        ("typical", np.full(30, np.nan, np.float32), "typical must be 30 finite numbers"),
        ("value", np.full(1, 1e30), "boosted trees"),
        ("network.hidden.1.gain", None, "gain is missing"),
        ("network.extra", np.zeros(1, np.float32), "'extra' is not expected"),
        ("mix", np.zeros(3, np.float32), "mix has 3 numbers for trees and 1 kinds"),
        ("mix", None, "mix has 0 numbers for trees and 1 kinds"),
    ],
)
def test_a_crafted_file_is_refused_by_name(
    learnt: Learnt, name: str, broken: np.ndarray | None, complaint: str
) -> None:
    tensors = learnt[0].to_tensors()
    tensors.pop(name, None)
    if broken is not None:
        tensors[name] = broken
    with pytest.raises(ValueError, match=complaint):
        StatisticsHead.from_tensors(tensors)


def test_flagged_out_of_bounds_is_refused() -> None:
    arrays = StatisticsNetwork(5, 1, networks=1, width=4, layers=1).to_arrays()
    arrays["flagged"] = np.array([5])
    with pytest.raises(ValueError, match="flagged is out of bounds"):
        StatisticsNetwork.from_arrays(arrays)


def test_fitting_is_repeatable(learnt: Learnt) -> None:
    _, x, y = learnt
    config = NetworkConfig(networks=1, width=8, learning=Learning(epochs=2))
    lesson = Lesson(x, y, np.ones(len(x)), np.array([0]))
    one, two = (fit_network(lesson, config, seed=3) for _ in range(2))
    with torch.inference_mode():
        inputs = one.inputs(torch.from_numpy(x))
        assert torch.equal(one(inputs), two(inputs))


def test_settings_are_parsed() -> None:
    config = parsed_config(
        [
            "max_iter=20",
            "learning_rate=.5",
            "dense.width=8",
            "dense.dropout=.1",
            "band.depth=9",
            "band.noise=0",
        ]
    )
    assert config.boosting == BoostingConfig(max_iter=20, learning_rate=0.5)
    assert config.network == NetworkConfig(width=8, learning=Learning(dropout=0.1))
    assert config.band_network == BandConfig(BandShape(depth=9), Learning(noise=0.0))
    assert parsed_config(["dense.networks=0"]).network is None
    assert parsed_config(["band.networks=0"]).band_network is None
    with pytest.raises(ValueError, match="--set wdth=8: use one of"):
        parsed_config(["wdth=8"])
    with pytest.raises(ValueError, match="--set epochs=x: not a number"):
        parsed_config(["dense.epochs=x"])
    with pytest.raises(ValueError, match="--set bags=-1: use a number of type int"):
        parsed_config(["bags=-1"])
    with pytest.raises(ValueError, match=r"--set band.wdth=8: use one of .*band\.width"):
        parsed_config(["band.wdth=8"])


def test_partners_are_of_the_same_class() -> None:
    torch.manual_seed(0)
    labels = torch.rand(3, 40) < 0.3
    found = partners(labels)
    assert torch.equal(torch.gather(labels, 1, found), labels)
    for row in found:
        assert row.unique().numel() == 40
    assert (found == torch.arange(40)).float().mean() < 0.2


def test_a_score_is_accounted_for_from_where_music_by_people_lies(learnt: Learnt) -> None:
    head, x, y = learnt
    typical = with_typical(head, x[~y], np.ones((~y).sum()), np.arange((~y).sum()), most=400)
    start, parts = typical.contributions(x)
    np.testing.assert_allclose(start + parts.sum(axis=1), head.logit(x), atol=1e-4)
    # What people made adds nothing on average, and the start is what it scores.
    assert abs(parts[~y].sum(axis=1).mean()) < 0.1 * parts[y].sum(axis=1).mean()
    assert start == pytest.approx(head.logit(x[~y]).mean(), abs=0.2)
    again = StatisticsHead.from_tensors(typical.to_tensors())
    assert again.contributions(x[:5])[0] == pytest.approx(start, abs=0.02)


def test_what_ships_starts_where_nothing_is_found() -> None:
    network, _, head = load_detector(SHIPPED_WEIGHTS)
    assert head is not None
    rng = np.random.default_rng(0)
    start, _ = head.contributions(rng.random((1, head.features), dtype=np.float32))
    assert 1 / (1 + np.exp(-start)) < network.config.threshold_real
