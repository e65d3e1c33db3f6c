"""How much of an object is read for seven windows of 4 s, by container.

    python benchmarks/bytes_per_track.py [--minutes 4]

A synthetic track of the given length is encoded in each format, stored in an S3 emulator, and
decoded as an audit does; the bytes that the store sent are set against the whole file.
"""

import argparse
import io
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import soundfile

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.emulators import Faults, put, s3

from artifactnet.models.config import ArtifactNetConfig
from artifactnet.transforms.decode import DecodeOptions, decode_row
from artifactnet.transforms.elements.records import ManifestRow, StageFailure
from artifactnet.transforms.manifests.parquet import EmbeddedAudioReader

RATE = 44_100


def encode(audio: np.ndarray, kind: str) -> bytes:
    """``audio`` ``[samples, 2]`` as a file."""
    buffer = io.BytesIO()
    if kind in ("wav", "flac", "ogg"):
        with soundfile.SoundFile(buffer, "w", RATE, 2, format=kind) as sound:
            for start in range(0, len(audio), RATE):  # libvorbis overflows on long writes
                sound.write(audio[start : start + RATE])
        return buffer.getvalue()
    encoder, container, rate = {
        "mp3": ("libmp3lame", "mp3", 192_000),
        "m4a": ("aac", "ipod", 192_000),
        "opus": ("libopus", "ogg", 128_000),
    }[kind]
    sample_rate = 48_000 if kind == "opus" else RATE
    with av.open(buffer, "w", format=container) as out:
        stream = out.add_stream(encoder, rate=sample_rate, layout="stereo")
        stream.bit_rate = rate
        for start in range(0, len(audio), RATE):
            block = np.ascontiguousarray(audio[start : start + RATE].T)
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="stereo")
            frame.sample_rate = sample_rate
            frame.pts, frame.time_base = start, Fraction(1, sample_rate)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return buffer.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=4.0)
    options = parser.parse_args()
    samples = int(60 * options.minutes * RATE)
    time = np.arange(samples) / RATE
    rng = np.random.default_rng(0)
    tone = 0.2 * np.sin(2 * np.pi * 220 * time) * np.exp(-3 * (time % 0.5))
    audio = (tone[:, None] + rng.normal(0, 0.02, (samples, 2))).astype(np.float32)
    print("| format | whole file | read | share | requests |")
    print("| --- | --- | --- | --- | --- |")
    faults = Faults()
    with s3(faults) as bucket:
        for kind in ("wav", "flac", "mp3", "ogg", "opus", "m4a"):
            content = encode(audio, kind)
            put(f"{bucket}/a.{kind}", content)
            faults.counts.clear()
            row = ManifestRow("a", f"{bucket}/a.{kind}", "m", 1)
            track = decode_row(row, ArtifactNetConfig(), DecodeOptions(), EmbeddedAudioReader())
            if isinstance(track.audio, StageFailure):
                sys.exit(track.audio.message)
            read, requests = faults.counts["bytes"], faults.counts["requests"]
            print(f"| {kind} | {len(content) / 1e6:.2f} MB | {read / 1e6:.2f} MB | "
                  f"{read / len(content):.0%} | {requests} |")  # fmt: skip


if __name__ == "__main__":
    main()
