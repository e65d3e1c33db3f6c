"""How well the generated parts of spliced tracks are found, and how often human tracks get one.

Enters: full-length tracks that the detector has not learnt from, ``{"path", "label"}`` a line.
Leaves: of spliced tracks (a fifth to four fifths generated, loudness matched, cuts unmarked, coded
once) the overlap of what was found with what is there; of as many human and generated tracks of
the same length, how many are said to hold parts.

Run as ``python -m artifactnet.pipeline.experiments.spliced_tracks LIST --weights WEIGHTS``.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.progress import track as progress

from artifactnet.models.parts import Part
from artifactnet.models.weights.weights_file import SHIPPED_WEIGHTS
from artifactnet.pipeline.front_door import load_detector
from artifactnet.pipeline.training.statistics.bank import open_track
from artifactnet.transforms.audio.codec_spec import parse_codec
from artifactnet.transforms.audio.lossy_codec import PyAVBackend, codec_roundtrip
from artifactnet.transforms.audio.windows import mono_window

SAMPLE_RATE = 44_100
SECONDS = 84.0
CODECS = ("wav", "mp3:192k", "mp3:128k", "aac:128k", "opus:96k")
LAYOUTS = (("ai", "real"), ("real", "ai"), ("real", "ai", "real"), ("ai", "real", "ai"))
FADE = round(0.01 * SAMPLE_RATE)

Audio = NDArray[np.float32]


@dataclass(frozen=True)
class Splice:
    """A made track: samples at 44.1 kHz, and the seconds that are generated."""

    audio: Audio
    generated: tuple[tuple[float, float], ...]


def excerpt(path: str, seconds: float, rng: np.random.Generator) -> Audio:
    """A random piece of a track, mono, at one loudness."""
    with open_track(path) as reader:
        rate, duration = reader.info.sample_rate, reader.info.duration
        samples = reader.read(rng.random() * max(0.0, duration - seconds), seconds)
    audio = mono_window(samples, rate, SAMPLE_RATE, round(len(samples) * SAMPLE_RATE / rate))
    return audio * np.float32(0.1 / (np.sqrt(np.mean(audio**2)) + 1e-6))


def splice(
    real: str, ai: str, layout: Sequence[str], share: float, rng: np.random.Generator
) -> Splice:
    """Join pieces of two tracks, ``share`` of the whole generated, with fades of 10 ms."""
    wanted = {"ai": SECONDS * share, "real": SECONDS * (1 - share)}
    whole: list[Audio] = []
    spans, at = [], 0.0
    for kind in layout:
        seconds = wanted[kind] / layout.count(kind)
        piece = excerpt(ai if kind == "ai" else real, seconds, rng)
        piece[:FADE] *= np.linspace(0, 1, FADE, dtype=np.float32)
        piece[-FADE:] *= np.linspace(1, 0, FADE, dtype=np.float32)
        whole.append(piece)
        length = len(piece) / SAMPLE_RATE
        if kind == "ai":
            spans.append((at, at + length))
        at += length
    return Splice(np.concatenate(whole), tuple(spans))


def seconds_of(spans: Sequence[tuple[float, float]]) -> float:
    """Length of spans that don't overlap."""
    return sum(end - start for start, end in spans)


def overlap(found: Sequence[Part], truth: Sequence[tuple[float, float]]) -> float:
    """Seconds in both over seconds in either (IoU)."""
    both = sum(
        max(0.0, min(part.end, end) - max(part.start, start))
        for part in found
        for start, end in truth
    )
    either = seconds_of([(part.start, part.end) for part in found]) + seconds_of(truth) - both
    return both / either if either else 1.0


def main(
    listing: Annotated[Path, typer.Argument(help="JSONL with path and label of each track.")],
    weights: Annotated[Path, typer.Option()] = SHIPPED_WEIGHTS,
    tracks: Annotated[
        int, typer.Option(min=1, help="Spliced; as many human, and generated.")
    ] = 100,
    seed: int = 0,
) -> None:
    """Measure parts on spliced, human and generated tracks."""
    rows = [json.loads(line) for line in listing.read_text().splitlines()]
    by_label = {label: [r["path"] for r in rows if r["label"] == label] for label in ("real", "ai")}
    rng, detector, backend = np.random.default_rng(seed), load_detector(weights), PyAVBackend()
    overlaps: list[float] = []
    verdicts: Counter[tuple[str, str]] = Counter()
    with_parts: Counter[str] = Counter()
    jobs = [kind for kind in ("spliced", "real", "ai") for _ in range(tracks)]
    for number, kind in enumerate(progress(jobs, description="Tracks")):
        real, ai = (str(rng.choice(by_label[label])) for label in ("real", "ai"))
        share = float(rng.uniform(0.2, 0.8)) if kind == "spliced" else float(kind == "ai")
        layout = LAYOUTS[number % len(LAYOUTS)] if kind == "spliced" else (kind,)
        made = splice(real, ai, layout, share, rng)
        codec = parse_codec(str(rng.choice(CODECS)))
        audio = np.clip(codec_roundtrip(made.audio, SAMPLE_RATE, codec, backend), -1, 1)
        score = detector.score(audio, SAMPLE_RATE, segments=None)
        verdicts[kind, score.verdict] += 1
        with_parts[kind] += bool(score.parts)
        if kind == "spliced":
            overlaps.append(overlap(score.parts, made.generated))
    values = np.array(overlaps)
    found = values[values > 0]
    mean = found.mean() if len(found) else 0.0
    print(
        f"{tracks} spliced tracks: parts found in {len(found)}; IoU {values.mean():.2f} of all, "
        f"{mean:.2f} of those, {np.mean(values >= 0.5):.0%} at least .5"
    )
    for kind in ("real", "ai"):
        print(f"{tracks} {kind} tracks: {with_parts[kind]} with a generated part")
    for (kind, verdict), count in sorted(verdicts.items()):
        print(f"{kind} called {verdict}: {count}")


if __name__ == "__main__":
    typer.run(main)
