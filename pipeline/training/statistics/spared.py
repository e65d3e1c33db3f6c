"""Which tracks of out-of-fold scores are uncertain whatever their score is, as an audit would say.

Enters: a bank, and the scores that ``evaluate.py`` wrote. Leaves: the same scores with ``p_voice``,
``measured`` and ``reason``, as ``artifactnet calibrate --scores`` and ``reference.py`` want them.

Run as ``python -m artifactnet.pipeline.training.statistics.spared BANK SCORES OUT``.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer

from artifactnet.models.artifactnet import load_detector
from artifactnet.models.weights.weights_file import SHIPPED_WEIGHTS
from artifactnet.pipeline.training.statistics.crop_table import load
from artifactnet.pipeline.training.statistics.learning.voice import LEARNT, voice_out_of_fold
from artifactnet.transforms.verdict import LEAST_MEASURED, NARROW, VOICE_ALONE


def reasons(p_voice: pd.Series, measured: pd.Series, threshold_voice: float) -> pd.Series:
    """Why each track is spared, empty where it is not; a narrow band comes first."""
    found = np.where(p_voice >= threshold_voice, VOICE_ALONE, "")
    return pd.Series(np.where(measured < LEAST_MEASURED, NARROW, found), p_voice.index)


def main(
    bank: Path,
    scores: Path,
    out: Path,
    weights: Annotated[Path, typer.Option(help="Whose threshold of a voice alone.")] = (
        SHIPPED_WEIGHTS
    ),
    section: Annotated[list[str] | None, typer.Option(help="Sections to read. Repeat.")] = None,
) -> None:
    """Write SCORES with what an audit would spare to OUT."""
    features, table = load(bank, tuple(section or LEARNT))
    kept = ~np.isnan(features).all(axis=1)
    features, table = features[kept], table[kept].reset_index(drop=True)
    p_voice = voice_out_of_fold(features, table)
    as_is = (table.section != "train").to_numpy()
    share = pd.Series(np.isfinite(features).mean(axis=1)[as_is])
    measured = share.groupby(table.track_id[as_is].to_numpy()).median()
    tracks = pd.read_parquet(scores).set_index("track_id")
    tracks["p_voice"] = p_voice.reindex(tracks.index)
    tracks["measured"] = measured.reindex(tracks.index)
    threshold = load_detector(weights).network.config.threshold_voice
    tracks["reason"] = reasons(tracks.p_voice, tracks.measured, threshold)
    tracks.reset_index().to_parquet(out)
    print(f"{out}: {tracks.reason.value_counts().to_dict()}")


if __name__ == "__main__":
    typer.run(main)
