"""Which lossy codec, at which bit rate: what ``--codecs`` says.

Enters: text such as ``mp3:128k``. Leaves: a ``CodecSpec``. This module loads no encoder, so that
the command line can check its options at once.
"""

from dataclasses import dataclass

UNPROCESSED = "wav"
"""The codec that changes nothing; every track is scored with it."""


@dataclass(frozen=True)
class CodecFormat:
    """Encoder, container, sample rates and bit rates of a codec."""

    encoder: str
    container: str
    sample_rates: tuple[int, ...]
    default_bitrate: int
    bitrates: range


def _kbit(lowest: int, highest: int) -> range:
    return range(1000 * lowest, 1000 * highest + 1)


FORMATS = {
    "mp3": CodecFormat("libmp3lame", "mp3", (44_100, 48_000, 32_000), 128_000, _kbit(32, 320)),
    "aac": CodecFormat("aac", "mp4", (44_100, 48_000, 32_000), 128_000, _kbit(16, 256)),
    "opus": CodecFormat("libopus", "ogg", (48_000,), 96_000, _kbit(6, 256)),
    "vorbis": CodecFormat("libvorbis", "ogg", (44_100, 48_000, 32_000), 128_000, _kbit(48, 256)),
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
        """The form that ``parse_codec`` reads."""
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
      ValueError: as ``parse_codec``, or a codec is named twice.
    """
    named = [parse_codec(part) for part in text.split(",") if part.strip()]
    specs = [CodecSpec(UNPROCESSED)] + [spec for spec in named if spec.name != UNPROCESSED]
    if len(set(specs)) != len(specs):
        raise ValueError(f"a codec is named twice in {text!r}")
    return tuple(specs)


PYAV = "pyav"
BACKEND_NAMES = (PYAV, "pydub")
"""Who encodes: see ``transforms/audio/lossy_codec.py``."""
