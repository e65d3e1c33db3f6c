"""What each part of the training earns, and what more data would.

Enters: a ``TrainingConfig``, a number of folds and one of them. Leaves: for each ``Variant`` a
detector trained without the fold's generators and sources and evaluated on these, one segment a
track, as it is and through the common channel: ``ablations.json``, ``ablations.md`` and, for the
number of decoders and of real hours, ``curves.png``. Variants that are there already are not
trained again.

Variants come in groups, each to be set against the first of its group. What the networks are made
of is tried on the ArtifactUNet of ``config.unet``. What they learn from is tried without
ArtifactUNet, since a trained one has already learnt from what a variant leaves out; within a group
every variant learns from as many pairs, and on a curve from as many of each kind.

Run as ``python -m artifactnet.pipeline.experiments.ablations CONFIG OUT``.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from matplotlib.figure import Figure
from numpy.typing import NDArray

from artifactnet.models.artifactnet import load_detector, save_detector
from artifactnet.models.whole_file import whole_file
from artifactnet.pipeline.bench.report import signed, table
from artifactnet.pipeline.evaluation.folds import LabelledSource, assign_folds
from artifactnet.pipeline.evaluation.metrics import Estimate, auc_difference, generator_aucs, tpr_at
from artifactnet.pipeline.training.config import TrainingConfig, keep_settings, read_training_config
from artifactnet.pipeline.training.corpus import Corpus, Excerpt, load_corpus, read_labelled
from artifactnet.pipeline.training.held_out import COMMON, PLAIN, held_out, scored_excerpts
from artifactnet.pipeline.training.train import settings_of, train

PER_THOUSAND = {
    "examples": (93, 46, 93),
    "decoders": (63, 46, 123),
    "real hours": (33, 23, 33),
}
"""Pairs of ours, published and unrelated that a variant of a group learns from, of a thousand
that were drawn: what its poorest variant has left, roughly."""


@dataclass(frozen=True)
class Variant:
    """One training to evaluate.

    Attributes:
      name: says what is different.
      config: to train by.
      group: variants that may be compared.
      x: its place on the group's curve, if it is one.
    """

    name: str
    config: TrainingConfig
    group: str
    x: float | None = None


def without_unet(source: Path, target: Path) -> Path:
    """A detector whose ArtifactUNet gives a quarter of the magnitude everywhere."""
    network = load_detector(source).network
    with torch.no_grad():
        for layer in (network.unet.head, network.unet.refine):
            for parameter in layer.parameters():
                parameter.zero_()
    target.parent.mkdir(parents=True, exist_ok=True)
    save_detector(network, target)
    return target


def _hours(corpus: Corpus, left_out: set[str]) -> float:
    samples = sum(
        one.end - one.begin
        for one in corpus.excerpts
        if one.label == "real" and one.bench_origin == "train" and one.source not in left_out
    )
    return samples / 44_100 / 3600


def variants(
    base: TrainingConfig, corpus: Corpus, unseen: tuple[str, ...], out: Path
) -> Iterator[Variant]:
    """Everything that is tried, for the same steps; from scratch unless the name says otherwise."""
    base = replace(base, leave_out_sources=unseen, start_from_residual=False)
    constant = without_unet(Path(base.unet), out / "constant.safetensors")
    yield from _networks(base, constant)
    plain = replace(base, unet=str(constant))
    yield from _examples(plain)
    yield from _decoders(plain)
    yield from _real_hours(plain, corpus, unseen)


def _networks(base: TrainingConfig, constant: Path) -> Iterator[Variant]:
    group = "networks"
    yield Variant("everything", base, group)
    yield Variant("everything, another trial", replace(base, trial=1), group)
    yield Variant("without the consistency term", replace(base, consistency_weight=0.0), group)
    yield Variant("without HPSS", replace(base, hpss_kernel=1), group)
    yield Variant("without ArtifactUNet", replace(base, unet=str(constant)), group)
    staged = replace(base, start_from_residual=True)
    yield Variant("everything, from the first stage", staged, group)
    joint = replace(staged, classifier_steps=0, joint_steps=base.classifier_steps)
    apart = replace(joint, one_bandwidth=False)
    yield Variant("both networks together, from the first stage", apart, group)
    yield Variant("both networks together, pairs of one bandwidth", joint, group)


def _pairs(base: TrainingConfig, group: str, *shares: float) -> tuple[int, ...]:
    """Pairs of each kind, ``shares`` of all that the group learns from, or its usual mix."""
    usual = [per * base.pairs_used // 1000 for per in PER_THOUSAND[group]]
    return tuple(round(share * sum(usual)) for share in shares) if shares else tuple(usual)


def _examples(plain: TrainingConfig) -> Iterator[Variant]:
    group = "examples"
    whole = replace(plain, learnt=_pairs(plain, group))
    yield Variant("all examples", whole, group)
    yield Variant("all examples, another trial", replace(whole, trial=1), group)
    unrelated = replace(whole, aligned_pairs=False, learnt=_pairs(plain, group, 0, 0, 1))
    yield Variant("without pairs of either kind", unrelated, group)
    foreign = replace(whole, own_codecs=False, learnt=_pairs(plain, group, 0, 1 / 3, 2 / 3))
    yield Variant("without our own codecs", foreign, group)
    yield Variant("without hard negatives", replace(whole, hard_negatives=False), group)
    bare = replace(
        whole, processed=False, pairs=plain.pairs_used, consistency_weight=0.0,
        classifier_batch=plain.classifier_batch // plain.augmentations,
    )  # fmt: skip
    yield Variant("without codec augmentation, nor consistency", bare, group)


def _decoders(plain: TrainingConfig) -> Iterator[Variant]:
    group = "decoders"
    names = sorted(path.stem for path in plain.codecs)
    whole = replace(plain, learnt=_pairs(plain, group))
    yield Variant(f"{len(names)} decoders and linear ones", whole, group, len(names))
    for count in (6, 4):
        fewer = replace(whole, leave_out_codecs=(*names[count:], "linear"))
        yield Variant(f"{count} decoders of our own", fewer, group, count)
    none = replace(whole, own_codecs=False, learnt=_pairs(plain, group, 0, 0.3, 0.7))
    yield Variant("no decoder of our own", none, group, 0)


def _real_hours(
    plain: TrainingConfig, corpus: Corpus, unseen: tuple[str, ...]
) -> Iterator[Variant]:
    group = "real hours"
    originals = {one.source for one in corpus.excerpts if one.label == "real" and one.pair}
    real = sorted({e.source for e in corpus.excerpts if e.label == "real"} - {*unseen, *originals})
    for step in (1, 2, 4):
        dropped = [name for number, name in enumerate(real) if number % step]
        hours = _hours(corpus, {*unseen, *dropped})
        config = replace(plain, leave_out_sources=(*unseen, *dropped), learnt=_pairs(plain, group))
        yield Variant(f"{hours:.1f} real hours", config, group, hours)


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
class Evaluated:
    """The unseen excerpts, and P(AI) ``[2, excerpts]``: as it is and in the common channel."""

    excerpts: tuple[Excerpt, ...]
    scores: NDArray[np.float64]


def outcome(variant: Variant, evaluated: Evaluated, reference: Evaluated) -> Outcome:
    """Figures of a variant, and how far they are from those of its group's first."""
    source = np.array([one.source for one in evaluated.excerpts])
    plain, common = (
        scored_excerpts(evaluated.excerpts, evaluated.scores[c]) for c in (PLAIN, COMMON)
    )
    fold = np.zeros(len(source), np.intp)
    found = generator_aucs(plain, source, fold)
    return Outcome(
        name=variant.name,
        group=variant.group,
        x=variant.x,
        auc=float(found.mean()),
        worst=float(found.min()),
        auc_common=float(generator_aucs(common, source, fold).mean()),
        difference=auc_difference(
            list(evaluated.scores), list(reference.scores), plain, source, fold
        ),
        tpr_at_fpr_5=tpr_at(0.05)(plain),
        drift=float(np.abs(evaluated.scores[PLAIN] - evaluated.scores[COMMON]).mean()),
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
    pairs_used: Annotated[int, typer.Option(help="Pairs to learn from.")] = 3000,
    group: Annotated[
        list[str] | None, typer.Option(help=f"networks, {', '.join(PER_THOUSAND)}; all if none.")
    ] = None,
) -> None:
    """Train and evaluate every variant of CONFIG, results in OUT."""
    base = replace(read_training_config(config), classifier_steps=steps, pairs_used=pairs_used)
    corpus = load_corpus(base.manifest, base.cache, 44_100)
    labelled = read_labelled(base.evaluation_manifest or base.manifest)
    fold_of = assign_folds(
        [LabelledSource(row["source"], row["label"], row.get("pair")) for row in labelled], folds
    )
    unseen = tuple(sorted(name for name, one in fold_of.items() if one == fold))
    wanted = {row["track_id"] for row in labelled if row["source"] in unseen}
    excerpts = tuple(one for one in corpus.excerpts if one.track_id in wanted)
    todo = list(variants(base, corpus, unseen, out))
    evaluated: dict[str, Evaluated] = {}
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
            with whole_file(done) as partial, partial.open("wb") as file:
                np.save(file, np.stack(scores))
        evaluated[variant.name] = Evaluated(excerpts, np.load(done, allow_pickle=False))
    first = {variant.group: evaluated.get(variant.name) for variant in reversed(todo)}
    outcomes = [
        outcome(variant, evaluated[variant.name], reference)
        for variant in todo
        if variant.name in evaluated and (reference := first[variant.group])
    ]
    write_outcomes(outcomes, out)


if __name__ == "__main__":
    typer.run(main)
