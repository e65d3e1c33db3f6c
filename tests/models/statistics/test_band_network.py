"""Networks that share weights over bands, and which statistic belongs to which band."""

import numpy as np
import pytest
import torch

from artifactnet.models.statistics.band_layout import BandLayout, band_layout
from artifactnet.models.statistics.band_network import PATH_POINTS, BandNetwork, BandShape
from artifactnet.models.statistics.forensic_statistics import FEATURE_NAMES, FINE_EDGES
from artifactnet.models.statistics.head import StatisticsHead, joined
from artifactnet.models.statistics.parallel import midpoints
from artifactnet.pipeline.training.statistics.learning.boosting import BoostingConfig
from artifactnet.pipeline.training.statistics.learning.heads import (
    BANDS,
    LAYOUT,
    TOGETHER,
    HeadConfig,
    Levels,
    fit_head,
)
from artifactnet.pipeline.training.statistics.learning.networks import (
    BandConfig,
    Learning,
    NetworkConfig,
)

SMALL = BandShape(networks=2, band_width=16, depth=8, neighbours=1, width=16)
TWELVE = BandLayout(np.arange(24).reshape(12, 2), np.array([24, 25]), 26)
"""Twelve bands of two statistics, and two that belong to none."""


def test_every_statistic_is_in_a_band_or_in_none() -> None:
    absent = len(FEATURE_NAMES) + len(BANDS)
    banded = set(LAYOUT.cells.ravel().tolist()) - {absent}
    rest = set(LAYOUT.rest.tolist())
    assert banded | rest == set(range(absent))
    assert not banded & rest
    assert len(LAYOUT.cells) == len(FINE_EDGES) - 1


def test_a_row_of_the_layout_is_of_one_band() -> None:
    names = [*FEATURE_NAMES, *(f"missing/b{band}" for band in range(24)), ""]
    low, high = ({names[i] for i in LAYOUT.cells[band]} for band in (0, 23))
    # 200 to 600 Hz: the first of 24, of 8 and, by its middle, of 12 bands.
    assert {"phase/b0/time", "fine_correlation/b0/df0_dt1", "tonal/b0/share"} < low
    assert {"comodulation/b0/b1", "missing/b0"} < low
    # 15 to 16.2 kHz; there is no band above to move with.
    assert {"phase/b23/time", "fine_correlation/b7/df0_dt1", "tonal/b11/share"} < high
    assert {"comodulation/b22/b23", "comodulation/b20/b23", "missing/b23", ""} < high
    for column in LAYOUT.cells.T[:-7]:  # all but those of pairs of bands, and what is missing
        assert len({tuple(names[i].split("/")[::2]) for i in column}) == 1


def test_bands_that_nobody_knows_are_refused() -> None:
    with pytest.raises(ValueError, match="hull: 3 bands, whose edges nobody knows"):
        band_layout(["hull/b2/p5"], [])
    with pytest.raises(ValueError, match="2 statistics are flagged"):
        band_layout(FEATURE_NAMES, [0, 1])
    with pytest.raises(ValueError, match="the layout is of 26 inputs, not of 30 and 0"):
        BandNetwork(TWELVE, 30, 0, SMALL)


def test_a_name_without_a_band_is_of_no_band() -> None:
    layout = band_layout(["hull/x/p5", *(f"phase/b{band}/time" for band in range(24))], [])
    assert layout.rest.tolist() == [0]
    assert layout.cells.tolist() == [[band + 1] for band in range(24)]


def network(seed: int = 0) -> BandNetwork:
    torch.manual_seed(seed)
    return BandNetwork(TWELVE, 26, 0, SMALL).eval()


def test_bands_share_their_weights() -> None:
    # Untrained, no band has a place of its own: a trace counts alike wherever it is.
    x = torch.zeros(2, 26)
    x[0, 8:10] = x[1, 12:14] = torch.tensor([1.0, -2.0])
    with torch.inference_mode():
        one, other = network()(x)
    torch.testing.assert_close(one, other)


def test_a_place_of_its_own_tells_bands_apart() -> None:
    net = network()
    with torch.no_grad():
        net.place.normal_()
        x = torch.zeros(2, 26)
        x[0, 8:10] = x[1, 12:14] = torch.tensor([1.0, -2.0])
        one, other = net(x)
    assert abs(one - other) > 1e-3


def test_contributions_add_up_and_name_what_moved() -> None:
    net = network()
    x = torch.zeros(3, 26)
    x[0, 8:10] = torch.tensor([1.0, -2.0])
    x[1, 25] = 3.0
    with torch.inference_mode():
        origin, parts = net.contributions(x)
        logit = net(x)
    torch.testing.assert_close(origin + parts.sum(dim=1), logit)
    assert parts[0].nonzero().ravel().tolist() == [8, 9]
    assert parts[1].nonzero().ravel().tolist() == [25]
    assert not parts[2].any()


def test_parts_are_the_gradients_along_the_path() -> None:
    rng = torch.Generator().manual_seed(0)
    net = BandNetwork(LAYOUT, len(FEATURE_NAMES), len(BANDS), SMALL).eval()
    with torch.no_grad():
        net.flagged.copy_(torch.from_numpy(BANDS))
        net.place.normal_(generator=rng)
    x = 2 * torch.randn(3, len(FEATURE_NAMES), generator=rng)
    x[torch.rand(x.shape, generator=rng) < 0.1] = np.nan
    inputs = net.inputs(x)
    expected = torch.zeros_like(inputs)
    for point in midpoints(PATH_POINTS):
        place = (point * inputs).requires_grad_()
        net.of_inputs(place.expand(2, -1, -1)).mean(dim=0).sum().backward()
        expected += place.grad * inputs / PATH_POINTS
    torch.testing.assert_close(net.path_parts(inputs), expected, atol=1e-6, rtol=1e-4)
    _, own = net.contributions(inputs)
    assert own.shape == x.shape
    assert (own[:, BANDS][torch.isnan(x[:, BANDS])] != 0).any()  # that it is missing counts
    assert net.contributions(inputs[:0])[1].shape == (0, len(FEATURE_NAMES))


Arrays = dict[str, np.ndarray]


@pytest.mark.parametrize(
    ("name", "broken", "complaint"),
    [
        ("cells", np.full((12, 2), 27), "cells is out of bounds"),
        ("cells", np.full((12, 2), -1), "cells is out of bounds"),
        ("cells", np.zeros((12, 3), np.int64), "larger or smaller than is believed"),
        ("cells", np.zeros((9000, 2), np.int64), "larger or smaller than is believed"),
        ("cells", np.zeros(24, np.int64), "unusable shapes"),
        ("cells", np.zeros((0, 2), np.int64), "larger or smaller than is believed"),
        ("cells", np.zeros((12, 2), bool), "cells is torch.bool"),
        ("rest", np.zeros(27, np.int64), "larger or smaller than is believed"),
        ("rest", np.array([0, 26]), "rest is out of bounds"),
        ("rest", np.array([0.0, 1.0], np.float32), "rest is torch.float32"),
        ("place", np.full((2, 12, 16), np.inf, np.float32), "place must be finite"),
        ("neighbours.0.gain", None, "neighbours.0.gain is missing"),
        ("behind.linear.weight", np.zeros((2, 26, 9000), np.float16), "than is believed"),
        ("behind.linear.weight", np.zeros(2, np.float16), "unusable shapes"),
        ("behind.gain", np.full((2, 1, 16), 9e11, np.float32), "gain must be finite"),
        ("flagged", np.zeros(1_000_000, np.int64), "more flags than statistics"),
        ("extra", np.zeros(1, np.float32), "'extra' is not expected"),
    ],
)
def test_a_crafted_file_is_refused_by_name(
    name: str, broken: np.ndarray | None, complaint: str
) -> None:
    arrays: Arrays = network().to_arrays()
    arrays.pop(name, None)
    if broken is not None:
        arrays[name] = broken
    with pytest.raises(ValueError, match=f"band network: .*{complaint}"):
        BandNetwork.from_arrays(arrays)


@pytest.fixture(scope="module")
def learnt() -> tuple[StatisticsHead, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1500, 26)).astype(np.float32)
    y = rng.random(1500) < 0.5
    # The trace: both statistics of some band, never the last two, are large together.
    band = rng.integers(0, 10, 1500)
    for row in np.flatnonzero(y):
        x[row, 2 * band[row] : 2 * band[row] + 2] += 3
    x[rng.random(x.shape) < 0.02] = np.nan
    learning = Learning(epochs=20, batch=64, noise=0.05)
    config = HeadConfig(
        BoostingConfig(max_iter=20, bags=1),
        NetworkConfig(1, 16, 1, learning),
        BandConfig(SMALL, learning),
    )
    levels, all_rows = Levels.of(x), np.ones(len(x), bool)
    return fit_head(levels, all_rows, y, np.ones(len(x)), config, layout=TWELVE), x, y


def test_what_was_learnt_in_some_bands_holds_in_others(
    learnt: tuple[StatisticsHead, np.ndarray, np.ndarray],
) -> None:
    head, _, _ = learnt
    rng = np.random.default_rng(1)
    clean = rng.standard_normal((200, 26)).astype(np.float32)
    traced = clean.copy()
    traced[:, 20:22] += 3
    assert head.band_network is not None
    assert head.network is not None
    with torch.inference_mode():
        by_bands, dense = (
            net(net.inputs(torch.from_numpy(traced))) - net(net.inputs(torch.from_numpy(clean)))
            for net in (head.band_network, head.network)
        )
    assert by_bands.mean() > 1
    assert by_bands.mean() > 2 * dense.mean()


def test_a_head_of_three_goes_out_and_comes_back(
    learnt: tuple[StatisticsHead, np.ndarray, np.ndarray],
) -> None:
    head, x, y = learnt
    assert ((head.logit(x) > 0) == y).mean() > 0.8
    once = StatisticsHead.from_tensors(head.to_tensors())
    assert once.together == head.together == TOGETHER
    np.testing.assert_allclose(once.logit(x), head.logit(x), atol=0.02)
    start, parts = once.contributions(x[:50])
    np.testing.assert_allclose(start + parts.sum(axis=1), once.logit(x[:50]), atol=1e-4)
    tensors = head.to_tensors()
    tensors["mix"] = np.ones(2, np.float32)
    with pytest.raises(ValueError, match="mix has 2 numbers for trees and 2 kinds of network"):
        StatisticsHead.from_tensors(tensors)


def test_segments_heard_together_move_towards_each_other_by_band_networks_alone(
    learnt: tuple[StatisticsHead, np.ndarray, np.ndarray],
) -> None:
    head, x, _ = learnt
    three = np.r_[x[:3], np.full((1, 26), np.nan, np.float32)]
    alone = head.logits(three)
    heard = head.logits(three, np.array([0, 0, 1, 0]))
    np.testing.assert_array_equal(heard[:, :2], alone[:, :2])  # trees, dense networks
    np.testing.assert_array_equal(heard[2:], alone[2:])  # by itself; without any statistic
    net = head.band_network
    assert net is not None
    inputs = net.inputs(torch.from_numpy(x[:2]))
    with torch.inference_mode():
        expected = net(torch.lerp(inputs, inputs.mean(dim=0), TOGETHER))
    np.testing.assert_allclose(heard[:2, 2], expected.numpy(), atol=1e-5)
    assert (abs(heard[:2, 2] - alone[:2, 2]) > 1e-3).all()
    start, parts = head.contributions(three, np.array([0, 0, 1, 0]))
    np.testing.assert_allclose(start + parts.sum(axis=1), joined(heard, head.mix), atol=1e-4)


def test_every_array_of_a_head_lies_as_it_is_read(
    learnt: tuple[StatisticsHead, np.ndarray, np.ndarray],
) -> None:
    # Of a transposed one safetensors writes the numbers as they lie in memory, without a word.
    arrays = learnt[0].to_tensors()
    assert [name for name, array in arrays.items() if not array.flags.c_contiguous] == []


def test_a_head_that_hears_each_segment_by_itself(
    learnt: tuple[StatisticsHead, np.ndarray, np.ndarray],
) -> None:
    head, x, _ = learnt
    tensors = head.to_tensors()
    del tensors["together"]  # as older files
    older = StatisticsHead.from_tensors(tensors)
    same = np.zeros(5, int)
    np.testing.assert_array_equal(older.logit(x[:5], same), older.logit(x[:5]))
    assert "together" not in older.to_tensors()
    for wrong in (np.zeros(2, np.float32), np.array([1.5], np.float32), np.array([0.5])):
        with pytest.raises(ValueError, match="together must be one number from 0 to 1"):
            StatisticsHead.from_tensors(tensors | {"together": wrong})


def test_the_path_is_walked_finely_enough(
    learnt: tuple[StatisticsHead, np.ndarray, np.ndarray],
) -> None:
    head, x, _ = learnt
    net = head.band_network
    assert net is not None
    inputs = net.inputs(torch.from_numpy(x[:200]))
    parts = net.path_parts(inputs).detach()
    with torch.no_grad():
        origin = net.of_inputs(torch.zeros(2, 1, 26)).mean()
        gained = net(inputs) - origin
    assert (parts.sum(dim=1) - gained).abs().mean() < 0.05 * gained.abs().mean()
