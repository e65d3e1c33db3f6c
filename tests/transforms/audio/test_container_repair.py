"""Tags and chunks where they don't belong, and the sound behind them."""

import io
import struct

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from artifactnet.transforms.audio.container_repair import repaired
from tests.conftest import music

TAG = b"ID3\x03\0\0\0\0\0\x15" + bytes(21)


def sound(kind: str) -> bytes:
    buffer = io.BytesIO()
    subtype = "VORBIS" if kind == "OGG" else "PCM_16"
    soundfile.write(buffer, music(1), 44_100, subtype, format=kind)
    return buffer.getvalue()


WANTED = soundfile.read(io.BytesIO(sound("WAV")), dtype="float32")[0]


def read(content: bytes) -> np.ndarray:
    return soundfile.read(repaired(io.BytesIO(content)), dtype="float32")[0]  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["WAV", "AIFF", "FLAC"])
@pytest.mark.parametrize("tags", [1, 2])
def test_a_tag_before_a_container(kind: str, tags: int) -> None:
    np.testing.assert_allclose(read(TAG * tags + sound(kind)), WANTED, atol=4e-5)


@pytest.mark.parametrize(("kind", "name"), [("WAV", b"data"), ("AIFF", b"SSND")])
def test_an_odd_chunk_without_its_pad_byte(kind: str, name: bytes) -> None:
    content, order = sound(kind), "<" if kind == "WAV" else ">"
    at = content.index(name)
    for text in (b"hello", b"seven77"):
        chunk = b"note" + struct.pack(order + "I", len(text)) + text
        np.testing.assert_array_equal(read(content[:at] + chunk + content[at:]), WANTED)
        padded = chunk + b"\0"
        np.testing.assert_array_equal(read(content[:at] + padded + content[at:]), WANTED)


@pytest.mark.parametrize("other", [b"", bytes(64)])
@pytest.mark.parametrize("first", [True, False])
def test_sound_chunks_follow_each_other(other: bytes, first: bool) -> None:
    content = sound("WAV")
    at = content.index(b"data")
    chunk = b"data" + struct.pack("<I", len(other)) + other
    both = content[:at] + chunk + content[at:] if first else content + chunk
    silence = np.zeros(len(other) // 2, np.float32)
    wanted = [silence, WANTED] if first else [WANTED, silence]
    np.testing.assert_array_equal(read(both), np.concatenate(wanted))


@pytest.mark.parametrize("kind", ["WAV", "AIFF", "FLAC", "OGG", "W64", "RF64"])
def test_what_is_right_is_left_alone(kind: str) -> None:
    file = io.BytesIO(sound(kind))
    assert repaired(file) is file
    assert file.tell() == 0


@given(
    st.binary(max_size=300), st.sampled_from([b"RIFF\0\0\0\0WAVE", b"FORM\0\0\0\0AIFF", TAG, b""])
)
def test_any_bytes_pass(content: bytes, head: bytes) -> None:
    file = repaired(io.BytesIO(head + content))
    assert isinstance(file.read(), bytes)
