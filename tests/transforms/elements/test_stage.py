import logging

import pytest

from artifactnet.transforms.elements.errors import CodecError
from artifactnet.transforms.elements.records import (
    ManifestRow,
    SegmentBatch,
    StageFailure,
    TrackFacts,
)
from artifactnet.transforms.elements.stage import StageMetrics, run_stage

BATCH = SegmentBatch(TrackFacts(ManifestRow("t", "u", "m", 1)), "wav", 0, 1, (0.0,), 20)


def run(compute, batch=BATCH):
    return run_stage(StageMetrics("double"), batch, compute)


def test_result_takes_the_place_of_the_payload() -> None:
    after = run(lambda x: 2 * x)
    assert after.payload == 40
    assert after.with_payload(20) == BATCH


def test_expected_error_becomes_a_failure_that_names_the_stage() -> None:
    def refuse(_):
        raise CodecError("mp3:128k: no")

    assert run(refuse).payload == StageFailure("double", "CodecError", "mp3:128k: no")


def test_unforeseen_error_is_kept_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        assert run(lambda x: x / 0).payload == StageFailure(
            "double", "ZeroDivisionError", "division by zero"
        )
    assert "track t: stage double failed" in caplog.text


def test_only_the_first_line_of_what_nobody_foresaw_is_a_message() -> None:
    def fail(_):
        raise RuntimeError("\n shapes cannot be multiplied" + 600 * "x" + "\nframe #0: at::native")

    message = run(fail).payload.message
    assert message.startswith("shapes cannot be multipliedx")
    assert len(message) == 500


def test_failure_passes_through_untouched() -> None:
    failed = BATCH.with_payload(StageFailure("decode", "X", "y"))
    assert run(lambda _: pytest.fail("must not run"), failed) == failed
