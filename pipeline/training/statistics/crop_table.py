"""All crops of a bank, and its tracks.

Enters: a bank as far as it has come. Leaves: the statistics of every crop, a table of one row a
crop, and a table of one row a track.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from artifactnet.pipeline.training.statistics.bank import SECTIONS, shards
from artifactnet.pipeline.training.statistics.learning.phases import GRIFFIN_LIM
from artifactnet.pipeline.training.statistics.tracks import rightly_labelled_row

VOCODERS, IMITATIONS = "vocoders", "imitations"
RESYNTHESISED = (VOCODERS, IMITATIONS, GRIFFIN_LIM)
"""Sections of human crops resynthesised for training. What knows phases that were found anew
learns from the last; all else learns from them only where asked to."""
CORE = (
    "track_id",
    "part",
    "label",
    "kind",
    "source",
    "generator",
    "pair",
    "commercial",
    "recorded",
    "sample_rate",
    "seconds",
)


def load(
    bank: Path, sections: tuple[str, ...] = SECTIONS
) -> tuple[NDArray[np.float32], pd.DataFrame]:
    """All crops: features and their table with a column ``section``.

    Labels are corrected as those of new banks are, and crops of what has no label are left out.

    Raises:
      ValueError: there is none.
    """
    features, rows = [], []
    for section in sections:
        for block, table in shards(bank / section):
            corrected = [rightly_labelled_row(row, section in RESYNTHESISED) for row in table]
            features.append(block[[row is not None for row in corrected]])
            rows += [row | {"section": section} for row in corrected if row]
    if not rows:
        raise ValueError(
            f"{bank}: no crops in {', '.join(sections)}: fill it with "
            "python -m artifactnet.pipeline.training.statistics.bank"
        )
    table = pd.DataFrame(rows)
    table["generator"] = table.generator.fillna("")
    return np.concatenate(features), table


def tracks_of(table: pd.DataFrame) -> pd.DataFrame:
    """One row a track."""
    return table[list(CORE)].drop_duplicates("track_id").reset_index(drop=True)


def heard_together(table: pd.DataFrame) -> NDArray[np.intp]:
    """Crops that are heard together, as an audit hears a track, have the same number.

    They are the windows of one track through one channel, in a section of the bank: up to seven of
    an audit, two through the common channel and each codec. Those that go through codecs are heard
    without them in the same company. A crop to learn from has a channel of its own.
    """
    alone = table.section.isin(("train", *RESYNTHESISED))
    number = pd.Series(np.where(alone, np.arange(len(table)), -1), table.index)
    window = pd.MultiIndex.from_frame(table[["track_id", "start"]])
    coded = window.isin(window[table.section == "drift"]) & (table.section == "plain")
    keys = [table.track_id, table.section, table.channel, coded, number]
    return table.groupby(keys, dropna=False, sort=False).ngroup().to_numpy(np.intp)
