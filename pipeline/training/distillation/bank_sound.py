"""The sound that a bank keeps beside its statistics.

Enters: ``BANK/train/*.audio.npy``, int16 ``[crops, samples]``, and the rows of the shards beside
them. Leaves: crops by number, read from disk when they are asked for.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from artifactnet.pipeline.training.statistics.tracks import rightly_labelled_row

FULL_SCALE = 32_768


class BankSound:
    """Crops that went through random channels, and what is known of each.

    Args:
      bank: folder of the bank.

    Attributes:
      table: one row a crop, as ``bank.py`` stored it, with a column ``section``; labels are
        corrected, and crops of what has no label are left out.

    Raises:
      ValueError: no shard of the bank has its sound.
    """

    def __init__(self, bank: Path) -> None:
        self._shards: list[NDArray[np.int16]] = []
        rows: list[dict] = []
        self._starts = [0]  # of each shard, among all stored crops
        for path in sorted((bank / "train").glob("*.audio.npy")):
            shard = np.load(path, mmap_mode="r")
            with np.load(path.with_name(path.name.replace(".audio.npy", ".npz"))) as known:
                rows += [json.loads(row) | {"section": "train"} for row in known["rows"]]
            self._shards.append(shard)
            self._starts.append(self._starts[-1] + len(shard))
            if len(rows) != self._starts[-1]:
                raise ValueError(f"{path}: {len(shard)} crops, and not as many rows beside them")
        if not self._shards:
            raise ValueError(f"{bank}: no sound; fill the section train with --audio")
        corrected = [rightly_labelled_row(row) for row in rows]
        self._stored = np.flatnonzero([row is not None for row in corrected])
        self.table = pd.DataFrame([row for row in corrected if row])

    def __len__(self) -> int:
        """Crops."""
        return len(self._stored)

    def crop(self, number: int) -> NDArray[np.float32]:
        """Crop ``number``, float32 ``[samples]``, full scale 1."""
        stored = int(self._stored[number])
        shard = int(np.searchsorted(self._starts, stored, side="right")) - 1
        crop = self._shards[shard][stored - self._starts[shard]]
        return crop.astype(np.float32) / np.float32(FULL_SCALE)

    def crops(self, numbers: NDArray[np.intp]) -> NDArray[np.float32]:
        """Crops ``numbers``, float32 ``[crops, samples]``."""
        return np.stack([self.crop(int(number)) for number in numbers])
