import pytest

from artifactnet.pipeline.cli.beam_flags import UnknownFlagError, beam_flags

OWN = ["--output", "--segments", "--workers"]


def test_flags_of_beam_pass() -> None:
    flags = [
        "--runner=DataflowRunner",
        "--project",
        "p",
        "--temp_location",
        "gs://b/t",
        "--streaming",
    ]
    assert beam_flags(flags, OWN) == tuple(flags)
    assert beam_flags(["--", "--region", "r"], OWN) == ("--region", "r")
    assert beam_flags([], OWN) == ()


@pytest.mark.parametrize(
    ("flag", "meant"), [("--segmnts", "--segments"), ("--tmp_location", "--temp_location")]
)
def test_typing_errors_are_caught(flag: str, meant: str) -> None:
    with pytest.raises(UnknownFlagError, match=f"unknown flag {flag}; did you mean {meant}"):
        beam_flags([flag, "3"], OWN)


def test_flags_that_ours_stand_for() -> None:
    with pytest.raises(UnknownFlagError, match="use --workers instead"):
        beam_flags(["--direct_num_workers=3"], OWN)


def test_a_value_that_is_missing() -> None:
    with pytest.raises(UnknownFlagError, match="--runner"):
        beam_flags(["--runner"], OWN)


def test_a_second_catalogue_is_no_flag() -> None:
    with pytest.raises(UnknownFlagError, match="one catalogue at a time"):
        beam_flags(["other.jsonl"], OWN)
    with pytest.raises(UnknownFlagError, match=r"unexpected argument 'other\.jsonl'"):
        beam_flags(["--runner", "DirectRunner", "other.jsonl"], OWN)
