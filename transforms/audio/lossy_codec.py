"""Encode and decode one segment with a lossy codec.

Enters: mono float32 audio ``[samples]`` and a ``CodecSpec`` such as ``mp3:128k``. Leaves: the same
samples as a listener would get them after that codec, same length and aligned. Two backends stand
behind one interface: FFmpeg's libraries in process (PyAV, with libsndfile for Vorbis, whose FFmpeg
encoder is poor), and pydub over a system ``ffmpeg`` for encoders that the wheels lack (``--codecs
aac:128k:libfdk_aac``).
"""

import io
import shutil
from collections.abc import Mapping
from fractions import Fraction
from typing import Protocol

import av
import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from artifactnet.transforms.audio.codec_spec import (
    BACKEND_NAMES,
    FORMATS,
    UNPROCESSED,
    CodecSpec,
    rate_for,
)
from artifactnet.transforms.audio.pyav_reader import PyAVReader
from artifactnet.transforms.elements.errors import AuditError, CodecError


class CodecBackend(Protocol):
    """Something that can encode."""

    def encode(self, audio: NDArray[np.float32], sample_rate: int, spec: CodecSpec) -> bytes:
        """Encode mono float32 ``[samples]``, full scale 1, at a rate the format allows.

        Raises:
          CodecError: the encoder is missing or refuses.
        """
        ...


class PyAVBackend:
    """Encoders inside the PyAV and soundfile wheels.

    Args:
      options: for FFmpeg's encoder of a format, by the format's name.
    """

    def __init__(self, options: Mapping[str, Mapping[str, str]] | None = None) -> None:
        self._options = options or {}

    def encode(self, audio: NDArray[np.float32], sample_rate: int, spec: CodecSpec) -> bytes:
        """See ``CodecBackend``."""
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
                stream.options = dict(self._options.get(spec.name, {}))
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
        """See ``CodecBackend``."""
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


BACKENDS: dict[str, type[CodecBackend]] = dict(
    zip(BACKEND_NAMES, (PyAVBackend, PydubBackend), strict=True)
)


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
