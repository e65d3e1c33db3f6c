"""Heads by folds of unseen generators and sources.

Enters: a bank as far as it has come. Leaves: figures on standard output and in ``OUT/NAME.json``,
mean and spread over seeds and those of the mean of their logits; in ``OUT/NAME.parquet`` the score
of every track by heads that saw neither its source nor its generator (``label`` and ``p_ai``, as
``artifactnet calibrate --scores`` wants them); in ``OUT/NAME/`` heads, and what each kind of model
says of every crop, from which the same command goes on, and tells figures of another mixture in
seconds, of windows heard together otherwise in minutes; those go to ``OUT/NAME-other.json`` and
``OUT/NAME-other.parquet``.

Run as ``python -m artifactnet.pipeline.training.statistics.evaluate BANK OUT``.
"""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from artifactnet.models.statistics.forensic_statistics import GROUPS
from artifactnet.models.statistics.griffin_lim import GriffinLimHead
from artifactnet.pipeline.training.statistics.bank import SECTIONS
from artifactnet.pipeline.training.statistics.crop_table import RESYNTHESISED, tracks_of
from artifactnet.pipeline.training.statistics.figures import (
    all_figures,
    by_track,
    mean_over_seeds,
)
from artifactnet.pipeline.training.statistics.learning.heads import (
    MISSING_DOUBT,
    MIX,
    SETTINGS_HELP,
    TOGETHER,
    parsed_config,
)
from artifactnet.pipeline.training.statistics.learning.voice import LEARNT
from artifactnet.pipeline.training.statistics.out_of_fold import (
    Course,
    Folder,
    FolderError,
    Mixture,
)
from artifactnet.pipeline.training.statistics.weights import parsed_weighting


def scores_of(folder: Folder, seeds: int, mixture: Mixture) -> list[pd.DataFrame]:
    """Scores of every track, a table a seed."""
    crops = folder.crops
    tracks = tracks_of(crops[~crops.section.isin(RESYNTHESISED)])
    return [
        by_track(mixture.logit(folder.said(seed), crops), crops, tracks) for seed in range(seeds)
    ]


def report_of(scored: list[pd.DataFrame], averaged: pd.DataFrame) -> pd.DataFrame:
    """Figures, a row each: of the mean of all seeds' logits, mean and spread over seeds, each."""
    each = pd.DataFrame([all_figures(one) for one in scored])
    seeds = {f"seed {seed}": each.loc[seed] for seed in range(len(each))}
    of_mean = pd.Series(all_figures(averaged))
    summary = {"of mean logits": of_mean, "mean": each.mean(), "spread": each.std(ddof=0)}
    return pd.DataFrame(summary | seeds)


def parsed_mix(text: str, kinds: Sequence[str]) -> tuple[float, ...]:
    """Shares of ``kinds`` from a text like ``0.3,0.2,0.5``.

    Raises:
      ValueError: not one number from 0 for each, or nothing but zeros.
    """
    try:
        shares = tuple(float(one) for one in text.split(","))
    except ValueError:
        shares = ()
    if len(shares) == len(kinds) and sum(shares) > 0 and all(0 <= s < math.inf for s in shares):
        return shares
    raise ValueError(f"--mix {text}: use a number from 0 for each of {', '.join(kinds)}")


def _chosen(option: str, values: Sequence[str], known: Iterable[str]) -> tuple[str, ...]:
    known = list(known)
    for value in values:
        if value not in known:
            raise ValueError(f"{option} {value}: use one of {', '.join(known)}")
    return tuple(values)


def main(
    bank: Annotated[Path, typer.Argument(exists=True, file_okay=False)],
    out: Annotated[
        Path, typer.Argument(file_okay=False, help="Folder for NAME.json, the scores, and NAME/.")
    ],
    name: str = "scores",
    folds: Annotated[int, typer.Option(min=2)] = 5,
    seeds: Annotated[int, typer.Option(min=1)] = 3,
    only_seed: Annotated[
        int | None,
        typer.Option(min=0, help="Learn this one of the seeds, and leave figures to another run."),
    ] = None,
    drop: Annotated[list[str] | None, typer.Option(help="Group that is left out.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help=SETTINGS_HELP),
    ] = None,
    weighting: Annotated[list[str] | None, typer.Option(help="Of the crops, name=value.")] = None,
    learn: Annotated[list[str] | None, typer.Option(help="Section to learn from.")] = None,
    mix: Annotated[
        str, typer.Option(help="Of trees, dense and band networks.", show_default=str(MIX))
    ] = "",
    missing_doubt: Annotated[float, typer.Option(min=0, max=1)] = MISSING_DOUBT,
    margin: Annotated[
        float, typer.Option(min=-100, max=100, help="Of what knows phases found anew.")
    ] = GriffinLimHead.margin,
    together: Annotated[
        float,
        typer.Option(min=0, max=1, help="How far band networks see a window towards its track."),
    ] = TOGETHER,
) -> None:
    """Measure heads on generators and sources that they never learnt from; results in OUT."""
    try:
        if only_seed is not None and only_seed >= seeds:
            raise ValueError(f"--only-seed {only_seed}: --seeds {seeds} are 0 to {seeds - 1}")
        if Path(name).name != name:
            raise ValueError(f"--name {name}: use a name without folders")
        sections = _chosen("--learn", learn or LEARNT, (*SECTIONS, *RESYNTHESISED))
        dropped = _chosen("--drop", drop or (), GROUPS)
        weights = parsed_weighting(weighting or [])
        course = Course(parsed_config(settings or []), weights, sections, dropped, folds)
        usual = Mixture.of(course)
        shares = parsed_mix(mix, course.kinds) if mix else usual.mix
        mixture = Mixture(shares, missing_doubt, margin)
        folder = Folder(out / name, bank, course, together)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    try:
        folder.learn(range(seeds) if only_seed is None else [only_seed])
        if only_seed is not None:
            return
        scored = scores_of(folder, seeds, mixture)
    except FolderError as error:
        raise typer.BadParameter(str(error)) from error
    averaged = mean_over_seeds(scored)
    report = report_of(scored, averaged)
    print(f"  {'':52s} of mean logits   mean over seeds")
    for figure, row in report.iterrows():
        of_mean, mean, spread = row[["of mean logits", "mean", "spread"]]
        print(f"  {figure:52s} {of_mean:14.4f}   {mean:.4f} +- {spread:.4f}")
    as_shipped = mixture == usual and together == TOGETHER
    target = out / (name if as_shipped else f"{name}-other")
    crops = folder.crops.section.value_counts().to_dict()
    found = {"crops": crops, "config": asdict(course.config), "mixture": asdict(mixture)}
    found["together"] = together
    found["figures"] = report.to_dict("index")
    Path(f"{target}.json").write_text(json.dumps(found, indent=2))
    averaged.to_parquet(f"{target}.parquet")
    print(f"{target}.json, {target}.parquet")


if __name__ == "__main__":
    typer.run(main)
