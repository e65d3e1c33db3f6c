"""Text of spreadsheets becomes UTF-8 whose lines end with LF."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifactnet.transforms.manifests.encodings import as_utf8_lines

TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\r\ufeff"))


@given(TEXT, st.sampled_from(["utf-16-le", "utf-16-be"]))
def test_utf16_with_a_mark(text: str, encoding: str) -> None:
    content = ("\ufeff" + text).encode(encoding)
    assert as_utf8_lines(io.BytesIO(content)).read().decode() == text


@given(TEXT)
def test_utf8_is_left_alone(text: str) -> None:
    content = text.encode()
    assert as_utf8_lines(io.BytesIO(content)).read() == content


def test_lines_that_end_with_cr() -> None:
    file = as_utf8_lines(io.BytesIO(b"uri,label\ra.mp3,ai\rb.mp3,real\r"))
    assert file.readlines() == [b"uri,label\n", b"a.mp3,ai\n", b"b.mp3,real\n"]
    both = as_utf8_lines(io.BytesIO("\ufeffuri\ra.mp3\r".encode("utf-16-le")))
    assert both.readlines() == [b"uri\n", b"a.mp3\n"]


@pytest.mark.parametrize("content", [b"a\r\nb\r\n", b"a\nb\rc\n"])
def test_a_cr_beside_lf_is_no_line_end(content: bytes) -> None:
    assert as_utf8_lines(io.BytesIO(content)).read() == content


def test_half_a_character_is_replaced() -> None:
    assert as_utf8_lines(io.BytesIO(b"\xff\xfea\0b")).read().decode() == "a\ufffd"
