from collections.abc import Iterator

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from artifactnet.transforms.elements.fused import FusedDoFn


class Step(beam.DoFn):
    """Yields an element as often as ``times`` says, and notes what happens to it."""

    def __init__(self, name: str, times: int, seen: list[str]) -> None:
        self.name, self.times, self.seen = name, times, seen

    def setup(self) -> None:
        self.seen.append(f"{self.name} setup")

    def start_bundle(self) -> None:
        self.seen.append(f"{self.name} start")

    def process(self, element: str) -> Iterator[str]:
        for number in range(self.times):
            self.seen.append(f"{self.name} {element}")
            yield f"{element}{self.name}{number}"

    def finish_bundle(self) -> None:
        self.seen.append(f"{self.name} finish")

    def teardown(self) -> None:
        self.seen.append(f"{self.name} teardown")


class YieldsNothing(beam.DoFn):
    def process(self, element: str) -> None:
        """As a DoFn that only keeps what it sees."""


def test_an_element_goes_all_the_way_before_the_next_one_is_made() -> None:
    seen: list[str] = []
    fused = FusedDoFn([Step("a", 2, seen), Step("b", 1, seen)])
    fused.setup()
    fused.start_bundle()
    assert list(fused.process("x")) == ["xa0b0", "xa1b0"]
    fused.finish_bundle()
    fused.teardown()
    assert seen == [
        *("a setup", "b setup", "a start", "b start"),
        *("a x", "b xa0", "a x", "b xa1"),
        *("a finish", "b finish", "a teardown", "b teardown"),
    ]


def test_a_step_may_yield_nothing() -> None:
    seen: list[str] = []
    assert list(FusedDoFn([YieldsNothing(), Step("b", 1, seen)]).process("x")) == []
    assert list(FusedDoFn([Step("a", 0, seen), Step("b", 1, seen)]).process("x")) == []
    assert seen == []


class YieldsLate(beam.DoFn):
    def finish_bundle(self) -> Iterator[str]:
        yield "late"


def test_what_would_be_lost_is_refused() -> None:
    with pytest.raises(TypeError, match="YieldsLate"):
        FusedDoFn([YieldsLate()]).finish_bundle()


def test_it_is_what_beam_makes_of_the_steps() -> None:
    steps = [Step("a", 2, []), Step("b", 3, [])]
    expected = [f"{e}a{i}b{j}" for e in "xy" for i in range(2) for j in range(3)]
    with TestPipeline("FnApiRunner") as pipeline:
        elements = pipeline | beam.Create(["x", "y"])
        apart = elements | "A" >> beam.ParDo(steps[0]) | "B" >> beam.ParDo(steps[1])
        assert_that(apart, equal_to(expected), label="apart")
        fused = elements | "Fused" >> beam.ParDo(FusedDoFn(steps))
        assert_that(fused, equal_to(expected), label="fused")
