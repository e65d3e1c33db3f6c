from pathlib import Path

import pytest

from artifactnet.pipeline.output.run_record import latest_record


def test_an_output_in_which_no_run_ended_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no run has ended here; artifactnet status .* says"):
        latest_record(str(tmp_path))
    (tmp_path / "run.json").write_text('{"run_id": "one"}')
    assert latest_record(str(tmp_path)) == {"run_id": "one"}
