"""What the detector learns from: couples of a genuine and a generated crop.

Enters: a :class:`Corpus` and the neural codecs of our own. Leaves: :class:`Couple` items.
Three kinds are drawn: one genuine crop and the same through one of our decoders; the
original and a version of a published pair; two unrelated crops, one of each class. Both
halves of a couple pass through the same random channel, and item ``index`` is a function
of seed and index alone, so an interrupted training goes on exactly where it was.
"""

import copy
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from models.linear_codec import draw_linear_codec, linear_codec
from models.neural_codec import NeuralCodec, load_neural_codec
from pipeline.training.corpus import Corpus, Excerpt
from pipeline.training.hard_negatives import treat
from pipeline.training.random_channel import apply_channel, draw_channel

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
"""Genuine sources with voices and recorded instruments; the rest is mostly sequenced."""

Audio = NDArray[np.float32]


class Couple(NamedTuple):
    """Crops ``[samples]`` of either class; ``aligned`` when only the decoder differs."""

    genuine: Tensor
    generated: Tensor
    aligned: bool | Tensor


class CoupleDataset(Dataset):
    """Couples drawn at random: balanced by class, then by source, then by track.

    Args:
      corpus: where crops come from; only rows of ``bench_origin`` ``train``.
      codec_paths: weights of our neural codecs.
      crop_samples: length of a crop.
      sample_rate: Hz.
      seed: with the index, decides the item.
      length: how many items there are.
    """

    def __init__(
        self,
        corpus: Corpus,
        codec_paths: tuple[Path, ...],
        crop_samples: int,
        sample_rate: int,
        seed: int,
        length: int,
    ) -> None:
        self._corpus = corpus
        self._crop_samples = crop_samples
        self._sample_rate = sample_rate
        self._seed = seed
        self._length = length
        self._codecs = [load_neural_codec(path) for path in codec_paths]
        rows = [row for row in corpus.excerpts if row.bench_origin == "train"]
        self._real = {True: self._by_source(rows, True), False: self._by_source(rows, False)}
        self._ai = _grouped([row for row in rows if row.label == "ai"])
        originals = {row.pair: row for row in rows if row.pair and row.label == "real"}
        self._pairs = _grouped(
            [row for row in rows if row.kind == "codec" and row.pair in originals]
        )
        self._originals = originals

    @staticmethod
    def _by_source(rows: list[Excerpt], recorded: bool) -> dict[str, list[Excerpt]]:
        chosen = [r for r in rows if r.label == "real" and (r.source in RECORDED) == recorded]
        return _grouped(chosen)

    def __len__(self) -> int:
        """Number of items."""
        return self._length

    def _crop(self, rng: np.random.Generator, *rows: Excerpt) -> list[Audio]:
        """The same place of each row, padded with zeros where a row is shorter."""
        audios = [self._corpus.audio(row) for row in rows]
        start = rng.integers(max(1, min(map(len, audios)) - self._crop_samples))
        crops = []
        for audio in audios:
            piece = audio[start : start + self._crop_samples]
            crops.append(np.pad(piece, (0, self._crop_samples - len(piece))))
        return crops

    def _genuine(self, rng: np.random.Generator) -> Audio:
        """A genuine crop; one in four is two crops mixed, voices over other music."""
        (crop,) = self._crop(rng, _pick(rng, self._real[rng.random() < 0.6]))
        if rng.random() < 0.25:
            (other,) = self._crop(rng, _pick(rng, self._real[rng.random() < 0.5]))
            crop = crop + other * 10 ** (rng.uniform(-12, 6) / 20)
        return crop.astype(np.float32)

    def _treated(self, rng: np.random.Generator, crop: Audio) -> Audio:
        """One crop in four after a treatment; either class alike, so that it says nothing."""
        return treat(crop, self._sample_rate, rng) if rng.random() < 0.25 else crop

    def _generated(self, rng: np.random.Generator, genuine: Audio) -> Audio:
        """The same crop by a decoder of ours: linear, neural, or neural and disturbed."""
        peak = max(1.0, float(np.abs(genuine).max()))
        if not self._codecs or rng.random() < 0.35:
            return linear_codec(genuine / peak, draw_linear_codec(rng)) * np.float32(peak)
        codec = self._codecs[rng.integers(len(self._codecs))]
        if rng.random() < 0.3:
            codec = disturbed(codec, rng)
        with torch.inference_mode():
            return codec(torch.from_numpy(genuine / peak)[None])[0].numpy() * peak

    def __getitem__(self, index: int) -> Couple:
        """Draw item ``index``."""
        rng = np.random.default_rng([self._seed, index])
        kind = rng.choice(["ours", "published", "unrelated"], p=[0.4, 0.2, 0.4])
        if kind == "ours":
            genuine = self._treated(rng, self._genuine(rng))
            generated = self._generated(rng, genuine)
        elif kind == "published":
            version = _pick(rng, self._pairs)
            genuine, generated = self._crop(rng, self._originals[version.pair or ""], version)
        else:
            genuine = self._treated(rng, self._genuine(rng))
            (generated,) = self._crop(rng, _pick(rng, self._ai))
            generated = self._treated(rng, generated)
        channel = draw_channel(rng)
        genuine, generated = apply_channel((genuine, generated), self._sample_rate, channel)
        return Couple(torch.from_numpy(genuine), torch.from_numpy(generated), kind == "ours")


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
    names = sorted(groups)
    group = groups[names[rng.integers(len(names))]]
    return group[rng.integers(len(group))]
