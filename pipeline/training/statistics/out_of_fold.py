"""What heads say of generators and sources that they never learnt from, fold by fold.

Enters: a bank. Leaves: in a folder what each kind of model says of every crop, one file a seed and
fold, so that learning goes on where it was interrupted, two seeds learn side by side, and figures
of another mix need no learning; and beside it the head itself, for what crops can't tell.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyarrow import ArrowException
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from artifactnet.models.statistics.forensic_statistics import FEATURE_NAMES
from artifactnet.models.statistics.griffin_lim import GriffinLimHead
from artifactnet.models.statistics.head import StatisticsHead, doubt, joined
from artifactnet.models.whole_file import whole_file
from artifactnet.pipeline.training.corrections import CORRECTIONS
from artifactnet.pipeline.training.statistics.bank import SECTIONS
from artifactnet.pipeline.training.statistics.crop_table import (
    CORE,
    RESYNTHESISED,
    heard_together,
    load,
    tracks_of,
)
from artifactnet.pipeline.training.statistics.learning.heads import (
    BANDS,
    LAYOUT,
    MISSING_DOUBT,
    TOGETHER,
    HeadConfig,
    Levels,
    fit_head,
    shares,
)
from artifactnet.pipeline.training.statistics.learning.phases import (
    GRIFFIN_LIM,
    fit_phases,
    learnt_from,
)
from artifactnet.pipeline.training.statistics.learning.voice import LEARNT, voice_of_crops
from artifactnet.pipeline.training.statistics.weights import assign_folds, crop_weights

KINDS = ("trees", "dense", "bands")
"""Columns of what each kind of model that is mixed says."""
PHASES = "phases"
"""Column of what knows phases found anew, if anything does."""
CROPS, SETTINGS = "crops.parquet", "settings.json"
OF_CROP = ("section", "channel", "start", "measured", "p_voice")
"""Columns of a crop beside those of its track."""
BLOCK = 500
"""Crops or so that a head hears at a time."""
AGAIN = "use another --name, or remove the folder"
LEARN_AGAIN = "remove it, and what it held is made again"


class FolderError(ValueError):
    """What was said so far is of no use here; the message says why, and what to do."""


@dataclass(frozen=True)
class Course:
    """How heads learn, fold by fold.

    Attributes:
      config: of trees and networks.
      weighting: of the crops, arguments of ``crop_weights``.
      learnt: sections to learn from.
      drop: groups of statistics that are left out.
      folds: how many parts of unseen generators and sources.
    """

    config: HeadConfig
    weighting: dict[str, Any]
    learnt: tuple[str, ...] = LEARNT
    drop: tuple[str, ...] = ()
    folds: int = 5

    @property
    def kinds(self) -> tuple[str, ...]:
        """Of ``KINDS`` those that ``config`` has."""
        there = (True, self.config.network is not None, self.config.band_network is not None)
        return tuple(kind for kind, one in zip(KINDS, there, strict=True) if one)


@dataclass(frozen=True, eq=False)
class Crops:
    """Statistics of crops ``[crops, statistics]``, and their table."""

    features: NDArray[np.float32]
    table: pd.DataFrame

    @cached_property
    def levels(self) -> Levels:
        """What trees part, which all folds share."""
        return Levels.of(self.features)

    @cached_property
    def heard(self) -> NDArray[np.intp]:
        """Which of them are heard together, see ``heard_together``."""
        return heard_together(self.table)

    @classmethod
    def of_bank(cls, bank: Path, course: Course) -> "Crops":
        """All crops of ``bank``, with what of each was ``measured``, and P(a voice alone)."""
        extra = [one for one in (*course.learnt, GRIFFIN_LIM) if one not in SECTIONS]
        features, table = load(bank, (*SECTIONS, *dict.fromkeys(extra)))
        table["measured"] = np.isfinite(features).mean(axis=1)
        table["p_voice"] = voice_of_crops(features, table)
        group = np.array([one.split("/")[0] for one in FEATURE_NAMES])
        features[:, np.isin(group, course.drop)] = np.nan
        return cls(features, table)


def fold_of_crops(table: pd.DataFrame, folds: int, seed: int) -> NDArray[np.float64]:
    """Fold of each crop; NaN of what was made of human music that is not there itself.

    A crop that was made of human music is of that music's fold, and no track of its own.
    """
    tracks = tracks_of(table[~table.section.isin(RESYNTHESISED)])
    tracks["fold"] = assign_folds(tracks, folds, seed)
    return table.track_id.map(tracks.set_index("track_id").fold).to_numpy(np.float64)


def head_without(crops: Crops, course: Course, seed: int, one: int) -> StatisticsHead:
    """A head that never saw fold ``one``; what knows phases found anew has no margin."""
    table, features = crops.table, crops.features
    fold = fold_of_crops(table, course.folds, seed)
    missing = np.isnan(features[:, BANDS]).sum(axis=1)
    # What is of no fold, since nothing else of its track is there, would teach all of them.
    known = np.isfinite(fold) & ~np.isnan(features).all(axis=1)
    labels = (table.label == "ai").to_numpy()
    fit = (fold != one) & table.section.isin(course.learnt).to_numpy() & known
    weights = crop_weights(table[fit].reset_index(drop=True), missing[fit], **course.weighting)
    head = fit_head(crops.levels, fit, labels, weights, course.config, seed, LAYOUT)
    phases = (fold != one) & learnt_from(table) & known
    if not phases.any():
        return head
    anew = fit_phases(features[phases], table[phases], seed)
    return replace(head, griffin_lim=replace(anew, margin=0.0))


def said_of(head: StatisticsHead, crops: Crops, rows: NDArray[np.intp]) -> NDArray[np.float64]:
    """What ``head`` says of the crops of ``rows``, as ``StatisticsHead.logits`` returns it."""
    heard = crops.heard[rows]
    found, said = [], []
    for block in np.array_split(np.unique(heard), max(1, len(rows) // BLOCK)):
        own = np.flatnonzero(np.isin(heard, block))
        found.append(own)
        said.append(head.logits(crops.features[rows[own]], heard[own]))
    return np.concatenate(said)[np.argsort(np.concatenate(found))]


def said_of_fold(
    head: StatisticsHead, crops: Crops, course: Course, seed: int, one: int
) -> pd.DataFrame:
    """What a head that never saw fold ``one`` says of its crops: a column a kind, before any mix.

    What knows phases found anew speaks without its margin. The index is that of the crops' table.
    """
    kinds = course.kinds if head.griffin_lim is None else (*course.kinds, PHASES)
    out = np.flatnonzero(fold_of_crops(crops.table, course.folds, seed) == one)
    return pd.DataFrame(said_of(head, crops, out), index=out, columns=list(kinds))


@dataclass(frozen=True)
class Mixture:
    """How what the kinds say becomes one logit.

    Attributes:
      mix: of trees, dense and band networks, of those that there are.
      missing_doubt: by how much a logit shrinks where all statistics are missing.
      margin: of what knows phases found anew.
    """

    mix: tuple[float, ...]
    missing_doubt: float = MISSING_DOUBT
    margin: float = GriffinLimHead.margin

    @classmethod
    def of(cls, course: Course) -> "Mixture":
        """As ``learning/heads.py`` sets it."""
        config = course.config
        return cls(shares(config.network is not None, config.band_network is not None))

    def logit(self, said: pd.DataFrame, table: pd.DataFrame) -> NDArray[np.float64]:
        """One logit a crop of what was ``said`` of the crops of ``table``."""
        kinds = [kind for kind in KINDS if kind in said]
        logits = said[kinds].to_numpy()
        if PHASES in said:
            phases = said[PHASES].fillna(-np.inf).to_numpy() - self.margin
            logits = np.column_stack([logits, phases])
        certain = doubt(table.measured.to_numpy(), table.p_voice.to_numpy(), self.missing_doubt)
        return joined(logits, self.mix) * certain


class Folder:
    """What was said so far, in files.

    Args:
      path: the folder, made where it is not there.
      bank: that heads learn from.
      course: how.
      together: how far of the way to the mean of those heard together band networks see the
        statistics of a crop; nothing is learnt anew for another.

    Raises:
      FolderError: the folder holds what another course, bank or set of labels said, or the bank
        has no crops.
    """

    def __init__(self, path: Path, bank: Path, course: Course, together: float = TOGETHER) -> None:
        self.path, self.bank, self.course, self.together = path, bank, course, together
        settings = {"bank": str(bank.resolve()), "shards": _digest_of_bank(bank)}
        settings |= {"corrections": _digest([CORRECTIONS.read_text()]), **asdict(course)}
        file = path / SETTINGS
        if not file.exists():
            with whole_file(file) as partial:
                partial.write_text(json.dumps(settings, indent=2))
        try:
            found = _flat(json.loads(file.read_text()))
        except ValueError as error:
            raise FolderError(f"{file}: is damaged: {AGAIN}") from error
        asked = _flat(json.loads(json.dumps(settings)))
        if other := sorted(name for name in asked | found if asked.get(name) != found.get(name)):
            told = "; ".join(f"{n} was {found.get(n)}, now {asked.get(n)}" for n in other)
            raise FolderError(f"{path}: {told}: {AGAIN}")

    def _file(self, seed: int, fold: int) -> Path:
        other = "" if self.together == TOGETHER else f"-together{self.together:g}"
        return self.path / f"seed{seed}-fold{fold}{other}.parquet"

    def _head(self, crops: Crops, seed: int, fold: int) -> StatisticsHead:
        """As its file has it, learnt where there is none: what it says can be said again."""
        file = self.path / f"seed{seed}-fold{fold}.safetensors"
        if not file.exists():
            arrays = head_without(crops, self.course, seed, fold).to_tensors()
            # Of a transposed array safetensors would write the numbers as they lie in memory.
            arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
            with whole_file(file) as partial:
                save_file(arrays, partial)
        try:
            head = StatisticsHead.from_tensors(load_file(file))
        except (SafetensorError, ValueError) as error:
            raise FolderError(f"{file}: is damaged: {LEARN_AGAIN}") from error
        return replace(head, together=self.together)

    @staticmethod
    def _read(file: Path, what_to_do: str) -> pd.DataFrame:
        try:
            return pd.read_parquet(file)
        except FileNotFoundError as error:
            raise FolderError(f"{file}: is missing: {what_to_do}") from error
        except (OSError, ArrowException) as error:
            raise FolderError(f"{file}: is damaged: {what_to_do}") from error

    def learn(self, seeds: Sequence[int], tell: Callable[[str], None] = print) -> None:
        """Learn what is not there yet of ``seeds``.

        Raises:
          FolderError: the bank has other crops than when the folder was begun.
        """
        to_do = [
            (seed, fold)
            for seed in seeds
            for fold in range(self.course.folds)
            if not self._file(seed, fold).exists()
        ]
        if not to_do:
            tell(f"{self.path}: all folds of these seeds are there")
            return
        crops = Crops.of_bank(self.bank, self.course)
        tell(f"{self.path}: {crops.table.section.value_counts().to_dict()}")
        stored = crops.table[[*CORE, *OF_CROP]]
        if not (self.path / CROPS).exists():
            with whole_file(self.path / CROPS) as partial:
                stored.to_parquet(partial)
        elif not _texts(self.crops).equals(_texts(stored)):
            raise FolderError(f"{self.path}: {self.bank} has other crops or labels: {AGAIN}")
        for seed, fold in to_do:
            if self._file(seed, fold).exists():
                continue  # another process was faster
            begin = time.monotonic()
            head = self._head(crops, seed, fold)
            said = said_of_fold(head, crops, self.course, seed, fold)
            with whole_file(self._file(seed, fold)) as partial:
                said.to_parquet(partial)
            tell(f"seed {seed}, fold {fold}: {time.monotonic() - begin:.0f} s")

    @cached_property
    def crops(self) -> pd.DataFrame:
        """The table of all crops, once anything was learnt."""
        return self._read(self.path / CROPS, AGAIN)

    def said(self, seed: int) -> pd.DataFrame:
        """What the heads of all folds of ``seed`` say; NaN of what is of no fold."""
        files = [self._file(seed, fold) for fold in range(self.course.folds)]
        parts = [self._read(file, LEARN_AGAIN) for file in files]
        return pd.concat(parts).reindex(range(len(self.crops)))


def _digest(texts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]


def _digest_of_bank(bank: Path) -> str:
    """Of the names and sizes of its shards: whether it has grown, without a look into them."""
    found = sorted(bank.glob("*/*.npz"))
    if not found:
        fill = "python -m artifactnet.pipeline.training.statistics.bank"
        raise FolderError(f"{bank}: no crops: fill it with {fill}")
    return _digest(f"{file.relative_to(bank)} {file.stat().st_size}" for file in found)


def _flat(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings by name, like ``config.boosting.bags``."""
    return dict(pd.json_normalize(settings).iloc[0])


def _texts(crops: pd.DataFrame) -> pd.DataFrame:
    """What tells crops and tracks of a bank from those of another, as text."""
    same = crops.drop(columns="p_voice")
    return same.where(same.notna(), "").astype(str)
