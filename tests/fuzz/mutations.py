"""Files as disks, taggers and ill will leave them.

Enters: whole files of each container. Leaves: for every number one mutated file, the same
as long as the process lives (some encoders draw a serial number).
"""

import io
import random
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import soundfile

from tests.conftest import encode_with_ffmpeg, music

RATE = 44_100
WRITTEN_BY_LIBSNDFILE = {
    "wav": ("WAV", "PCM_16"), "wav-float": ("WAV", "FLOAT"), "wav-adpcm": ("WAV", "IMA_ADPCM"),
    "aiff": ("AIFF", "PCM_24"), "au": ("AU", "PCM_16"), "caf": ("CAF", "PCM_16"),
    "w64": ("W64", "PCM_16"), "rf64": ("RF64", "PCM_16"), "voc": ("VOC", "PCM_16"),
    "flac": ("FLAC", "PCM_16"), "ogg": ("OGG", "VORBIS"), "opus": ("OGG", "OPUS"),
    "sf-mp3": ("MP3", "MPEG_LAYER_III"),
}  # fmt: skip
"""Format and subtype."""
WRITTEN_BY_FFMPEG = {
    "mp3": ("mp3", "libmp3lame"), "adts": ("adts", "aac"), "m4a": ("mp4", "aac"),
    "alac": ("mp4", "alac"), "mka": ("matroska", "libmp3lame"), "webm": ("webm", "libopus"),
    "ts": ("mpegts", "aac"), "avi": ("avi", "mp2"), "flv": ("flv", "aac"), "wma": ("asf", "wmav2"),
    "wv": ("wv", "wavpack"), "mpg": ("mpeg", "mp2"), "ac3": ("ac3", "ac3"), "tta": ("tta", "tta"),
}  # fmt: skip
"""Container and encoder."""


def _by_libsndfile(kind: str, subtype: str) -> bytes:
    buffer = io.BytesIO()
    rate = 48_000 if subtype == "OPUS" else RATE
    soundfile.write(buffer, music(9), rate, subtype, format=kind)
    return buffer.getvalue()


def _by_ffmpeg(container: str, encoder: str) -> bytes:
    rate = 48_000 if encoder == "libopus" else RATE
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "original"
        encode_with_ffmpeg(path, music(9), rate, encoder, container=container)
        return path.read_bytes()


@cache
def originals() -> dict[str, bytes]:
    """A whole file of each container that can be written here."""
    files: dict[str, bytes] = {}
    for name, settings in WRITTEN_BY_LIBSNDFILE.items():
        files[name] = _by_libsndfile(*settings)
    for name, settings in WRITTEN_BY_FFMPEG.items():
        files[name] = _by_ffmpeg(*settings)
    return files


def _place(rng: random.Random, content: bytearray, header: bool) -> int:
    return rng.randrange(min(len(content), 4096 if header else len(content)))


def _flip(rng: random.Random, content: bytearray) -> bytearray:
    for _ in range(rng.choice((1, 3, 20, 200))):
        content[_place(rng, content, rng.random() < 0.5)] ^= 1 << rng.randrange(8)
    return content


def _header(rng: random.Random, content: bytearray) -> bytearray:
    for _ in range(rng.choice((1, 2, 8))):
        content[_place(rng, content, True)] = rng.choice((0, 1, 0x7F, 0x80, 0xFE, 0xFF))
    return content


def _length(rng: random.Random, content: bytearray) -> bytearray:
    """A field of four bytes becomes a length that lies."""
    place = min(_place(rng, content, rng.random() < 0.8), len(content) - 4)
    value = rng.choice((0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, rng.getrandbits(32)))
    content[place : place + 4] = value.to_bytes(4, rng.choice(("big", "little")))
    return content


def _truncated(rng: random.Random, content: bytearray) -> bytearray:
    return content[: int(len(content) * rng.random() ** rng.choice((0.3, 1, 4)))]


def _spliced(rng: random.Random, content: bytearray) -> bytearray:
    other = originals()[rng.choice(sorted(originals()))]
    cut, begin = _place(rng, content, rng.random() < 0.3), rng.randrange(len(other))
    return (
        content[:cut]
        + other[begin : begin + rng.choice((64, 4096, len(other)))]
        + (content[cut:] if rng.random() < 0.5 else b"")
    )


def _hole(rng: random.Random, content: bytearray) -> bytearray:
    place, size = _place(rng, content, False), rng.choice((16, 512, 8192))
    filler = rng.choice((b"\0", b"\xff", b"OggS", b"fLaC", b"ID3"))
    if rng.random() < 0.5:
        return content[:place] + content[place + size :]
    content[place : place + size] = (filler * size)[:size]
    return content


def _repeated(rng: random.Random, content: bytearray) -> bytearray:
    place, size = _place(rng, content, rng.random() < 0.5), rng.choice((8, 64, 4096))
    return content[:place] + content[place : place + size] * rng.choice((2, 50)) + content[place:]


MUTATIONS: tuple[Callable[[random.Random, bytearray], bytearray], ...] = (
    _flip, _header, _length, _truncated, _spliced, _hole, _repeated,
)  # fmt: skip


def mutated(number: int) -> tuple[str, bytes]:
    """What was done, e.g. ``flac: flip, length``, and the file of case ``number``."""
    rng = random.Random(number)
    name = sorted(originals())[number % len(originals())]
    content, done = bytearray(originals()[name]), []
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        mutation = rng.choice(MUTATIONS)
        if len(content) > 8:
            content = mutation(rng, content)
            done.append(mutation.__name__.strip("_"))
    return f"{name}: {', '.join(done)}", bytes(content)
