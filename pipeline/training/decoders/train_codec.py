"""Train one small neural codec on real music.

Enters: the real training excerpts of a corpus. Leaves: a codec's weights file. A few
minutes are enough: a codec that is only partly trained still leaves its decoder's traces,
and many different decoders matter more than good ones.

Run as ``python -m artifactnet.pipeline.training.decoders.train_codec MANIFEST OUT``.
"""

import time
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import numpy as np
import soxr
import torch
import typer
from torch import Tensor, nn
from torch.nn import functional

from artifactnet.models.config import ArtifactNetConfig
from artifactnet.pipeline.training.corpus import Corpus, load_corpus
from artifactnet.pipeline.training.decoders.neural_codec import (
    NeuralCodec,
    NeuralCodecConfig,
    save_neural_codec,
)

SAMPLE_RATE = ArtifactNetConfig().sample_rate


def spectral_loss(decoded: Tensor, original: Tensor) -> Tensor:
    """Multi-resolution STFT loss (Yamamoto et al., arXiv 1910.11480, section 2.2)."""
    total = torch.zeros(())
    for n_fft in (256, 1024, 2048):
        window = torch.hann_window(n_fft)
        ours, theirs = (
            torch.stft(x, n_fft, n_fft // 4, window=window, return_complex=True).abs()
            for x in (decoded, original)
        )
        convergence = (theirs - ours).norm() / theirs.norm().clamp_min(1e-3)
        total = (
            total + convergence + (torch.log(ours + 1e-4) - torch.log(theirs + 1e-4)).abs().mean()
        )
    return total


class Discriminator(nn.Sequential):
    """Scores log magnitudes patch by patch, as in Encodec (arXiv 2210.13438, section 3.4)."""

    def __init__(self) -> None:
        widths = (1, 16, 32, 32)
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layers += [nn.Conv2d(inputs, outputs, (7, 3), (2, 2), (3, 1)), nn.LeakyReLU(0.2)]
        super().__init__(*layers, nn.Conv2d(widths[-1], 1, 3, padding=1))

    def forward(self, audio: Tensor) -> Tensor:
        """Scores of ``[batch, samples]``."""
        window = torch.hann_window(1024)
        spectrum = torch.stft(audio, 1024, 256, window=window, return_complex=True)
        return super().forward(torch.log(spectrum.abs() + 1e-3).unsqueeze(1))


def random_crops(corpus: Corpus, rng: np.random.Generator, batch: int, samples: int) -> Tensor:
    """Crops ``[batch, samples]`` of real training excerpts, each source equally likely."""
    sources: dict[str, list] = {}
    for excerpt in corpus.excerpts:
        if excerpt.label == "real" and excerpt.bench_origin == "train":
            sources.setdefault(excerpt.source, []).append(excerpt)
    names = sorted(sources)
    crops = np.zeros((batch, samples), np.float32)
    for row in crops:
        group = sources[names[rng.integers(len(names))]]
        audio = corpus.audio(group[rng.integers(len(group))])
        start = rng.integers(max(1, len(audio) - samples))
        piece = audio[start : start + samples]
        row[: len(piece)] = piece
    return torch.from_numpy(crops)


def main(
    manifest: Path,
    out: Path,
    decoder: str = "transposed",
    strides: Annotated[str, typer.Option(help="Encoder strides, e.g. 4,8,8")] = "4,8,8",
    channels: int = 12,
    latent: Annotated[int, typer.Option(help="Scalars a latent frame")] = 24,
    levels: Annotated[int, typer.Option(help="Values of a scalar; 0 for a noisy one")] = 9,
    front: Annotated[str, typer.Option(help="waveform or mel")] = "waveform",
    sample_rate: int = SAMPLE_RATE,
    adversarial: Annotated[float, typer.Option(help="Weight of a discriminator")] = 0.0,
    minutes: float = 6.0,
    threads: int = 1,
    seed: int = 0,
    cache: Path = Path("runs/cache"),
) -> None:
    """Train a codec for MINUTES of wall time and write it to OUT."""
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    rng = np.random.default_rng(seed)
    corpus = load_corpus(manifest, cache, SAMPLE_RATE)
    discriminator = Discriminator()
    sharpening = torch.optim.AdamW(discriminator.parameters(), 1e-3, betas=(0.5, 0.9))
    config = NeuralCodecConfig(
        decoder=decoder,  # type: ignore[arg-type]
        strides=tuple(int(stride) for stride in strides.split(",")),
        channels=channels,
        latent_channels=latent,
        levels=levels,
        front=front,  # type: ignore[arg-type]
        sample_rate=sample_rate,
    )
    codec = NeuralCodec(config)
    optimiser = torch.optim.AdamW(codec.parameters(), 1e-3, betas=(0.8, 0.99))
    end, step = time.monotonic() + 60 * minutes, 0
    while time.monotonic() < end:
        original = random_crops(corpus, rng, 4, 32_768)
        if sample_rate != SAMPLE_RATE:
            own = soxr.resample(original.numpy().T, SAMPLE_RATE, sample_rate).T
            original = torch.from_numpy(own.copy())
        decoded = codec(original)
        loss = spectral_loss(decoded, original) + 5 * (decoded - original).abs().mean()
        if adversarial:
            real, fake = discriminator(original), discriminator(decoded.detach())
            sharpening.zero_grad()
            (functional.relu(1 - real).mean() + functional.relu(1 + fake).mean()).backward()
            sharpening.step()
            loss = loss - adversarial * discriminator(decoded).mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(codec.parameters(), 1.0)
        optimiser.step()
        if step % 20 == 0:
            print(f"step {step} loss {loss.item():.4f}", flush=True)
        step += 1
    print(f"{step} steps, model id {save_neural_codec(codec, out)}")


if __name__ == "__main__":
    typer.run(main)
