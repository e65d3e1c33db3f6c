"""Examples on disk, so that an epoch is minutes.

Enters: a ``PairDataset``. Leaves: a ``PairCache``, its pairs as 16-bit samples
in one file and their origins in another. Filling that was interrupted goes on.
"""

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track as progress
from torch.utils.data import DataLoader, Subset

from artifactnet.pipeline.training.pairs import Origin, PairDataset

FULL_SCALE = 32_767


@dataclass(frozen=True)
class PairCache:
    """Pairs ready for training.

    Attributes:
      crops: int16 ``[pairs, augmentations, 2, samples]``, mapped from disk; real first.
      origins: one a pair.
    """

    crops: NDArray[np.int16]
    origins: tuple[Origin, ...]

    def first(self, count: int) -> "PairCache":
        """The first ``count`` pairs."""
        return PairCache(self.crops[:count], self.origins[:count])

    def chosen(self, keep: Callable[[Origin], bool]) -> NDArray[np.intp]:
        """Indices of the pairs whose origin ``keep`` accepts."""
        return np.array([i for i, origin in enumerate(self.origins) if keep(origin)], np.intp)


def _first(items: list) -> object:
    return items[0]


def fill_pair_cache(dataset: PairDataset, folder: Path, name: str, workers: int) -> PairCache:
    """Draw every pair of ``dataset`` into ``folder``, unless it is there.

    Args:
      dataset: pairs, each a function of its index.
      folder: for ``name.i16`` and ``name.jsonl``.
      name: must tell datasets apart.
      workers: processes that draw.
    """
    folder.mkdir(parents=True, exist_ok=True)
    samples_path, origins_path = folder / f"{name}.i16", folder / f"{name}.jsonl"
    lines = origins_path.read_text().splitlines() if origins_path.exists() else []
    shape = dataset[0].crops.shape
    size = int(np.prod(shape)) * 2
    # A kill may have left half a line, or samples without their line: take whole pairs only.
    done = min(len(lines), samples_path.stat().st_size // size if samples_path.exists() else 0)
    done = max(0, done - 1) if done < len(dataset) else done
    if done < len(dataset):
        origins_path.write_text("".join(f"{line}\n" for line in lines[:done]))
        loader = DataLoader(
            Subset(dataset, range(done, len(dataset))),
            batch_size=1,
            num_workers=workers,
            collate_fn=_first,
            worker_init_fn=lambda _: torch.set_num_threads(1),
        )
        with samples_path.open("r+b" if samples_path.exists() else "wb") as samples:
            samples.truncate(done * size)
            samples.seek(done * size)
            with origins_path.open("a") as origins:
                for crops, origin in progress(loader, description="Drawing examples"):
                    samples.write(np.round(np.clip(crops, -1, 1) * FULL_SCALE).astype(np.int16))
                    samples.flush()
                    origins.write(json.dumps(asdict(origin)) + "\n")
                    origins.flush()
            os.fsync(samples.fileno())
    found = [json.loads(line) for line in origins_path.read_text().splitlines()]
    return PairCache(
        np.memmap(samples_path, np.int16, "r", shape=(len(dataset), *shape)),
        tuple(Origin(**{**one, "sources": tuple(one["sources"])}) for one in found),
    )
