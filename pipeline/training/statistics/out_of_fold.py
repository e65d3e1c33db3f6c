"""What heads say of generators and sources that they never learnt from, fold by fold.

Enters: a bank. Leaves: in a folder what each kind of model says of every crop, one file a seed and
fold, so that learning goes on where it was interrupted, two seeds learn side by side, and figures
of another mix need no learning.
"""

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from artifactnet.models.statistics.forensic_statistics import FEATURE_NAMES
from artifactnet.models.statistics.griffin_lim import GriffinLimHead
from artifactnet.models.statistics.head import doubt, joined
from artifactnet.pipeline.training.statistics.bank import SECTIONS
from artifactnet.pipeline.training.statistics.crop_table import (
    CORE,
    RESYNTHESISED,
    load,
    tracks_of,
)
from artifactnet.pipeline.training.statistics.learning.heads import (
    BANDS,
    LAYOUT,
    MISSING_DOUBT,
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

TREES, DENSE, BAND, PHASES = KINDS = ("trees", "dense", "bands", "phases")
"""Columns of what each kind of model says."""
CROPS, SETTINGS = "crops.parquet", "settings.json"
OF_CROP = ("section", "channel", "start", "measured", "p_voice")
"""Columns of a crop beside those of its track."""
IDENTITY = ("track_id", "label", "kind", "generator", "section", "channel", "start")
"""Columns by which a bank is the same."""


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
        """Of ``KINDS`` those that ``config`` has and that are mixed."""
        there = (True, self.config.network is not None, self.config.band_network is not None)
        return tuple(kind for kind, one in zip(KINDS, there, strict=False) if one)


@dataclass(frozen=True, eq=False)
class Crops:
    """Statistics of crops ``[crops, statistics]``, and their table."""

    features: NDArray[np.float32]
    table: pd.DataFrame

    @cached_property
    def levels(self) -> Levels:
        """What trees part, which all folds share."""
        return Levels.of(self.features)

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


def said_of_fold(crops: Crops, course: Course, seed: int, one: int) -> pd.DataFrame:
    """What heads that never saw fold ``one`` say of its crops: a column a kind, before any mix.

    What knows phases found anew speaks without its margin. The index is that of the crops' table.
    """
    table, features = crops.table, crops.features
    fold = fold_of_crops(table, course.folds, seed)
    missing = np.isnan(features[:, BANDS]).sum(axis=1)
    # What is of no fold, since nothing else of its track is there, would teach all of them.
    known = np.isfinite(fold) & ~np.isnan(features).all(axis=1)
    labels = (table.label == "ai").to_numpy()
    fit = (fold != one) & table.section.isin(course.learnt).to_numpy() & known
    weights = crop_weights(table[fit].reset_index(drop=True), missing[fit], **course.weighting)
    head = fit_head(crops.levels, fit, labels, weights, course.config, seed, LAYOUT)
    kinds = course.kinds
    phases = (fold != one) & learnt_from(table) & known
    if phases.any():
        anew = fit_phases(features[phases], table[phases], seed)
        head, kinds = replace(head, griffin_lim=replace(anew, margin=0.0)), (*kinds, PHASES)
    out = np.flatnonzero(fold == one)
    blocks = np.array_split(out, max(1, len(out) // 500))
    said = np.concatenate([head.logits(features[block]) for block in blocks])
    return pd.DataFrame(said, index=out, columns=list(kinds))


@dataclass(frozen=True)
class Mixture:
    """How what the kinds say becomes one logit; ``None`` for what ``heads.py`` sets."""

    mix: tuple[float, ...] | None = None
    missing_doubt: float = MISSING_DOUBT
    margin: float = GriffinLimHead.margin

    def logit(self, said: pd.DataFrame, table: pd.DataFrame) -> NDArray[np.float64]:
        """One logit a crop of what was ``said`` of the crops of ``table``.

        Raises:
          ValueError: ``mix`` has not one number for each kind.
        """
        kinds = [kind for kind in KINDS[:-1] if kind in said]
        mix = self.mix or shares(DENSE in said, BAND in said)
        if len(mix) != len(kinds):
            raise ValueError(f"{len(mix)} numbers of a mix: use one for each of {', '.join(kinds)}")
        logits = said[kinds].to_numpy()
        if PHASES in said:
            phases = said[PHASES].fillna(-np.inf).to_numpy() - self.margin
            logits = np.column_stack([logits, phases])
        certain = doubt(table.measured.to_numpy(), table.p_voice.to_numpy(), self.missing_doubt)
        return joined(logits, mix) * certain


class Folder:
    """What was said so far, in files.

    Args:
      path: the folder, made where it is not there.
      bank: that heads learn from.
      course: how.

    Raises:
      ValueError: the folder holds what another course or bank said.
    """

    def __init__(self, path: Path, bank: Path, course: Course) -> None:
        self.path, self.bank, self.course = path, bank, course
        settings = json.loads(json.dumps({"bank": str(bank.resolve()), **asdict(course)}))
        path.mkdir(parents=True, exist_ok=True)
        file = path / SETTINGS
        if not file.exists():
            self._write(file, lambda to: to.write_text(json.dumps(settings, indent=2)))
        elif (found := json.loads(file.read_text())) != settings:
            other = [name for name in settings if found.get(name) != settings[name]]
            raise ValueError(
                f"{path}: was begun with another {', '.join(other)}: use another --name, or remove "
                "the folder"
            )

    @staticmethod
    def _write(file: Path, write: Callable[[Path], object]) -> None:
        """A file is there whole or not at all, whoever else writes it."""
        partial = file.with_name(f".{os.getpid()}-{file.name}")
        write(partial)
        partial.replace(file)

    def _file(self, seed: int, fold: int) -> Path:
        return self.path / f"seed{seed}-fold{fold}.parquet"

    def learn(self, seeds: range | list[int], tell: Callable[[str], None] = print) -> None:
        """Learn what is not there yet of ``seeds``.

        Raises:
          ValueError: the bank has other crops or labels than when the folder was begun.
        """
        to_do = [
            (seed, fold)
            for seed in seeds
            for fold in range(self.course.folds)
            if not self._file(seed, fold).exists()
        ]
        if not to_do:
            return
        crops = Crops.of_bank(self.bank, self.course)
        tell(f"{self.path}: {crops.table.section.value_counts().to_dict()}")
        stored = crops.table[[*CORE, *OF_CROP]]
        if not (self.path / CROPS).exists():
            self._write(self.path / CROPS, stored.to_parquet)
        elif any(self.crops()[one].tolist() != stored[one].tolist() for one in IDENTITY):
            raise ValueError(
                f"{self.path}: {self.bank} has other crops or labels than when it was begun: "
                "use another --name, or remove the folder"
            )
        for seed, fold in to_do:
            begin = time.monotonic()
            said = said_of_fold(crops, self.course, seed, fold)
            self._write(self._file(seed, fold), said.to_parquet)
            tell(f"seed {seed}, fold {fold}: {time.monotonic() - begin:.0f} s")

    def crops(self) -> pd.DataFrame:
        """The table of all crops."""
        return pd.read_parquet(self.path / CROPS)

    def said(self, seed: int) -> pd.DataFrame:
        """What the heads of all folds of ``seed`` say; NaN of what is of no fold."""
        parts = [pd.read_parquet(self._file(seed, fold)) for fold in range(self.course.folds)]
        return pd.concat(parts).reindex(range(len(self.crops())))
