"""Streams that change, begin again or tell a wrong time: every sample at its place."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from artifactnet.transforms.audio.chained_reader import ChainedReader
from artifactnet.transforms.audio.ogg_pages import links, looks_chained
from artifactnet.transforms.audio.sequential_reader import SequentialReader
from artifactnet.transforms.elements.errors import AuditError, NotAudioError
from tests.conftest import encode_with_ffmpeg

CLICKS = (0.5, 2.0, 3.5, 5.25, 7.0)


def clicks(begin: float, end: float, rate: int, channels: int = 1) -> np.ndarray:
    """A quiet hum with clicks at their times, from ``begin`` to ``end`` seconds."""
    time = np.arange(round((end - begin) * rate)) / rate + begin
    sound = 0.01 * np.sin(2 * np.pi * 220 * time)
    for click in CLICKS:
        sound += 0.9 * np.exp(-np.abs(time - click) * 900)
    return np.repeat(sound[:, None], channels, axis=1).astype(np.float32)


def ogg(begin: float, end: float, rate: int, subtype: str = "VORBIS", channels: int = 1) -> bytes:
    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", rate, channels, subtype, format="OGG") as file:
        for piece in np.array_split(clicks(begin, end, rate, channels), 1 + int(end - begin)):
            file.write(piece)  # libsndfile's Vorbis encoder crashes on a minute at once
    return buffer.getvalue()


def found_clicks(read: Callable[[float, float], np.ndarray], duration: float, rate: int) -> list:
    sound = read(0.0, duration).mean(axis=1)
    places = [round(click * rate) for click in CLICKS]
    near = [sound[max(0, p - rate // 4) : p + rate // 4] for p in places]
    return [
        (max(0, p - rate // 4) + int(np.argmax(np.abs(part)))) / rate
        for p, part in zip(places, near, strict=True)
    ]


@pytest.mark.parametrize(
    "pieces",
    [
        (ogg(0, 3, 44_100), ogg(3, 8, 44_100)),
        (ogg(0, 3, 44_100), ogg(3, 5, 22_050), ogg(5, 8, 48_000)),
        (ogg(0, 3, 44_100, channels=2), ogg(3, 8, 44_100)),
        (ogg(0, 3, 48_000, "OPUS"), ogg(3, 8, 48_000, "OPUS")),
    ],
    ids=["vorbis", "rates", "channels", "opus"],
)
def test_links_of_a_chain_follow_each_other(pieces: tuple[bytes, ...]) -> None:
    reader = ChainedReader(io.BytesIO(b"".join(pieces)), lambda: None)
    assert reader.info.duration == pytest.approx(8.0, abs=0.03)
    found = found_clicks(reader.read, 8.0, reader.info.sample_rate)
    np.testing.assert_allclose(found, CLICKS, atol=0.02)
    middle = reader.read(2.0, 2.0)
    assert middle.shape == (2 * reader.info.sample_rate, reader.info.channels)
    reader.close()


def test_one_stream_is_no_chain() -> None:
    content = ogg(0, 3, 44_100)
    assert len(links(io.BytesIO(content), lambda: None)) == 1
    for other in (content, b"", b"RIFF" + bytes(60)):
        with pytest.raises(NotAudioError):
            ChainedReader(io.BytesIO(other), lambda: None)


def test_of_a_distant_file_only_the_ends_are_read() -> None:
    class Distant(io.RawIOBase):
        def __init__(self, content: bytes) -> None:
            self.inner, self.count = io.BytesIO(content), 0

        def seekable(self) -> bool:
            return True

        def readable(self) -> bool:
            return True

        def seek(self, *arguments: int) -> int:
            return self.inner.seek(*arguments)

        def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
            self.count += len(buffer)
            return self.inner.readinto(buffer)

    one, two = ogg(0, 60, 44_100), ogg(0, 40, 44_100)
    alone, chained = Distant(one), Distant(one + two)
    assert not looks_chained(alone)  # type: ignore[arg-type]
    assert alone.count < 70_000 < len(one)
    # Serial numbers are drawn by the encoder, so two streams have two.
    assert looks_chained(chained)  # type: ignore[arg-type]


def sequential(content: bytes) -> SequentialReader:
    return SequentialReader(io.BytesIO(content), lambda: None)


@pytest.mark.parametrize("second", [(48_000, 1), (44_100, 2)])
def test_a_rate_or_channels_that_change(tmp_path: Path, second: tuple[int, int]) -> None:
    rate, channels = second
    one = encode_with_ffmpeg(tmp_path / "a.mp3", clicks(0, 3, 44_100), 44_100, "libmp3lame")
    two = encode_with_ffmpeg(tmp_path / "b.mp3", clicks(3, 8, rate, channels), rate, "libmp3lame")
    reader = sequential(one.read_bytes() + two.read_bytes())
    assert reader.info.sample_rate == 44_100
    assert reader.info.duration == pytest.approx(8.0, abs=0.2)
    np.testing.assert_allclose(found_clicks(reader.read, 8.0, 44_100), CLICKS, atol=0.15)


def test_windows_may_overlap_and_go_back(tmp_path: Path) -> None:
    path = encode_with_ffmpeg(tmp_path / "a.mka", clicks(0, 8, 44_100), 44_100, "flac")
    reader = sequential(path.read_bytes())
    whole = reader.read(0.0, 8.0)
    for start in (0.0, 1.5, 3.0, 6.0, 0.5):
        part = reader.read(start, 2.0)
        np.testing.assert_array_equal(part, whole[round(start * 44_100) :][: len(part)])
        assert len(part) == 88_200
    assert len(reader.read(7.5, 2.0)) == 22_050


def test_damage_stays_silent_and_the_rest_in_place(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    soundfile.write(buffer, clicks(0, 8, 16_000), 16_000, format="FLAC")
    content = bytearray(buffer.getvalue())
    middle = len(content) * 9 // 16
    content[middle : middle + 40] = bytes(40)
    reader = sequential(bytes(content))
    assert reader.info.duration == pytest.approx(8.0, abs=0.01)
    np.testing.assert_allclose(found_clicks(reader.read, 8.0, 16_000)[-1], CLICKS[-1], atol=1e-3)


@pytest.mark.parametrize("content", [b"", b"nothing", b"OggS" + bytes(100)])
def test_what_is_no_sound(content: bytes) -> None:
    with pytest.raises(AuditError):
        sequential(content)


@pytest.mark.parametrize("tail", [b"OggS", b"OggS" + bytes(10), b"O" * 50])
def test_a_page_that_is_cut_short_ends_the_search(tail: bytes) -> None:
    content = ogg(0, 3, 44_100)
    cut = content[: len(content) // 2] + tail
    assert links(io.BytesIO(cut), lambda: None) == [(0, len(cut))]


def test_an_ogg_that_was_joined_late_is_no_failure_of_ours() -> None:
    content = bytearray(ogg(0, 3, 44_100))
    content[5] = 0  # not the first page any more
    assert links(io.BytesIO(bytes(content)), lambda: None) == []
