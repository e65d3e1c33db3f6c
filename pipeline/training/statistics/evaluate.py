"""Heads by folds of unseen generators and sources.

Enters: a bank as far as it has come. Leaves: figures on standard output and in ``OUT/NAME.json``,
mean and spread over seeds and those of the mean of their logits; in ``OUT/NAME.parquet`` the score
of every track by heads that saw neither its source nor its generator (``label`` and ``p_ai``, as
``artifactnet calibrate --scores`` wants them); in ``OUT/NAME/`` what each kind of model says of
every crop, from which the same command goes on, and tells figures of another mix in seconds.

Run as ``python -m artifactnet.pipeline.training.statistics.evaluate BANK OUT``.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from artifactnet.models.statistics.griffin_lim import GriffinLimHead
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
    parsed_config,
)
from artifactnet.pipeline.training.statistics.learning.voice import LEARNT
from artifactnet.pipeline.training.statistics.out_of_fold import Course, Folder, Mixture
from artifactnet.pipeline.training.statistics.weights import parsed_weighting


def scores_of(folder: Folder, seeds: int, mixture: Mixture) -> list[pd.DataFrame]:
    """Scores of every track, a table a seed."""
    crops = folder.crops()
    tracks = tracks_of(crops[~crops.section.isin(RESYNTHESISED)])
    return [
        by_track(mixture.logit(folder.said(seed), crops), crops, tracks) for seed in range(seeds)
    ]


def report_of(scored: list[pd.DataFrame]) -> pd.DataFrame:
    """Figures, a row each: of the mean of all seeds' logits, mean and spread over seeds, each."""
    each = pd.DataFrame([all_figures(one) for one in scored])
    together = pd.Series(all_figures(mean_over_seeds(scored)))
    seeds = {f"seed {seed}": each.loc[seed] for seed in range(len(each))}
    summary = {"of mean logits": together, "mean": each.mean(), "spread": each.std(ddof=0)}
    return pd.DataFrame(summary | seeds)


def main(
    bank: Path,
    out: Annotated[Path, typer.Argument(help="Folder for NAME.json, the scores, and NAME/.")],
    name: str = "scores",
    folds: int = 5,
    seeds: int = 3,
    only_seed: Annotated[
        int | None,
        typer.Option(help="Learn this one of the seeds and tell no figures; another run does."),
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
        float, typer.Option(help="Of what knows phases found anew.")
    ] = GriffinLimHead.margin,
) -> None:
    """Measure heads on generators and sources that they never learnt from; results in OUT."""
    config = parsed_config(settings or [])
    weights = parsed_weighting(weighting or [])
    course = Course(config, weights, tuple(learn or LEARNT), tuple(drop or ()), folds)
    try:
        shares = tuple(float(one) for one in mix.split(",")) if mix else None
        folder = Folder(out / name, bank, course)
        folder.learn(range(seeds) if only_seed is None else [only_seed])
        if only_seed is not None:
            return
        mixture = Mixture(shares, missing_doubt, margin)
        scored = scores_of(folder, seeds, mixture)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    report = report_of(scored)
    for figure, row in report.iterrows():
        print(
            f"  {figure:48s} {row['of mean logits']:8.4f}   {row['mean']:.4f} +- {row.spread:.4f}"
        )
    crops = folder.crops().section.value_counts().to_dict()
    found = {"crops": crops, "config": asdict(config), "mixture": asdict(mixture)}
    found["figures"] = report.to_dict("index")
    (out / f"{name}.json").write_text(json.dumps(found, indent=2))
    mean_over_seeds(scored).to_parquet(out / f"{name}.parquet")


if __name__ == "__main__":
    typer.run(main)
