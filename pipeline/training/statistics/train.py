"""Learn the head that is shipped from everything in a bank.

Enters: the bank as far as it has come, and a detector. Leaves: a weights file with the networks of
that detector and the new head, whose thresholds are set by ``artifactnet calibrate``.

Run as ``python -m artifactnet.pipeline.training.statistics.train BANK OUT``.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from artifactnet.models.artifactnet import load_detector, save_detector
from artifactnet.models.statistics.forensic_statistics import FEATURE_NAMES
from artifactnet.models.weights.weights_file import SHIPPED_WEIGHTS
from artifactnet.pipeline.training.statistics.evaluate import RESYNTHESISED, load
from artifactnet.pipeline.training.statistics.heads import (
    BANDS,
    LAYOUT,
    SETTINGS_HELP,
    Levels,
    fit_head,
    parsed_config,
    with_typical,
)
from artifactnet.pipeline.training.statistics.voice import (
    LEARNT,
    fit_voice,
    voice_out_of_fold,
    voice_threshold,
)
from artifactnet.pipeline.training.statistics.weights import crop_weights, parsed_weighting


def main(
    bank: Path,
    out: Path,
    weights: Annotated[Path, typer.Option(help="Detector whose networks stay.")] = SHIPPED_WEIGHTS,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help=SETTINGS_HELP),
    ] = None,
    weighting: Annotated[list[str] | None, typer.Option(help="Of the crops, name=value.")] = None,
    drop: Annotated[list[str] | None, typer.Option(help="Group that is left out.")] = None,
    learn: Annotated[list[str] | None, typer.Option(help="Section to learn from.")] = None,
    seed: int = 0,
) -> None:
    """Learn a head from all crops of BANK and write it, beside the networks of WEIGHTS, to OUT."""
    config = parsed_config(settings or [])
    features, table = load(bank, tuple(learn or LEARNT))
    kept = ~np.isnan(features).all(axis=1)
    features, table = features[kept], table[kept].reset_index(drop=True)
    missing = np.isnan(features[:, BANDS]).sum(axis=1)
    crops = crop_weights(table, missing, **parsed_weighting(weighting or []))
    group = np.array([name.split("/")[0] for name in FEATURE_NAMES])
    # What is left out is missing throughout, so a head always takes all statistics.
    learnt = np.where(np.isin(group, drop or []), np.float32(np.nan), features)
    labels = (table.label == "ai").to_numpy()
    everything = np.ones(len(learnt), bool)
    head = fit_head(Levels.of(learnt), everything, labels, crops, config, seed, LAYOUT)
    head = with_typical(head, learnt[~labels], crops[~labels], seed=seed)
    own = (~table.section.isin(RESYNTHESISED)).to_numpy()
    features, table = features[own], table[own].reset_index(drop=True)
    p_voice = voice_out_of_fold(features, table, seed=seed)
    threshold = voice_threshold(p_voice, table)
    head = replace(head, voice=fit_voice(features, table, seed))
    network = load_detector(weights).network
    network.config = replace(network.config, threshold_voice=threshold)
    model_id = save_detector(network, out, head)
    print(
        f"{out}: model id {model_id}; {head.trees.trees} trees from {len(learnt)} crops of "
        f"{table.track_id.nunique()} tracks, {table.source.nunique()} sources; a voice alone from "
        f"{threshold:.3f}"
    )


if __name__ == "__main__":
    typer.run(main)
