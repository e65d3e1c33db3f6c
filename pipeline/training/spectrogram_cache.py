"""What the CNN reads, on disk: an ArtifactUNet that no longer changes is run once.

Enters: crops int16 ``[..., samples]`` and a detector whose ArtifactUNet is frozen. Leaves: uint8
``[..., 4, bins, frames]``: magnitude, residual, harmonic and percussive on a logarithmic scale of
256 steps, a quarter of float32's size.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track as progress
from torch import Tensor

from artifactnet.models.artifactnet import ArtifactNet
from artifactnet.models.forensic_channels import FLOOR, forensic_channels
from artifactnet.pipeline.training.pair_cache import FULL_SCALE

LOWEST = float(np.log(FLOOR))
STEP = (4.6 - LOWEST) / 255
BATCH = 16


def quantise(maps: Tensor) -> Tensor:
    """Non-negative float32 maps as uint8, 0.06 nepers a step."""
    return ((torch.log(maps + FLOOR) - LOWEST) / STEP).round_().clamp_(0, 255).to(torch.uint8)


LEVELS = torch.exp(torch.arange(256) * STEP + LOWEST) - FLOOR
"""What each of the 256 values stands for."""


def cached_channels(maps: Tensor) -> Tensor:
    """Forensic channels ``[n, 7, bins, frames]`` of stored maps ``[n, 4, bins, frames]``."""
    values = LEVELS[maps.long()]
    return forensic_channels(*values.unbind(dim=1))


def cached_spectra(network: ArtifactNet, audio: Tensor) -> Tensor:
    """Spectra uint8 ``[n, 4, bins, frames]`` of ``audio`` float32 ``[n, samples]``."""
    with torch.inference_mode():
        return quantise(torch.stack(network.spectra(network.stft(audio), half=True), dim=1))


def _in_threads(
    network: ArtifactNet, batches: Iterable[NDArray[np.int16]], threads: int
) -> Iterator[bytes]:
    """Maps of each batch, in order. A batch a thread is twice as fast as threads in a batch."""

    def work(batch: NDArray[np.int16]) -> bytes:
        audio = torch.from_numpy(batch.astype(np.float32)) / FULL_SCALE
        return cached_spectra(network, audio).numpy().tobytes()

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads) as pool:
            source = iter(batches)
            while some := list(islice(source, 4 * threads)):  # so that few wait to be written
                yield from pool.map(work, some)
    finally:
        torch.set_num_threads(before)


def fill_spectrogram_cache(
    network: ArtifactNet, crops: NDArray[np.int16], path: Path, threads: int
) -> NDArray[np.uint8]:
    """Run ``network`` over ``crops`` ``[..., samples]`` into ``path``, unless it is there.

    Returns:
      uint8 ``[..., 4, bins, frames]``, mapped from disk.
    """
    network = network.eval().to(memory_format=torch.channels_last)
    flat = crops.reshape(-1, crops.shape[-1])
    frames = 1 + crops.shape[-1] // network.config.hop_length
    shape = (4, network.config.bins, frames)
    size = int(np.prod(shape))
    partial = path.with_name(path.name + ".partial")
    if not path.exists():
        done = partial.stat().st_size // size if partial.exists() else 0
        with partial.open("r+b" if partial.exists() else "wb") as out:
            out.truncate(done * size)
            out.seek(done * size)
            starts = range(done, len(flat), BATCH)
            batches = (flat[start : start + BATCH] for start in starts)
            maps = _in_threads(network, batches, threads)
            for content in progress(maps, description="Spectrograms", total=len(starts)):
                out.write(content)
        partial.replace(path)
    # Of a file for more crops, which began with these, the beginning.
    return np.memmap(path, np.uint8, "r", shape=(*crops.shape[:-1], *shape))
