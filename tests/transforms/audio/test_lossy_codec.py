import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifactnet.transforms.audio.codec_spec import FORMATS, CodecSpec, parse_codec, parse_codecs
from artifactnet.transforms.audio.lossy_codec import (
    PyAVBackend,
    PydubBackend,
    check_codecs,
    codec_roundtrip,
)
from artifactnet.transforms.elements.errors import CodecError
from tests.conftest import music

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg on the PATH")


@given(name=st.sampled_from(sorted(FORMATS)), data=st.data())
def test_parsing_reads_what_it_prints(name: str, data: st.DataObject) -> None:
    allowed = FORMATS[name].bitrates
    kilobits = data.draw(st.integers(allowed[0] // 1000, allowed[-1] // 1000))
    spec = CodecSpec(name, kilobits * 1000)
    assert parse_codec(str(spec)) == spec


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_every_bit_rate_that_is_allowed_is_kept_to(name: str) -> None:
    audio, rate = music(4)[:, 0], FORMATS[name].sample_rates[0]
    if rate != 44_100:
        audio = music(4, rate)[:, 0]
    allowed = FORMATS[name].bitrates
    for bitrate in (allowed[0], 64_000, 128_000, allowed[-1]):
        size = len(PyAVBackend().encode(audio, rate, CodecSpec(name, bitrate)))
        assert 0.4 * bitrate < 2 * size < 1.6 * bitrate + 8000, (name, bitrate, 2 * size)


def test_codecs_are_tried_before_work_starts() -> None:
    check_codecs(parse_codecs(",".join(FORMATS)), PyAVBackend())
    with pytest.raises(CodecError, match="libfdk_aac"):
        check_codecs(parse_codecs("aac:128k:libfdk_aac"), PyAVBackend())
    with pytest.raises(CodecError, match="not an encoder of audio"):
        check_codecs(parse_codecs("aac:128k:mpeg4"), PyAVBackend())


@given(st.text(max_size=20))
def test_parsing_fails_only_with_a_message(text: str) -> None:
    try:
        parse_codec(text)
    except ValueError as error:
        assert text.strip() in str(error) or repr(text.strip()) in str(error)


@pytest.mark.parametrize(
    "text",
    [
        "mp4",
        "mp3:",
        "mp3:9k",
        "mp3:loud",
        "wav:128k",
        "mp3:²k",
        "",
        "mp3:16k",
        "opus:512k",
        "vorbis:128k:x",
    ],
)
def test_unusable_specs(text: str) -> None:
    if text == "mp3:":
        assert parse_codec(text) == parse_codec("mp3")
        return
    with pytest.raises(ValueError, match=r"unknown codec|bad bit rate|one encoder"):
        parse_codec(text)


def test_unprocessed_audio_comes_first_even_if_unnamed() -> None:
    assert [str(s) for s in parse_codecs("mp3:64k, wav,opus")] == ["wav", "mp3:64k", "opus:96k"]
    assert [str(s) for s in parse_codecs("")] == ["wav"]
    with pytest.raises(ValueError, match="twice"):
        parse_codecs("mp3,mp3:128k")


def similarity(audio: np.ndarray, other: np.ndarray) -> tuple[int, float]:
    """Lag in samples and signal-to-noise ratio in dB."""
    size = 2 * len(audio)
    product = np.fft.rfft(other, size) * np.fft.rfft(audio, size).conj()
    lag = int(np.argmax(np.fft.irfft(product)))
    noise = np.sum((other - audio) ** 2)
    return min(lag, size - lag), float(10 * np.log10(np.sum(audio**2) / noise))


@pytest.mark.parametrize(
    "text", ["mp3:320k", "mp3:64k", *(f"{name}:128k" for name in sorted(FORMATS))]
)
def test_audio_comes_back_aligned_and_alike(text: str) -> None:
    audio = music(4)[:, 0]
    back = codec_roundtrip(audio, 44_100, parse_codec(text), PyAVBackend())
    assert back.shape == audio.shape
    assert back.dtype == np.float32
    lag, ratio = similarity(audio, back)
    assert lag == 0
    assert 5 < ratio < 60


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_more_bits_are_closer_to_the_original_and_larger(name: str) -> None:
    audio = music(4)[:, 0]
    rate = FORMATS[name].sample_rates[0]
    sizes, ratios = [], []
    for bitrate in (64_000, 192_000):
        spec = CodecSpec(name, bitrate)
        sizes.append(len(PyAVBackend().encode(audio, rate, spec)))
        ratios.append(similarity(audio, codec_roundtrip(audio, 44_100, spec, PyAVBackend()))[1])
    assert sizes[1] > 1.3 * sizes[0]
    assert ratios[1] > ratios[0] + 1


def test_wav_changes_nothing() -> None:
    audio = music(1)[:, 0]
    assert codec_roundtrip(audio, 44_100, CodecSpec("wav"), PyAVBackend()) is audio


def test_missing_encoder_names_the_codec() -> None:
    with pytest.raises(CodecError, match="aac:128k:libfdk_aac"):
        codec_roundtrip(music(1)[:, 0], 44_100, parse_codec("aac:128k:libfdk_aac"), PyAVBackend())


def test_pydub_without_ffmpeg_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(CodecError, match="install it, or use --codec-backend pyav"):
        PydubBackend()


@needs_ffmpeg
@pytest.mark.parametrize("text", ["mp3:128k", "aac:128k", "opus:96k", "vorbis:128k"])
def test_pydub_backend(text: str) -> None:
    audio = music(4)[:, 0]
    back = codec_roundtrip(audio, 44_100, parse_codec(text), PydubBackend())
    lag, ratio = similarity(audio, back)
    assert lag == 0
    assert ratio > 5


@needs_ffmpeg
def test_pydub_backend_names_what_ffmpeg_refuses() -> None:
    with pytest.raises(CodecError, match="ffmpeg"):
        codec_roundtrip(music(1)[:, 0], 44_100, parse_codec("aac:64k:no_such"), PydubBackend())
