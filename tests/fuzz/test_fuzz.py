"""300 mutated files: a row each, no crash that was not isolated, no error that nobody foresaw."""

from pathlib import Path

from tests.fuzz.mutations import mutated, originals
from tests.fuzz.run import is_finding, outcome

CASES = 300


def test_mutated_files_are_rows(tmp_path: Path) -> None:
    found = [outcome(number, tmp_path) for number in range(CASES)]
    assert not [one for one in found if is_finding(one)]
    results = {one["result"] for one in found}
    assert {"decoded", "NotAudioError", "DamagedAudioError"} <= results


def test_cases_are_the_same_every_time() -> None:
    assert len(originals()) > 20
    assert mutated(17) == mutated(17)
    assert len({mutated(number)[1] for number in range(100)}) > 95
