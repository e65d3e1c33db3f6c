"""An error comes to one line, whatever it says."""

import pytest

from artifactnet.models.first_line import first_line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("no such file\nframe #0", "no such file"),
        ("\n\n  shapes differ \nframe #0", "shapes differ"),
        ("", "ValueError('')"),
        ("\n \n", r"ValueError('\n \n')"),
    ],
)
def test_one_line(text: str, line: str) -> None:
    assert first_line(ValueError(text)) == line
