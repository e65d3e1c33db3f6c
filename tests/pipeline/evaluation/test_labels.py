"""What manifests call the two classes."""

import pytest

from artifactnet.pipeline.evaluation.labels import known_label


@pytest.mark.parametrize("word", ["ai", "AI", " fake ", "generated", "1", 1, 1.0, "spoof"])
def test_generated(word: object) -> None:
    assert known_label(word) == "ai"


@pytest.mark.parametrize("word", ["real", "Human", "0", 0, 0.0, "bonafide"])
def test_human(word: object) -> None:
    assert known_label(word) == "real"


@pytest.mark.parametrize("word", [None, "", "unknown", 2, 0.5, float("nan")])
def test_anything_else(word: object) -> None:
    assert known_label(word) is None
