"""Fewer bootstrap samples: no test looks at how wide an interval is."""

from collections.abc import Iterator

import pytest

from artifactnet.pipeline.evaluation import metrics


@pytest.fixture(scope="session", autouse=True)
def few_resamples() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "RESAMPLES", 60)
        patch.setattr(metrics, "GENERATOR_RESAMPLES", 40)
        yield
