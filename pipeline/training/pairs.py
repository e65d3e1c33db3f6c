"""What the detector learns from: pairs of a real and a generated crop.

Enters: a ``Corpus`` and the neural codecs of our own. Leaves: ``Pair`` items.
Three kinds are drawn: one real crop and the same through one of our decoders
(``ours``); the original and a version of a published pair (``published``); two unrelated
crops, one of each class (``unrelated``), the generated one now and then through one more
decoder. Both halves of a pair pass through the same random augmentations, and item ``index``
is a function of seed and index alone, so drawing that was interrupted goes on exactly
where it was.
"""

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from artifactnet.pipeline.training.augmentations import augment, draw_augmentation
from artifactnet.pipeline.training.corpus import Corpus, Excerpt
from artifactnet.pipeline.training.decoders.linear_codec import draw_linear_codec, linear_codec
from artifactnet.pipeline.training.decoders.neural_codec import NeuralCodec, load_neural_codec
from artifactnet.pipeline.training.degradations import degrade

RECORDED = frozenset(
    (
        "bigvgan-demo-originals",
        "fma-musichifi",
        "fretsonfire-songs-sectoid",
        "librosa-data",
        "mir-1k",
        "musdb-excerpts",
        "nexuiz-music",
        "recorded-web",
    )
)
"""Real sources with voices and recorded instruments; the rest is mostly sequenced."""

KINDS = ("ours", "published", "unrelated")
"""Of pairs."""

Audio = NDArray[np.float32]


@dataclass(frozen=True)
class Origin:
    """Where a pair comes from, so that a training can leave some out.

    Attributes:
      kind: one of ``KINDS``.
      sources: of every excerpt in it.
      codec: of ours in it, by file stem, ``linear`` for a linear one, or empty.
      degraded: whether a hard negative's degradation is in it.
    """

    kind: str
    sources: tuple[str, ...]
    codec: str = ""
    degraded: bool = False


class Pair(NamedTuple):
    """Crops float32 ``[augmentations, 2, samples]``, the real one first, and their origin."""

    crops: NDArray[np.float32]
    origin: Origin


@dataclass(frozen=True)
class Drawing:
    """How pairs are drawn.

    Attributes:
      codecs: weights of our neural codecs.
      crop_samples: length of a crop.
      sample_rate: Hz.
      length: how many pairs there are.
      augmentations: random augmentations that each passes through; 0 for none, as it is.
      kinds: shares of the ``KINDS``.
      bench_origin: rows that crops come from.
      seed: with the index, decides the pair.
    """

    codecs: tuple[Path, ...]
    crop_samples: int
    sample_rate: int
    length: int
    augmentations: int = 2
    kinds: tuple[float, float, float] = (0.4, 0.2, 0.4)
    bench_origin: str = "train"
    seed: int = 0


class PairDataset(Dataset):
    """Pairs drawn at random: by class, then by source, then by track.

    Real ones are first drawn by whether they are recorded, six in ten.
    """

    def __init__(self, corpus: Corpus, drawing: Drawing) -> None:
        self._corpus = corpus
        self._drawing = drawing
        self._crop_samples = drawing.crop_samples
        self._sample_rate = drawing.sample_rate
        self._codecs = {path.stem: load_neural_codec(path) for path in drawing.codecs}
        rows = [row for row in corpus.excerpts if row.bench_origin == drawing.bench_origin]
        self._real = {True: self._by_source(rows, True), False: self._by_source(rows, False)}
        self._ai = _grouped([row for row in rows if row.label == "ai"])
        originals = {row.pair: row for row in rows if row.pair and row.label == "real"}
        self._published = _grouped(
            [row for row in rows if row.kind == "codec" and row.pair in originals]
        )
        self._originals = originals

    @staticmethod
    def _by_source(rows: list[Excerpt], recorded: bool) -> dict[str, list[Excerpt]]:
        chosen = [r for r in rows if r.label == "real" and (r.source in RECORDED) == recorded]
        return _grouped(chosen)

    def __len__(self) -> int:
        """Number of items."""
        return self._drawing.length

    def _crop(self, rng: np.random.Generator, *rows: Excerpt) -> list[Audio]:
        """The same place of each row, padded with zeros where a row is shorter."""
        audios = [self._corpus.audio(row) for row in rows]
        start = rng.integers(max(1, min(map(len, audios)) - self._crop_samples))
        crops = []
        for audio in audios:
            piece = audio[start : start + self._crop_samples]
            crops.append(np.pad(piece, (0, self._crop_samples - len(piece))))
        return crops

    def _real_crop(self, rng: np.random.Generator) -> tuple[Audio, tuple[str, ...]]:
        """A real crop and its sources; one in three is two crops mixed."""
        row = _pick(rng, self._real[rng.random() < 0.6])
        (crop,) = self._crop(rng, row)
        if rng.random() >= 1 / 3:
            return crop, (row.source,)
        over = _pick(rng, self._real[rng.random() < 0.5])
        (other,) = self._crop(rng, over)
        mixed = crop + other * 10 ** (rng.uniform(-12, 6) / 20)
        return mixed.astype(np.float32), (row.source, over.source)

    def _degrade(self, rng: np.random.Generator, *crops: Audio) -> tuple[tuple[Audio, ...], bool]:
        """One pair in four after degradations; either class alike, so that they say nothing."""
        if rng.random() >= 0.25:
            return crops, False
        return tuple(degrade(crop, self._sample_rate, rng) for crop in crops), True

    def _decoded(self, rng: np.random.Generator, crop: Audio) -> tuple[Audio, str]:
        """The same crop by a decoder of ours: linear, neural, or neural and disturbed."""
        peak = max(1.0, float(np.abs(crop).max()))
        if not self._codecs or rng.random() < 0.25:
            return linear_codec(crop / peak, draw_linear_codec(rng)) * np.float32(peak), "linear"
        name = sorted(self._codecs)[rng.integers(len(self._codecs))]
        codec = self._codecs[name]
        if rng.random() < 0.3:
            codec = disturbed(codec, rng)
        return decoded_by(codec, crop / peak, self._sample_rate, rng) * np.float32(peak), name

    def __getitem__(self, index: int) -> Pair:
        """Draw item ``index``."""
        rng = np.random.default_rng([self._drawing.seed, index])
        crops, origin = self._pair(rng)
        augmentations = [draw_augmentation(rng) for _ in range(self._drawing.augmentations)]
        passed = [augment(crops, self._sample_rate, one) for one in augmentations]
        return Pair(np.stack([np.stack(pair) for pair in passed or [crops]]), origin)

    def _pair(self, rng: np.random.Generator) -> tuple[tuple[Audio, ...], Origin]:
        kind = str(rng.choice(KINDS, p=self._drawing.kinds))
        if kind == "published":
            version = _pick(rng, self._published)
            original = self._originals[version.pair or ""]
            crops = tuple(self._crop(rng, original, version))
            return crops, Origin(kind, (original.source, version.source))
        real, sources = self._real_crop(rng)
        if kind == "ours":
            (real,), degraded = self._degrade(rng, real)
            generated, codec = self._decoded(rng, real)
            return (real, generated), Origin(kind, sources, codec, degraded)
        row, codec = _pick(rng, self._ai), ""
        (generated,) = self._crop(rng, row)
        if rng.random() < 0.15:
            generated, codec = self._decoded(rng, generated)
        crops, degraded = self._degrade(rng, real, generated)
        return crops, Origin(kind, (*sources, row.source), codec, degraded)


def decoded_by(
    codec: NeuralCodec, audio: Audio, sample_rate: int, rng: np.random.Generator
) -> Audio:
    """``audio`` ``[samples]`` at ``sample_rate`` through ``codec`` at the codec's rate."""
    rate = codec.config.sample_rate
    own = audio if rate == sample_rate else soxr.resample(audio, sample_rate, rate)
    with torch.inference_mode(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(1 << 30)))  # of a continuous latent's noise
        out = codec(torch.from_numpy(own)[None])[0].numpy()
    if rate != sample_rate:
        out = soxr.resample(out, rate, sample_rate)
    return np.pad(out, (0, max(0, len(audio) - len(out))))[: len(audio)]


def disturbed(codec: NeuralCodec, rng: np.random.Generator) -> NeuralCodec:
    """A further decoder: ``codec`` with noise of 2 to 15 % on its decoder's weights."""
    strength = float(np.exp(rng.uniform(np.log(0.02), np.log(0.15))))
    generator = torch.Generator().manual_seed(int(rng.integers(1 << 30)))
    other = copy.deepcopy(codec)
    with torch.no_grad():
        for parameter in other.decoder.parameters():
            if parameter.numel() > 1:
                noise = torch.randn(parameter.shape, generator=generator)
                parameter.add_(strength * parameter.std() * noise)
    return other


def _grouped(rows: list[Excerpt]) -> dict[str, list[Excerpt]]:
    groups: dict[str, list[Excerpt]] = {}
    for row in rows:
        groups.setdefault(row.source, []).append(row)
    return groups


def _pick(rng: np.random.Generator, groups: dict[str, list[Excerpt]]) -> Excerpt:
    if not groups:
        raise ValueError(
            "the manifest has no train rows of a kind that is to be drawn; it takes generated "
            "music (kind ai), versions with their originals (kind codec, pair), and real music, "
            f"both recorded (sources {', '.join(sorted(RECORDED))}) and other"
        )
    names = sorted(groups)
    group = groups[names[rng.integers(len(names))]]
    return group[rng.integers(len(group))]
