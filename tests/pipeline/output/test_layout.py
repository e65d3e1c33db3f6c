"""Run ids sort in the order of the runs, whatever the clock says."""

import re
from datetime import UTC, datetime, timedelta

from artifactnet.pipeline.output.layout import RUN_ID, new_run_id


def test_ids_are_of_the_form_and_later_than_all_before() -> None:
    ahead = f"{datetime.now(UTC) + timedelta(days=400):%Y%m%dT%H%M%S}-ffffff"
    earlier = ["20200101T000000-aaaaaa", ahead]
    for _ in range(5):
        run_id = new_run_id(earlier)
        assert re.fullmatch(RUN_ID, run_id)
        assert run_id > max(earlier)
        earlier.append(run_id)
    assert new_run_id() < ahead
