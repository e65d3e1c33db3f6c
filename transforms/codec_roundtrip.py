"""Encode and decode one segment with a lossy codec.

Enters: mono float32 audio ``[samples]`` and a :class:`CodecSpec` such as ``mp3:128k``.
Leaves: the same samples as a listener would get them after that codec, same length and
aligned. Two backends stand behind one interface: FFmpeg's libraries in process (PyAV, with
libsndfile for Vorbis, whose FFmpeg encoder is poor), and pydub over a system ``ffmpeg``
for encoders that the wheels lack (``--codecs aac:128k:libfdk_aac``).
"""

import io
import shutil
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import av
import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from transforms.audio_errors import AuditError, CodecError
from transforms.pyav_reader import PyAVReader

UNPROCESSED = "wav"
"""The codec that changes nothing; every track is scored with it."""


@dataclass(frozen=True)
class _Format:
    encoder: str
    container: str
    sample_rates: tuple[int, ...]
    default_bitrate: int
    bitrates: range


def _kbit(lowest: int, highest: int) -> range:
    return range(1000 * lowest, 1000 * highest + 1)


FORMATS = {
    "mp3": _Format("libmp3lame", "mp3", (44_100, 48_000, 32_000), 128_000, _kbit(32, 320)),
    "aac": _Format("aac", "mp4", (44_100, 48_000, 32_000), 128_000, _kbit(16, 256)),
    "opus": _Format("libopus", "ogg", (48_000,), 96_000, _kbit(6, 256)),
    "vorbis": _Format("libvorbis", "ogg", (44_100, 48_000, 32_000), 128_000, _kbit(48, 256)),
}


@dataclass(frozen=True)
class CodecSpec:
    """One entry of ``--codecs``: ``NAME[:BITRATE[:ENCODER]]``.

    Attributes:
      name: ``wav`` or a key of ``FORMATS``.
      bitrate: bits per second; 0 for ``wav``.
      encoder: FFmpeg encoder in place of the format's own; empty for that.
    """

    name: str
    bitrate: int = 0
    encoder: str = ""

    def __str__(self) -> str:
        """The form that :func:`parse_codec` reads."""
        if self.name == UNPROCESSED:
            return UNPROCESSED
        text = f"{self.name}:{self.bitrate // 1000}k"
        return f"{text}:{self.encoder}" if self.encoder else text


def rate_for(spec: CodecSpec, sample_rate: int) -> int:
    """``sample_rate`` where the codec takes it, else the codec's first."""
    rates = FORMATS[spec.name].sample_rates
    return sample_rate if sample_rate in rates else rates[0]


def parse_codec(text: str) -> CodecSpec:
    """Read ``mp3``, ``mp3:128k`` or ``aac:128k:libfdk_aac``.

    Raises:
      ValueError: unknown codec or unusable bit rate; the message lists what is known.
    """
    name, _, rest = text.strip().lower().partition(":")
    if name == UNPROCESSED and not rest:
        return CodecSpec(UNPROCESSED)
    if name not in FORMATS:
        known = ", ".join([UNPROCESSED, *FORMATS])
        raise ValueError(f"unknown codec {text.strip()!r}: use NAME or NAME:BITRATE with {known}")
    rate, _, encoder = rest.partition(":")
    digits = rate.removesuffix("k")
    if not rest:
        return CodecSpec(name, FORMATS[name].default_bitrate)
    bitrate = int(digits) * 1000 if digits.isascii() and digits.isdigit() else 0
    allowed = FORMATS[name].bitrates
    if bitrate not in allowed:
        raise ValueError(
            f"bad bit rate in {text.strip()!r}: {name} in mono takes {allowed[0] // 1000}k to "
            f"{allowed[-1] // 1000}k"
        )
    if encoder and name == "vorbis":
        raise ValueError(f"{text.strip()!r}: Vorbis has one encoder here; leave it out")
    return CodecSpec(name, bitrate, encoder)


def parse_codecs(text: str) -> tuple[CodecSpec, ...]:
    """Read a comma-separated list; the unprocessed audio comes first even if unnamed.

    Raises:
      ValueError: as :func:`parse_codec`, or a codec is named twice.
    """
    named = [parse_codec(part) for part in text.split(",") if part.strip()]
    specs = [CodecSpec(UNPROCESSED)] + [spec for spec in named if spec.name != UNPROCESSED]
    if len(set(specs)) != len(specs):
        raise ValueError(f"a codec is named twice in {text!r}")
    return tuple(specs)


class CodecBackend(Protocol):
    """Something that can encode."""

    def encode(self, audio: NDArray[np.float32], sample_rate: int, spec: CodecSpec) -> bytes:
        """Encode mono float32 ``[samples]``, full scale 1, at a rate the format allows.

        Raises:
          CodecError: the encoder is missing or refuses.
        """
        ...


class PyAVBackend:
    """Encoders inside the PyAV and soundfile wheels."""

    def encode(self, audio: NDArray[np.float32], sample_rate: int, spec: CodecSpec) -> bytes:
        """See :class:`CodecBackend`."""
        buffer = io.BytesIO()
        try:
            if spec.name == "vorbis":
                # libsndfile takes a quality: 0 is its best. 64 to 256 kbit/s span 0.9 to 0.1.
                level = float(np.clip(1.1 - np.log2(spec.bitrate / 32_000) * 0.33, 0.0, 1.0))
                with soundfile.SoundFile(
                    buffer, "w", sample_rate, 1, "VORBIS", format="OGG", compression_level=level
                ) as sound:
                    sound.write(audio)
                return buffer.getvalue()
            target = FORMATS[spec.name]
            encoder = spec.encoder or target.encoder
            if av.Codec(encoder, "w").type != "audio":
                raise CodecError(f"{spec}: {encoder} is not an encoder of audio")
            with av.open(buffer, "w", format=target.container) as container:
                stream = container.add_stream(encoder, rate=sample_rate, layout="mono")
                assert isinstance(stream, av.AudioStream), "the encoder is one of audio"
                stream.bit_rate = spec.bitrate
                frame = av.AudioFrame.from_ndarray(audio[None], format="fltp", layout="mono")
                frame.sample_rate = sample_rate
                # From a stamped first frame the muxer learns the encoder's delay and has it cut.
                frame.pts, frame.time_base = 0, Fraction(1, sample_rate)
                container.mux(stream.encode(frame))
                container.mux(stream.encode(None))
        except CodecError:
            raise
        except (av.FFmpegError, soundfile.SoundFileError, ValueError, LookupError) as error:
            raise CodecError(f"{spec}: {error}") from error
        return buffer.getvalue()


class PydubBackend:
    """Encoders of the ``ffmpeg`` on the PATH, by way of pydub."""

    def __init__(self) -> None:
        """Check that ffmpeg is there.

        Raises:
          CodecError: no ``ffmpeg`` on the PATH.
        """
        if shutil.which("ffmpeg") is None:
            raise CodecError(
                "the pydub codec backend needs ffmpeg on the PATH: install it, "
                "or use --codec-backend pyav"
            )

    def encode(self, audio: NDArray[np.float32], sample_rate: int, spec: CodecSpec) -> bytes:
        """See :class:`CodecBackend`."""
        from pydub import AudioSegment  # warns on import where ffmpeg is absent
        from pydub.exceptions import CouldntEncodeError

        target = FORMATS[spec.name]
        pcm = np.clip(np.round(audio * 32767), -32768, 32767).astype("<i2")
        segment = AudioSegment(pcm.tobytes(), frame_rate=sample_rate, sample_width=2, channels=1)
        try:
            return segment.export(
                io.BytesIO(),
                format=target.container,
                codec=spec.encoder or target.encoder,
                bitrate=f"{spec.bitrate // 1000}k",
            ).getvalue()
        except (CouldntEncodeError, OSError) as error:
            reason = str(error).strip().splitlines()[-1]
            raise CodecError(f"{spec}: ffmpeg: {reason}") from error


BACKENDS: dict[str, type[CodecBackend]] = {"pyav": PyAVBackend, "pydub": PydubBackend}


def codec_roundtrip(
    audio: NDArray[np.float32], sample_rate: int, spec: CodecSpec, backend: CodecBackend
) -> NDArray[np.float32]:
    """Encode and decode ``audio``.

    Args:
      audio: mono float32 ``[samples]``, full scale 1.
      sample_rate: of ``audio`` in Hz.
      spec: which codec; ``wav`` returns ``audio`` itself.
      backend: who encodes. FFmpeg's libraries decode in either case.

    Returns:
      float32 ``[samples]``, aligned with ``audio``.

    Raises:
      CodecError: naming the codec and the reason.
    """
    if spec.name == UNPROCESSED:
        return audio
    coded_rate = rate_for(spec, sample_rate)
    source = audio if coded_rate == sample_rate else soxr.resample(audio, sample_rate, coded_rate)
    encoded = backend.encode(source, coded_rate, spec)
    try:
        reader = PyAVReader(io.BytesIO(encoded), lambda: None)
        decoded = reader.read(0.0, len(source) / coded_rate)[:, 0]
    except AuditError as error:
        raise CodecError(f"{spec}: {error}") from error
    if reader.info.sample_rate != sample_rate:
        decoded = soxr.resample(decoded, reader.info.sample_rate, sample_rate)
    result = np.zeros_like(audio)
    length = min(len(audio), len(decoded))
    result[:length] = decoded[:length]
    return result


def check_codecs(specs: tuple[CodecSpec, ...], backend: CodecBackend) -> None:
    """Try every codec once on a second of quiet noise.

    Raises:
      CodecError: an encoder is missing or refuses its bit rate.
    """
    noise = 0.1 * np.random.default_rng(0).standard_normal(44_100).astype(np.float32)
    for spec in specs:
        codec_roundtrip(noise, 44_100, spec, backend)
