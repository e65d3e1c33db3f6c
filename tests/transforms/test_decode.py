"""Every kind of bad input becomes one failure that says what is wrong; the odd but good decode."""

import os
import struct
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from artifactnet.models.config import ArtifactNetConfig
from artifactnet.transforms import decode as decode_stage
from artifactnet.transforms.audio.windows import DecodedAudio, DecodeLimits
from artifactnet.transforms.decode import DecodeOptions, decode_blocks, decode_row
from artifactnet.transforms.elements.records import ManifestRow, StageFailure
from artifactnet.transforms.manifests.parquet import EmbeddedAudioReader
from tests.conftest import encode_with_ffmpeg, music

CONFIG = ArtifactNetConfig()


def decode(path: Path | str, **options: object) -> DecodedAudio | StageFailure:
    row = ManifestRow("track", str(path), "manifest.jsonl", 1)
    return decode_row(row, CONFIG, DecodeOptions(**options), EmbeddedAudioReader()).audio  # type: ignore[arg-type]


def failure_of(path: Path | str, **options: object) -> tuple[str, str]:
    result = decode(path, **options)
    assert isinstance(result, StageFailure), f"decoded {result.info}"
    assert result.stage == "decode"
    assert "\n" not in result.message
    return result.error_class, result.message


def decoded(path: Path | str, **options: object) -> DecodedAudio:
    result = decode(path, **options)
    assert isinstance(result, DecodedAudio), result
    assert result.windows.dtype == np.float32
    assert result.windows.shape == (len(result.starts), CONFIG.segment_samples)
    assert np.isfinite(result.windows).all()
    assert np.abs(result.windows).max() <= 1
    return result


def test_missing(tmp_path: Path) -> None:
    error, message = failure_of(tmp_path / "gone.wav")
    assert error == "AudioNotFoundError"
    assert "gone.wav" in message


def test_folder_is_no_file(tmp_path: Path) -> None:
    assert failure_of(tmp_path)[0] == "AudioNotFoundError"


def test_name_with_a_zero_byte() -> None:
    assert failure_of("/tmp/a\0b.wav")[0] == "AudioNotFoundError"


def test_named_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    assert failure_of(tmp_path / "pipe.wav")[0] == "AudioNotFoundError"


def test_empty(tmp_path: Path) -> None:
    (tmp_path / "empty.mp3").touch()
    assert failure_of(tmp_path / "empty.mp3") == ("EmptyAudioError", "the file has no bytes")


@pytest.mark.parametrize(
    "content",
    [
        b"not music at all\n" * 99,
        np.random.default_rng(0).bytes(5000),
        b"RIFF",
        b"\xff\xfb",
        b"ID3",
        b"OggS" * 50,
    ],
    ids=["text", "noise", "riff", "mpeg-sync", "id3", "ogg"],
)
def test_non_audio(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "song.mp3"
    path.write_bytes(content)
    assert failure_of(path)[0] in ("NotAudioError", "DamagedAudioError", "EmptyAudioError")


def test_playlist_opens_no_other_file(tmp_path: Path, wav) -> None:
    target = wav("secret.wav")
    for name, content in (
        ("list.m3u8", f"#EXTM3U\n#EXTINF:5,\n{target}\n#EXT-X-ENDLIST\n"),
        ("list.ffconcat", f"ffconcat version 1.0\nfile '{target}'\n"),
    ):
        path = tmp_path / name
        path.write_text(content)
        assert failure_of(path)[0] == "NotAudioError"


def test_picture(tmp_path: Path) -> None:
    import av

    path = tmp_path / "cover.mp3"
    with av.open(str(path), "w", format="image2pipe") as out:
        stream = out.add_stream("png", rate=1)
        stream.width = stream.height = 32
        stream.pix_fmt = "rgb24"
        frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    assert failure_of(path)[0] == "NotAudioError"


def test_wrong_extension(tmp_path: Path) -> None:
    path = tmp_path / "really-flac.mp3"
    soundfile.write(path, music(6), 44_100, format="FLAC")
    assert decoded(path).info.container == "flac"


def test_zero_samples(tmp_path: Path) -> None:
    path = tmp_path / "none.wav"
    soundfile.write(path, np.zeros((0, 1)), 44_100)
    assert failure_of(path)[0] in ("EmptyAudioError", "NotAudioError")


def test_silent(tmp_path: Path) -> None:
    path = tmp_path / "silent.flac"
    soundfile.write(path, np.zeros(44_100 * 9), 44_100)
    error, message = failure_of(path)
    assert error == "SilentAudioError"
    assert "3 windows" in message


def test_silent_windows_are_left_out_and_noted(tmp_path: Path) -> None:
    path = tmp_path / "half.wav"
    soundfile.write(path, np.concatenate([music(8), np.zeros((8 * 44_100, 1))]), 44_100)
    audio = decoded(path)
    assert len(audio.starts) == 2
    assert audio.notes == ("2 of 4 windows silent",)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_non_finite(tmp_path: Path, value: float) -> None:
    audio = music(5)
    audio[1000] = value
    soundfile.write(tmp_path / "bad.wav", audio, 44_100, subtype="FLOAT")
    assert failure_of(tmp_path / "bad.wav")[0] == "NonFiniteAudioError"


def test_float_file_beyond_full_scale(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "hot.wav", music(5) * 1e6, 44_100, subtype="FLOAT")
    assert np.abs(decoded(tmp_path / "hot.wav").windows).max() == pytest.approx(1, abs=0.01)


def test_shorter_than_a_segment(wav) -> None:
    error, message = failure_of(wav(seconds=3))
    assert error == "TooShortError"
    assert "3.00 s" in message
    assert "4 s" in message


def test_a_little_shorter_than_a_segment_is_padded(wav) -> None:
    audio = decoded(wav(seconds=3.9))
    assert audio.starts == (0.0,)
    assert not audio.windows[0, -4000:].any()


@pytest.mark.parametrize("sample_rate", [8000, 22_050, 48_000, 192_000])
def test_sample_rates(wav, sample_rate: int) -> None:
    audio = decoded(wav(seconds=6, sample_rate=sample_rate))
    assert audio.info.sample_rate == sample_rate
    assert len(audio.starts) == 2
    reference = decoded(wav("reference.wav", seconds=6))
    spectra = [np.abs(np.fft.rfft(w))[: 4 * 3500] for w in (audio.windows[0], reference.windows[0])]
    assert np.corrcoef(spectra)[0, 1] > 0.95


def test_six_channels(tmp_path: Path) -> None:
    path = encode_with_ffmpeg(tmp_path / "surround.m4a", music(6, channels=6), 44_100, "aac")
    assert decoded(path).info.channels == 6
    soundfile.write(tmp_path / "surround.flac", music(6, channels=6), 44_100)
    assert decoded(tmp_path / "surround.flac").info.channels == 6


def test_video_with_a_sound_track(tmp_path: Path) -> None:
    path = encode_with_ffmpeg(tmp_path / "clip.mp4", music(6), 44_100, "aac", video=True)
    audio = decoded(path)
    assert (audio.info.container, audio.info.codec) == ("mov", "aac")


def test_video_without_a_sound_track(tmp_path: Path) -> None:
    import av

    path = tmp_path / "mute.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for _ in range(50):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    error, message = failure_of(path)
    assert error == "NotAudioError"
    assert "without a sound track" in message


@pytest.mark.parametrize(
    ("name", "encoder"),
    [("a.mp3", "libmp3lame"), ("a.m4a", "aac"), ("a.opus", "libopus"), ("a.aac", "aac"),
     ("a.mka", "flac"), ("a.wma", "wmav2"), ("a.ac3", "ac3")],
)  # fmt: skip
def test_windows_lie_where_they_say(tmp_path: Path, name: str, encoder: str) -> None:
    rate = 48_000 if encoder == "libopus" else 44_100
    audio = music(20, rate)
    path = encode_with_ffmpeg(tmp_path / name, audio, rate, encoder)
    result = decoded(path, segments=3)
    assert result.starts == pytest.approx((0, 8, 16), abs=0.2)
    reference = tmp_path / "reference.wav"
    soundfile.write(reference, audio, rate)
    for start, window in zip(result.starts, result.windows, strict=True):
        samples, _ = soundfile.read(reference, start=int(start * rate), frames=4 * rate)
        expected = np.interp(np.arange(176_400) / 44_100, np.arange(len(samples)) / rate, samples)
        shifted = np.fft.irfft(np.fft.rfft(window) * np.fft.rfft(expected).conj())
        lag = int(np.argmax(shifted))
        assert min(lag, len(window) - lag) < 0.06 * 44_100


def ogg_pages(content: bytes) -> list[bytes]:
    pages, position = [], 0
    while position < len(content):
        segments = content[position + 26]
        table = content[position + 27 : position + 27 + segments]
        length = 27 + segments + sum(table)
        pages.append(content[position : position + length])
        position += length
    return pages


def with_granule(page: bytes, granule: int) -> bytes:
    """The page with another time stamp, and the CRC that goes with it (RFC 3533)."""
    page = page[:6] + struct.pack("<q", granule) + page[14:22] + bytes(4) + page[26:]
    crc = 0
    for byte in page:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc & 0x80000000 else 0)) & 0xFFFFFFFF
    return page[:22] + struct.pack("<I", crc) + page[26:]


def test_opus_cut_at_a_fractional_offset(tmp_path: Path) -> None:
    whole = encode_with_ffmpeg(tmp_path / "a.opus", music(20, 48_000), 48_000, "libopus")
    pages = ogg_pages(whole.read_bytes())
    shifted = [
        with_granule(page, struct.unpack("<q", page[6:14])[0] - 163_200) for page in pages[5:]
    ]
    cut = tmp_path / "cut.opus"
    cut.write_bytes(b"".join(pages[:2] + shifted))
    with pytest.raises(soundfile.LibsndfileError):
        soundfile.read(cut)
    audio = decoded(cut)
    assert audio.info.codec == "opus"
    assert audio.info.duration == pytest.approx(17, abs=1.1)
    assert not audio.notes


def test_opus_cut_at_a_page(tmp_path: Path) -> None:
    whole = encode_with_ffmpeg(tmp_path / "a.opus", music(20, 48_000), 48_000, "libopus")
    pages = ogg_pages(whole.read_bytes())
    cut = tmp_path / "cut.opus"
    cut.write_bytes(b"".join(pages[:2] + pages[5:]))
    audio = decoded(cut)
    assert audio.info.duration == pytest.approx(17, abs=0.1)
    assert not audio.notes


def test_damaged_packets_do_not_pass_for_silence(tmp_path: Path) -> None:
    path = encode_with_ffmpeg(tmp_path / "a.m4a", music(20), 44_100, "aac")
    content = bytearray(path.read_bytes())
    begin = content.index(b"mdat") + 20_000
    content[begin : begin + 120_000] = bytes(120_000)
    path.write_bytes(content)
    audio = decoded(path, segments=None)
    assert len(audio.starts) < 5
    for window in audio.windows:
        assert np.mean(np.abs(window) < 1e-6) < 0.2
    assert "windows unreadable" in " ".join(audio.notes) or "windows silent" in " ".join(
        audio.notes
    )


def test_channels_in_antiphase_are_not_silence(tmp_path: Path) -> None:
    left = music(5)
    soundfile.write(tmp_path / "a.wav", np.hstack([left, -left]), 44_100)
    assert np.abs(decoded(tmp_path / "a.wav").windows).max() > 0.1


def test_sample_rate_too_low_to_judge(wav) -> None:
    error, message = failure_of(wav(seconds=6, sample_rate=1000))
    assert (error, message) == ("DecodeLimitError", "1000 Hz; at least 4000 Hz are needed")


def test_vbr_mp3_without_a_header_of_its_own(tmp_path: Path) -> None:
    path = encode_with_ffmpeg(tmp_path / "a.mp3", music(30), 44_100, "libmp3lame")
    content = path.read_bytes()
    for tag in (b"Xing", b"Info"):
        content = content.replace(tag, bytes(4))
    path.write_bytes(content)
    audio = decoded(path)
    assert audio.info.duration == pytest.approx(30, abs=0.3)
    assert not audio.notes


def test_chained_ogg_is_not_refused(tmp_path: Path) -> None:
    parts = [
        encode_with_ffmpeg(tmp_path / f"{n}.opus", music(8, 48_000), 48_000, "libopus")
        for n in range(2)
    ]
    path = tmp_path / "chained.opus"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    assert len(decoded(path).starts) >= 2


def test_truncated_mp3_scores_what_is_there(tmp_path: Path) -> None:
    path = encode_with_ffmpeg(tmp_path / "a.mp3", music(30), 44_100, "libmp3lame")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    audio = decoded(path)
    assert audio.starts[0] == 0
    assert audio.starts[-1] < 10


def test_truncated_m4a_without_index(tmp_path: Path) -> None:
    path = encode_with_ffmpeg(tmp_path / "a.m4a", music(30), 44_100, "aac")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert failure_of(path)[0] == "NotAudioError"


def test_truncated_flac_notes_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    soundfile.write(path, music(40), 44_100)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    audio = decoded(path)
    assert audio.starts[-1] < 20
    assert "40.0 s by its header" in audio.notes[0]


def test_header_that_promises_more_than_there_is(wav) -> None:
    path = wav(seconds=9)
    content = bytearray(path.read_bytes())
    position = content.index(b"data")
    content[position + 4 : position + 8] = struct.pack("<I", 0x7FFFFFF0)
    path.write_bytes(content)
    audio = decoded(path)
    assert audio.starts[0] == 0
    assert audio.info.duration == pytest.approx(9, abs=0.1) or audio.notes


def test_header_that_promises_and_holds_nothing(wav) -> None:
    path = wav(seconds=9)
    path.write_bytes(path.read_bytes()[:3000])
    assert failure_of(path)[0] in ("TooShortError", "DamagedAudioError")


@pytest.mark.parametrize(
    "name", ['it\'s "my" song #1.wav', "Ænima – 夜に駆ける.wav", "a b/ c%20d.wav"]
)
def test_odd_names(wav, name: str) -> None:
    assert decoded(wav(name)).starts


def test_no_permission(wav) -> None:
    path = wav()
    path.chmod(0)
    path.parent.chmod(0o755)
    user = os.geteuid()
    if user == 0:
        for folder in path.parents[:3]:
            folder.chmod(0o755)
        os.seteuid(65_534)
    try:
        error, message = failure_of(path)
    finally:
        os.seteuid(user)
    assert error == "AudioForbiddenError"
    assert str(path) in message


def test_ten_hours_cost_what_a_song_costs(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    rate, hours = 8000, 10
    length = rate * 3600 * hours
    tone = (128 + 100 * music(hours * 0 + 5, rate)[:, 0]).astype(np.uint8)
    with path.open("wb") as file:  # sparse: only the places that are looked at hold sound
        file.write(b"RIFF" + struct.pack("<I", 36 + length) + b"WAVEfmt ")
        file.write(struct.pack("<IHHIIHH", 16, 1, 1, rate, rate, 1, 8))
        file.write(b"data" + struct.pack("<I", length))
        for start in np.linspace(0, 3600 * hours - 4, 7):
            file.seek(44 + int(start * rate))
            file.write(tone.tobytes()[: 4 * rate])
        file.truncate(44 + length)
    audio = decoded(path)
    assert audio.info.duration == 36_000
    assert len(audio.starts) == 7


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (DecodeLimits(max_bytes=1000), "bytes"),
        (DecodeLimits(max_hours=0.001), "hours"),
        (DecodeLimits(max_channels=1), "channels"),
        (DecodeLimits(max_sample_rate=22_050), "Hz"),
        (DecodeLimits(max_seconds=0), "longer than"),
    ],
)
def test_limits(wav, limits: DecodeLimits, said: str) -> None:
    error, message = failure_of(wav(seconds=5, channels=2), limits=limits)
    assert error == "DecodeLimitError"
    assert said in message


def test_all_segments_stay_within_the_limit(wav) -> None:
    path = wav(seconds=60, sample_rate=8000)
    assert len(decoded(path, segments=None).starts) == 15
    capped = decoded(path, segments=None, limits=DecodeLimits(max_segments=4))
    assert len(capped.starts) == 4
    assert capped.notes == ("4 windows, not the 15 that cover the track",)


def blocks(path: Path, windows: int, monkeypatch: pytest.MonkeyPatch, **options) -> list:
    monkeypatch.setattr(decode_stage, "BLOCK", windows)
    row = ManifestRow("track", str(path), "manifest.jsonl", 1)
    return list(decode_blocks(row, CONFIG, DecodeOptions(**options), EmbeddedAudioReader()))


def test_pieces_are_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nine windows, two of them silent, three at a time."""
    sound = music(36)
    sound[4 * 44_100 : 8 * 44_100] = sound[32 * 44_100 :] = 0
    soundfile.write(tmp_path / "long.flac", sound, 44_100)
    whole = decoded(tmp_path / "long.flac", segments=None)
    pieces = blocks(tmp_path / "long.flac", 3, monkeypatch, segments=None)
    assert [len(one.audio.starts) for one in pieces] == [2, 3, 2]
    assert [one.last for one in pieces] == [False, False, True]
    assert sum((one.audio.starts for one in pieces), ()) == whole.starts
    windows = np.concatenate([one.audio.windows for one in pieces])
    np.testing.assert_array_equal(windows, whole.windows)
    last = pieces[-1].audio
    assert last.notes == whole.notes == ("2 of 9 windows silent",)
    assert last.facts == pytest.approx(whole.facts, nan_ok=True)
    joined = decode(tmp_path / "long.flac", segments=None)
    assert isinstance(joined, DecodedAudio)
    np.testing.assert_array_equal(joined.windows, whole.windows)


def test_silent_pieces_are_no_silent_track(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = np.zeros((24 * 44_100, 1), np.float32)
    sound[8 * 44_100 : 12 * 44_100] = music(4)
    soundfile.write(tmp_path / "one.wav", sound, 44_100)
    pieces = blocks(tmp_path / "one.wav", 2, monkeypatch, segments=None)
    assert [len(one.audio.starts) for one in pieces] == [0, 1, 0]
    assert pieces[-1].audio.notes == ("5 of 6 windows silent",)


def test_silence_throughout_is_found_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile.write(tmp_path / "none.wav", np.zeros(24 * 44_100, np.float32), 44_100)
    pieces = blocks(tmp_path / "none.wav", 2, monkeypatch, segments=None)
    assert [one.last for one in pieces] == [False, False, True]
    assert pieces[-1].audio == StageFailure(
        "decode", "SilentAudioError", "all 6 windows that could be read are silent"
    )


def test_pieces_share_one_limit_of_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    soundfile.write(tmp_path / "long.wav", music(24), 44_100)
    clock = iter(range(0, 1_000, 7))
    monkeypatch.setattr(decode_stage, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    limits = DecodeLimits(max_seconds=10.0)
    *_, last = blocks(tmp_path / "long.wav", 2, monkeypatch, segments=None, limits=limits)
    assert isinstance(last.audio, StageFailure)
    assert last.audio.message == "decoding took longer than 10 s"
