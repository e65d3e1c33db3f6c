"""What each part of the training earns, and what more data would.

Enters: a :class:`TrainingConfig`, a number of folds and one of them. Leaves: for each variant of
:mod:`pipeline.training.ablation_variants` a detector trained without the fold's generators and
sources, judged on these, one segment a track, as it is and through the common channel:
``ablations.json``, ``ablations.md`` and, for the number of decoders and of genuine hours,
``curves.png``. Variants that are there already are not trained again.

Run as ``python -m pipeline.training.ablations CONFIG OUT``.
"""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from matplotlib.figure import Figure
from numpy.typing import NDArray

from models.artifactnet import load_detector
from pipeline.bench.folds import LabelledSource, assign_folds
from pipeline.bench.generators import generator_aucs, lead
from pipeline.bench.report import signed, table
from pipeline.bench.statistics import Estimate, tpr_at
from pipeline.training.ablation_variants import PER_THOUSAND, Variant, variants
from pipeline.training.corpus import Excerpt, load_corpus
from pipeline.training.held_out import COMMON, PLAIN, held_out, scored_excerpts
from pipeline.training.labelled_rows import read_labelled
from pipeline.training.settings_file import keep_settings
from pipeline.training.train_detector import settings_of, train
from pipeline.training.training_config import read_training_config


@dataclass(frozen=True)
class Outcome:
    """What a variant reached on the unseen fold.

    Attributes:
      name: of the variant.
      group: variants that may be compared; the first is what the others are set against.
      x: place on the group's curve, if it is one.
      auc: mean over generators, as it is.
      worst: lowest generator, as it is.
      auc_common: mean over generators through the common channel.
      difference: of ``auc`` and ``auc_common``, averaged, from the group's first, with its
        bootstrap 95 % interval over pieces.
      tpr_at_fpr_5: of all generated tracks, as it is.
      drift: mean distance of a score from the one through the common channel.
    """

    name: str
    group: str
    x: float | None
    auc: float
    worst: float
    auc_common: float
    difference: Estimate
    tpr_at_fpr_5: float
    drift: float


@dataclass(frozen=True)
class Judged:
    """The unseen excerpts, and P(AI) ``[2, excerpts]``: as it is and in the common channel."""

    excerpts: tuple[Excerpt, ...]
    scores: NDArray[np.float64]


def outcome(variant: Variant, judged: Judged, reference: Judged) -> Outcome:
    """Figures of a variant, and how far they are from those of its group's first."""
    source = np.array([one.source for one in judged.excerpts])
    plain, common = (scored_excerpts(judged.excerpts, judged.scores[c]) for c in (PLAIN, COMMON))
    fold = np.zeros(len(source), np.intp)
    found = generator_aucs(plain, source, fold)
    return Outcome(
        name=variant.name,
        group=variant.group,
        x=variant.x,
        auc=float(found.mean()),
        worst=float(found.min()),
        auc_common=float(generator_aucs(common, source, fold).mean()),
        difference=lead(list(judged.scores), list(reference.scores), plain, source, fold),
        tpr_at_fpr_5=tpr_at(0.05)(plain),
        drift=float(np.abs(judged.scores[PLAIN] - judged.scores[COMMON]).mean()),
    )


def _plot(outcomes: list[Outcome], path: Path) -> None:
    curves = sorted({one.group for one in outcomes if one.x is not None})
    if not curves:
        return
    figure = Figure(figsize=(4.5 * len(curves), 3.6))
    for axes, curve in zip(np.atleast_1d(figure.subplots(1, len(curves))), curves, strict=True):
        points = sorted((one for one in outcomes if one.group == curve), key=lambda one: one.x or 0)
        for values, label in (
            ([one.auc for one in points], "as it is"),
            ([one.auc_common for one in points], "common channel"),
        ):
            axes.plot([one.x or 0 for one in points], values, marker="o", label=label)
        axes.set(xlabel=curve, ylabel="mean AUC over unseen generators", ylim=(0.4, 1.0))
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=120, bbox_inches="tight")


def write_outcomes(outcomes: list[Outcome], out: Path) -> None:
    """Write the table as JSON and Markdown, and the curves."""
    (out / "ablations.json").write_text(json.dumps([asdict(one) for one in outcomes], indent=2))
    header = ["variant", "mean AUC", "worst generator", "common channel", "difference of both",
              "TPR at 5 % FPR", "drift"]  # fmt: skip
    lines: list[str] = []
    for group in dict.fromkeys(one.group for one in outcomes):
        rows = [
            [one.name, f"{one.auc:.3f}", f"{one.worst:.3f}", f"{one.auc_common:.3f}",
             signed(one.difference),
             f"{one.tpr_at_fpr_5:.3f}", f"{one.drift:.3f}"]
            for one in outcomes if one.group == group
        ]  # fmt: skip
        lines += [f"{group.capitalize()}", "", *table(header, rows), ""]
    (out / "ablations.md").write_text("\n".join(lines))
    _plot(outcomes, out / "curves.png")


def main(
    config: Path,
    out: Path,
    folds: int = 6,
    fold: int = 5,
    steps: int = 800,
    couples_used: Annotated[int, typer.Option(help="Couples to learn from.")] = 3000,
    group: Annotated[
        list[str] | None, typer.Option(help=f"networks, {', '.join(PER_THOUSAND)}; all if none.")
    ] = None,
) -> None:
    """Train and judge every variant of CONFIG, results in OUT."""
    base = replace(read_training_config(config), classifier_steps=steps, couples_used=couples_used)
    corpus = load_corpus(base.manifest, base.cache, 44_100)
    labelled = read_labelled(base.judged or base.manifest)
    fold_of = assign_folds(
        [LabelledSource(row["source"], row["label"], row.get("pair")) for row in labelled], folds
    )
    unseen = tuple(sorted(name for name, one in fold_of.items() if one == fold))
    wanted = {row["track_id"] for row in labelled if row["source"] in unseen}
    excerpts = tuple(one for one in corpus.excerpts if one.track_id in wanted)
    todo = list(variants(base, corpus, unseen, out))
    judged: dict[str, Judged] = {}
    for variant in todo:
        run = out / variant.name.replace(" ", "-")
        done = run / "scores.npy"
        if not done.exists() and group and variant.group not in group:
            continue
        settings = replace(variant.config, run=run, output=run / "artifactnet.safetensors")
        keep_settings(run / "settings.json", settings_of(settings))
        if not done.exists():
            train(settings)
            network = load_detector(settings.output).network
            # Of variants that share an ArtifactUNet, the maps are made once.
            unet = run.name if settings.joint_steps else Path(settings.unet).stem
            rows = held_out(
                corpus, excerpts, network, out, f"held-out-{unet}-{settings.hpss_kernel}",
                base.threads,
            )  # fmt: skip
            index = np.arange(len(excerpts))
            scores = [rows.scores(network.classifier, index, c) for c in (PLAIN, COMMON)]
            np.save(done, np.stack(scores))
        judged[variant.name] = Judged(excerpts, np.load(done, allow_pickle=False))
    first = {variant.group: judged.get(variant.name) for variant in reversed(todo)}
    outcomes = [
        outcome(variant, judged[variant.name], reference)
        for variant in todo
        if variant.name in judged and (reference := first[variant.group])
    ]
    write_outcomes(outcomes, out)


if __name__ == "__main__":
    typer.run(main)
