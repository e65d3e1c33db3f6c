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
from artifactnet.pipeline.training.statistics.crop_table import RESYNTHESISED, heard_together, load
from artifactnet.pipeline.training.statistics.learning.heads import (
    BANDS,
    LAYOUT,
    SETTINGS_HELP,
    Levels,
    fit_head,
    mixed,
    parsed_config,
    with_typical,
)
from artifactnet.pipeline.training.statistics.learning.phases import (
    GRIFFIN_LIM,
    fit_phases,
    learnt_from,
)
from artifactnet.pipeline.training.statistics.learning.voice import (
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
    keep_head: Annotated[
        bool,
        typer.Option(
            "--keep-head",
            help="Keep trees and networks of WEIGHTS, mixed as set here; learn only what knows "
            "phases found anew.",
        ),
    ] = False,
    keep_phases: Annotated[
        bool,
        typer.Option(
            "--keep-phases",
            help="With --keep-head: keep that too, so that nothing is learnt, only mixed and "
            "accounted for as set here.",
        ),
    ] = False,
    seed: int = 0,
) -> None:
    """Learn a head from all crops of BANK and write it, beside the networks of WEIGHTS, to OUT."""
    try:
        config, weighing = parsed_config(settings or []), parsed_weighting(weighting or [])
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    if keep_phases and not keep_head:
        raise typer.BadParameter("--keep-phases needs --keep-head")
    network, _, head = load_detector(weights)
    if keep_head:
        if settings:
            raise typer.BadParameter("--set is of what --keep-head keeps: use one of them")
        if head is None or head.features != len(FEATURE_NAMES):
            raise typer.BadParameter(
                f"--keep-head: {weights} has no head on {len(FEATURE_NAMES):,} statistics"
            )
    sections = tuple(learn or LEARNT)
    features, table = load(bank, tuple(dict.fromkeys((*sections, GRIFFIN_LIM))))
    kept = ~np.isnan(features).all(axis=1)
    features, table = features[kept], table[kept].reset_index(drop=True)
    phases = learnt_from(table)
    if keep_head and not keep_phases and not phases.any():
        raise typer.BadParameter(
            f"--keep-head: {bank / GRIFFIN_LIM} is empty: fill it with ...resynthesised.inverted"
        )
    group = np.array([name.split("/")[0] for name in FEATURE_NAMES])
    # What is left out is missing throughout, so a head always takes all statistics.
    learnt = np.where(np.isin(group, drop or []), np.float32(np.nan), features)
    labels = (table.label == "ai").to_numpy()
    own = table.section.isin(sections).to_numpy()
    crops = np.zeros(len(table))
    crops[own] = crop_weights(
        table[own].reset_index(drop=True),
        np.isnan(features[own][:, BANDS]).sum(axis=1),
        **weighing,
    )
    if keep_head and head is not None:
        head = mixed(head)
    else:
        heard, everything = Levels.of(learnt[own]), np.ones(own.sum(), bool)
        head = fit_head(heard, everything, labels[own], crops[own], config, seed, LAYOUT)
        as_heard = own & ~table.section.isin(RESYNTHESISED).to_numpy()
        of_voice, voices = features[as_heard], table[as_heard].reset_index(drop=True)
        threshold = voice_threshold(voice_out_of_fold(of_voice, voices, seed=seed), voices)
        head = replace(head, voice=fit_voice(of_voice, voices, seed))
        network.config = replace(network.config, threshold_voice=threshold)
    if not keep_phases:
        anew = fit_phases(learnt[phases], table[phases], seed) if phases.any() else None
        head = replace(head, griffin_lim=anew)
    human = own & ~labels
    head = with_typical(head, learnt[human], crops[human], heard_together(table[human]), seed=seed)
    model_id = save_detector(network, out, head)
    tracks = table[own]
    learnt_by_trees = "kept" if keep_head else f"from {own.sum()} crops"
    learnt_by_phases = "kept" if keep_phases else f"from {phases.sum()} crops"
    print(
        f"{out}: model id {model_id}; {head.trees.trees} trees and networks, {learnt_by_trees}; "
        f"what knows phases found anew, {learnt_by_phases}; {tracks.track_id.nunique()} "
        f"tracks, {tracks.source.nunique()} sources; a voice alone from "
        f"{network.config.threshold_voice:.3f}"
    )


if __name__ == "__main__":
    typer.run(main)
