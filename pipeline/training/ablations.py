"""What each part of the training earns, and what more data would.

Enters: a :class:`TrainingConfig`, a number of folds and one of them. Leaves: for each variant a
detector trained without the fold's generators and sources, judged on these, one segment a track,
as it is and through the common channel: ``ablations.json``, ``ablations.md`` and, for the number of
decoders and of genuine hours, ``curves.png``. Variants that are there already are not trained
again.

Run as ``python -m pipeline.training.ablations CONFIG OUT``.
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

from models.artifactnet import ArtifactNet, load_detector, save_detector
from pipeline.bench.folds import LabelledSource, assign_folds
from pipeline.bench.report import table
from pipeline.bench.statistics import ScoredTracks, auc, tpr_at
from pipeline.bench.unseen_folds import read_labelled
from pipeline.training.corpus import Corpus, load_corpus
from pipeline.training.held_out import COMMON, PLAIN, HeldOut, held_out
from pipeline.training.train_detector import train
from pipeline.training.training_config import TrainingConfig, read_training_config


@dataclass(frozen=True)
class Variant:
    """One training to judge; ``x`` is its place on a curve, ``curve`` which one."""

    name: str
    config: TrainingConfig
    curve: str = ""
    x: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """What a variant reached on the unseen fold.

    Attributes:
      name: of the variant.
      auc: mean over generators, as it is.
      worst: lowest generator, as it is.
      auc_common: mean over generators through the common channel.
      tpr_at_fpr_1: of all generated tracks, as it is.
      drift: mean distance of a score from the one through the common channel.
      curve: as in the variant.
      x: as in the variant.
    """

    name: str
    auc: float
    worst: float
    auc_common: float
    tpr_at_fpr_1: float
    drift: float
    curve: str = ""
    x: float = 0.0


def without_unet(source: Path, target: Path) -> Path:
    """A detector whose ArtifactUNet gives a quarter of the magnitude everywhere."""
    network = load_detector(source).network
    with torch.no_grad():
        for layer in (network.unet.head, network.unet.refine):
            for parameter in layer.parameters():
                parameter.zero_()
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
    """Everything that is tried; all from scratch, on the same couples, for the same steps."""
    base = replace(base, leave_out_sources=unseen, start_from_residual=False)
    names = sorted(path.stem for path in base.codecs)
    hours = _hours(corpus, set(unseen))
    yield Variant("everything", base)
    yield Variant("without pairs", replace(base, pairs=False))
    yield Variant("without our own codecs", replace(base, own_codecs=False))
    yield Variant("without hard negatives", replace(base, hard_negatives=False))
    yield Variant("without the consistency term", replace(base, consistency_weight=0.0))
    yield Variant(
        "without codec augmentation", replace(base, processed=False, couples=base.couples_used)
    )
    yield Variant("without HPSS", replace(base, hpss_kernel=1))
    constant = without_unet(Path(base.unet), out / "constant.safetensors")
    yield Variant("without ArtifactUNet", replace(base, unet=str(constant)))
    yield Variant("everything, from the first stage", replace(base, start_from_residual=True))
    together = replace(base, start_from_residual=True, classifier_steps=0)
    yield Variant(
        "both networks together, from the first stage",
        replace(together, joint_steps=base.classifier_steps),
    )
    for count in (0, 3, 6):
        config = replace(base, leave_out_codecs=(*names[count:], "linear"))
        yield Variant(f"{count} decoders of our own", config, "decoders", count)
    real = sorted({e.source for e in corpus.excerpts if e.label == "real"} - set(unseen))
    for step in (4, 2):
        dropped = [name for number, name in enumerate(real) if number % step]
        left = _hours(corpus, {*unseen, *dropped})
        config = replace(base, leave_out_sources=(*unseen, *dropped))
        yield Variant(f"{left:.1f} genuine hours", config, "genuine hours", left)
    yield Variant(f"{len(names)} decoders of our own and linear ones", base, "decoders", len(names))
    yield Variant(f"{hours:.1f} genuine hours", base, "genuine hours", hours)


def judge(variant: Variant, rows: HeldOut, network: ArtifactNet) -> Outcome:
    """Score the unseen excerpts by a trained variant."""
    index = np.arange(len(rows.excerpts))
    is_ai = np.array([one.label == "ai" for one in rows.excerpts])
    source = np.array([one.source for one in rows.excerpts])
    scores = {c: rows.scores(network.classifier, index, c) for c in (PLAIN, COMMON)}

    def by_generator(channel: int) -> list[float]:
        scored = rows.scored(index, scores[channel])
        return [
            auc(scored.take(np.flatnonzero((source == name) | ~is_ai)))
            for name in np.unique(source[is_ai])
        ]

    plain = rows.scored(index, scores[PLAIN])
    assert isinstance(plain, ScoredTracks)
    return Outcome(
        name=variant.name,
        auc=float(np.mean(by_generator(PLAIN))),
        worst=float(np.min(by_generator(PLAIN))),
        auc_common=float(np.mean(by_generator(COMMON))),
        tpr_at_fpr_1=tpr_at(0.01)(plain),
        drift=float(np.abs(scores[PLAIN] - scores[COMMON]).mean()),
        curve=variant.curve,
        x=variant.x,
    )


def _plot(outcomes: list[Outcome], path: Path) -> None:
    figure = Figure(figsize=(9, 3.6))
    for axes, curve in zip(figure.subplots(1, 2), ("decoders", "genuine hours"), strict=True):
        points = sorted((one for one in outcomes if one.curve == curve), key=lambda one: one.x)
        for values, label in (
            ([one.auc for one in points], "as it is"),
            ([one.auc_common for one in points], "common channel"),
        ):
            axes.plot([one.x for one in points], values, marker="o", label=label)
        axes.set(xlabel=curve, ylabel="mean AUC over unseen generators")
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=120, bbox_inches="tight")


def _write(outcomes: list[Outcome], out: Path) -> None:
    (out / "ablations.json").write_text(json.dumps([asdict(one) for one in outcomes], indent=2))
    header = ["variant", "mean AUC", "worst generator", "common channel", "TPR at 1 % FPR", "drift"]
    rows = [
        [one.name, f"{one.auc:.3f}", f"{one.worst:.3f}", f"{one.auc_common:.3f}",
         f"{one.tpr_at_fpr_1:.3f}", f"{one.drift:.3f}"]
        for one in outcomes
    ]  # fmt: skip
    (out / "ablations.md").write_text("\n".join(table(header, rows)) + "\n")
    _plot(outcomes, out / "curves.png")


def main(
    config: Path,
    out: Path,
    folds: int = 6,
    fold: int = 5,
    steps: int = 800,
    couples_used: Annotated[int, typer.Option(help="Couples to learn from.")] = 3000,
    part: Annotated[str, typer.Option(help="i/n: every n-th variant from the i-th on.")] = "0/1",
) -> None:
    """Train and judge every variant of CONFIG, results in OUT."""
    base = replace(read_training_config(config), classifier_steps=steps, couples_used=couples_used)
    out.mkdir(parents=True, exist_ok=True)
    corpus = load_corpus(base.manifest, base.cache, 44_100)
    labelled = read_labelled(base.judged or base.manifest)
    fold_of = assign_folds(
        [LabelledSource(row["source"], row["label"], row.get("pair")) for row in labelled], folds
    )
    unseen = tuple(sorted(name for name, one in fold_of.items() if one == fold))
    wanted = {row["track_id"] for row in labelled if row["source"] in unseen}
    excerpts = tuple(one for one in corpus.excerpts if one.track_id in wanted)
    first, step = map(int, part.split("/"))
    todo = list(variants(base, corpus, unseen, out))
    for variant in todo[first::step]:
        run = out / variant.name.replace(" ", "-")
        done = run / "outcome.json"
        if done.exists():
            continue
        weights = run / "artifactnet.safetensors"
        train(replace(variant.config, run=run, output=weights))
        network = load_detector(weights).network
        key = f"{Path(variant.config.unet).stem}-{variant.config.hpss_kernel}"
        if variant.config.joint_steps:  # an ArtifactUNet of its own
            key = run.name
        rows = held_out(corpus, excerpts, network, out, f"held-out-{key}-{first}", base.threads)
        done.write_text(json.dumps(asdict(judge(variant, rows, network))))
    found = [out / variant.name.replace(" ", "-") / "outcome.json" for variant in todo]
    _write([Outcome(**json.loads(one.read_text())) for one in found if one.exists()], out)


if __name__ == "__main__":
    typer.run(main)
