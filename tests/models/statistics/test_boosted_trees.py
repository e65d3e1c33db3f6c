"""Trees as arrays: what they say, who said it, and what a crafted file can't do."""

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from artifactnet.models.statistics.boosted_trees import BoostedTrees
from artifactnet.pipeline.training.statistics.learning.boosting import (
    BoostingConfig,
    bin_edges,
    binned,
    fit_boostings,
    trees_of,
)

Grown = tuple[BoostedTrees, np.ndarray, list[HistGradientBoostingClassifier], np.ndarray]


@pytest.fixture(scope="module")
def grown() -> Grown:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1500, 40)).astype(np.float32)
    x[rng.random(x.shape) < 0.2] = np.nan
    x[:, 3] = np.where(rng.random(len(x)) < 0.5, np.nan, x[:, 3])
    x[:, 5] = np.nan
    y = (np.nan_to_num(x[:, 0]) + np.isnan(x[:, 3]) + np.nan_to_num(x[:, 1] * x[:, 2])) > 0.5
    edges = bin_edges(x)
    levels = binned(x, edges)
    models = fit_boostings(levels, y, np.ones(len(x)), BoostingConfig(max_iter=60), 0)
    return trees_of(models, edges), x, models, levels


def test_equals_scikit_learn(grown: Grown) -> None:
    trees, x, models, levels = grown
    wanted = np.mean([model.decision_function(levels) for model in models], axis=0)
    np.testing.assert_allclose(trees.logit(x), wanted, atol=1e-5)
    assert ((trees.logit(x) > 0) == (wanted > 0)).all()
    assert trees.trees == 120


def test_contributions_add_up_to_the_logit(grown: Grown) -> None:
    trees, x, _, _ = grown
    parts = trees.contributions(x)
    assert parts.shape == x.shape
    np.testing.assert_allclose(trees.expected + parts.sum(axis=1), trees.logit(x), atol=1e-5)
    weight = np.abs(parts).mean(axis=0)
    assert set(np.argsort(weight)[-2:]) == {0, 3}
    assert not parts[:, 5].any()


def test_arrays_go_out_and_come_back(grown: Grown) -> None:
    trees, x, _, _ = grown
    again = BoostedTrees.from_tensors(trees.to_tensors())
    np.testing.assert_array_equal(again.logit(x), trees.logit(x))


@pytest.mark.parametrize(
    ("name", "index", "bad"),
    [
        ("left", 0, 0), ("left", 0, 10**6), ("right", 0, -5), ("feature", 0, 200),
        ("feature", 0, -2), ("value", 0, np.nan), ("threshold", 0, np.nan), ("roots", 1, 0),
        ("missing_left", 0, 2), ("features", 0, 0), ("baseline", 0, np.inf),
    ],
)  # fmt: skip
def test_a_crafted_file_is_refused_by_name(grown: Grown, name: str, index: int, bad: float) -> None:
    tensors = grown[0].to_tensors()
    tensors[name][index] = bad
    with pytest.raises(ValueError, match=name):
        BoostedTrees.from_tensors(tensors)


def test_misshapen_tensors_are_refused(grown: Grown) -> None:
    tensors = grown[0].to_tensors()
    for name in tensors:
        for broken in (
            {k: v for k, v in tensors.items() if k != name},
            {**tensors, name: tensors[name][:0]},
            {**tensors, name: tensors[name].astype(np.int64)},
            {**tensors, name: tensors[name][:, None]},
        ):
            with pytest.raises(ValueError, match="boosted trees"):
                BoostedTrees.from_tensors(broken)
    with pytest.raises(ValueError, match="40"):
        grown[0].logit(np.zeros((2, 39), np.float32))
