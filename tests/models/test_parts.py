import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from artifactnet.models.parts import PartRule, find_parts, generated_windows

RULE = PartRule(offset=1.0, change=3.0, evidence=9.0, windows=2)


def worth(logits: np.ndarray, states: tuple[bool, ...], rule: PartRule) -> float:
    gain = sum(x - rule.offset for x, on in zip(logits, states, strict=True) if on)
    return gain - rule.change * sum(a != b for a, b in itertools.pairwise(states))


@given(
    arrays.arrays(np.float64, st.integers(1, 9), elements=st.floats(-8, 8)),
    st.floats(-1, 2), st.floats(0, 6),
)  # fmt: skip
def test_no_other_path_is_worth_more(logits: np.ndarray, offset: float, change: float) -> None:
    rule = PartRule(offset, change)
    found = tuple(bool(one) for one in generated_windows(logits, rule))
    best = max(worth(logits, p, rule) for p in itertools.product((False, True), repeat=len(logits)))
    assert worth(logits, found, rule) == pytest.approx(best)


def p(logits: list[float]) -> list[float]:
    return [1 / (1 + np.exp(-x)) for x in logits]


def test_a_generated_intro() -> None:
    starts = [4.0 * n for n in range(10)]
    found = find_parts(starts, p([6, 6, 5, 6, -4, -5, -3, -4, -5, -4]), 4.0, 40.5, RULE)
    ((start, end, score),) = found.found
    assert (start, end) == (0.0, 16.0)
    assert score > 0.99
    assert found.rest_windows == 6
    assert found.rest_p_ai is not None
    assert found.rest_p_ai < 0.03


def test_between_windows_that_lie_apart_nothing_is_known() -> None:
    starts = [10.0, 40.0, 70.0, 100.0, 130.0]
    found = find_parts(starts, p([-6, -6, 7, 7, -6]), 4.0, 150.0, RULE)
    assert [(part.start, part.end) for part in found.found] == [(57.0, 117.0)]


def test_one_odd_window_is_no_part_and_one_gap_parts_nothing() -> None:
    starts = [4.0 * n for n in range(8)]
    odd = find_parts(starts, p([-4, -4, 8, -4, -4, -4, -4, -4]), 4.0, 32.0, RULE)
    assert odd.found == ()
    assert odd.rest_windows == 8
    gap = find_parts(starts, p([6, 6, 6, 0, 6, 6, 6, 6]), 4.0, 32.0, RULE)
    assert [(part.start, part.end) for part in gap.found] == [(0.0, 32.0)]
    assert gap.rest_p_ai is None
