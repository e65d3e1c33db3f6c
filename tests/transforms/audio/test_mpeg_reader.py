"""MP3 by its frames: what FFmpeg finds, in a tenth of the time where a file is long."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artifactnet.transforms.audio.mpeg_reader import MpegReader, frame_kind
from artifactnet.transforms.audio.pyav_reader import PyAVReader
from artifactnet.transforms.elements.errors import AuditError, DamagedAudioError, NotAudioError
from tests.conftest import encode_with_ffmpeg, music


def mp3(path: Path, seconds: float, rate: int = 44_100, channels: int = 1, **options) -> bytes:
    sound = np.repeat(music(seconds), channels, axis=1)[:, :channels]
    return encode_with_ffmpeg(path, sound, rate, "libmp3lame", **options).read_bytes()


def opened(content: bytes) -> MpegReader:
    return MpegReader(io.BytesIO(content), lambda: None)


@pytest.mark.parametrize(("rate", "channels"), [(44_100, 1), (48_000, 2), (22_050, 1), (8_000, 1)])
def test_finds_what_ffmpeg_finds(tmp_path: Path, rate: int, channels: int) -> None:
    content = mp3(tmp_path / "a.mp3", 9.0, rate, channels)
    ours, theirs = opened(content), PyAVReader(io.BytesIO(content), lambda: None)
    assert ours.info._replace(duration=0, codec="") == theirs.info._replace(duration=0, codec="")
    assert ours.info.duration == pytest.approx(theirs.info.duration, abs=0.1)
    for start in (0.0, 2.345, ours.info.duration - 2):
        one, two = ours.read(start, 2.0), theirs.read(start, 2.0)
        length = min(len(one), len(two))
        assert length > 1.9 * rate
        np.testing.assert_allclose(one[:length], two[:length], atol=1e-4)


def test_the_encoders_padding_is_left_out(tmp_path: Path) -> None:
    assert opened(mp3(tmp_path / "a.mp3", 9.0)).info.duration == pytest.approx(9.0, abs=1e-4)


def test_junk_between_frames_is_skipped(tmp_path: Path) -> None:
    content = mp3(tmp_path / "a.mp3", 9.0)
    middle = len(content) // 2
    broken = content[:middle] + b"\xff\xfb junk \xff" * 500 + content[middle:]
    assert opened(broken).info.duration == pytest.approx(9.0, abs=0.06)
    assert len(opened(broken).read(7.0, 1.9)) == round(1.9 * 44_100)


def test_lost_frames_leave_a_hole_where_a_tag_tells_of_them(tmp_path: Path) -> None:
    content = bytearray(mp3(tmp_path / "a.mp3", 30.0))
    whole = opened(bytes(content))
    begin, end = whole._places[400], whole._places[500]
    wanted = whole.read(20.0, 1.0)
    content[begin + 2 : end] = bytes(end - begin - 2)
    holed = opened(bytes(content))
    assert holed.info.duration == pytest.approx(30.0, abs=0.06)
    assert "damaged" in holed.note
    found = holed.read(20.0, 1.0)
    lag = int(np.argmax(np.correlate(wanted[:, 0], found[:, 0], "full"))) - len(found) + 1
    assert abs(lag) <= 2 * 1152
    with pytest.raises(DamagedAudioError, match="decodes"):
        holed.read(11.0, 1.5)


def test_what_was_cut_off_is_told(tmp_path: Path) -> None:
    content = mp3(tmp_path / "a.mp3", 30.0)
    cut = opened(content[: len(content) // 2])
    assert cut.note.startswith("30.0 s by its header, 1")


def test_a_picture_between_two_files_is_passed_over(tmp_path: Path) -> None:
    content = mp3(tmp_path / "a.mp3", 5.0)
    size = 3 << 20
    tag = b"ID3\x03\0\0" + bytes((size >> 21 & 127, size >> 14 & 127, size >> 7 & 127, size & 127))
    both = content + tag + bytes(size) + content
    assert opened(both).info.duration == pytest.approx(10.0, abs=0.2)


def test_a_lost_stretch_stays_silent_or_is_damage(tmp_path: Path) -> None:
    content = bytearray(mp3(tmp_path / "a.mp3", 9.0))
    reader = opened(bytes(content))
    places = reader._places
    gone = bytes(content[: places[100]] + content[places[160] :])
    assert opened(gone).info.duration == pytest.approx(9.0 - 60 * 1152 / 44_100, abs=1e-3)
    for place in places[100:160]:  # headers stay; side information that can't be
        content[place + 4 : place + 36] = b"\xff" * 32
    with pytest.raises(DamagedAudioError, match=r"only .*% decodes"):
        opened(bytes(content)).read(2.7, 1.4)


def test_a_stream_that_changes_is_left_to_others(tmp_path: Path) -> None:
    one = mp3(tmp_path / "a.mp3", 3.0)
    for other in (mp3(tmp_path / "b.mp3", 3.0, 48_000), mp3(tmp_path / "c.mp3", 3.0, 44_100, 2)):
        with pytest.raises(DamagedAudioError, match="change"):
            opened(one + other)


@pytest.mark.parametrize(
    "content", [b"", b"ID3", b"RIFF" + bytes(100), b"\xff" * 5000, bytes(9000)]
)
def test_what_is_no_mp3(content: bytes) -> None:
    with pytest.raises(NotAudioError):
        opened(content)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=3000), st.binary(max_size=20))
def test_never_fails_otherwise(content: bytes, head: bytes) -> None:
    try:
        reader = opened(b"\xff\xfb" + head + content)
        assert reader.read(0.0, 1.0).ndim == 2
    except AuditError:
        pass


@given(st.integers(0, 255), st.integers(0, 255))
def test_sizes_are_those_of_the_standard(second: int, third: int) -> None:
    kind = frame_kind(second, third)
    if kind is not None:
        assert 24 <= kind.size <= 1441
        assert kind.samples in (576, 1152)
        assert 8_000 <= kind.rate <= 48_000
