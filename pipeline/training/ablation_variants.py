"""The trainings that tell what each part earns.

Enters: a :class:`TrainingConfig` and the sources that stay unseen. Leaves: :class:`Variant` items
in groups, each to be set against the first of its group. What the networks are made of is tried
on the ArtifactUNet of ``config.unet``. What they learn from is tried without ArtifactUNet, since a
trained one has already learnt from what a variant leaves out; within a group every variant
learns from as many couples, and on a curve from as many of each kind.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from models.artifactnet import load_detector, save_detector
from pipeline.training.corpus import Corpus
from pipeline.training.training_config import TrainingConfig

PER_THOUSAND = {
    "examples": (93, 46, 93),
    "decoders": (63, 46, 123),
    "genuine hours": (33, 23, 33),
}
"""Couples of ours, published and unrelated that a variant of a group learns from, of a thousand
that were drawn: what its poorest variant has left, roughly."""


@dataclass(frozen=True)
class Variant:
    """One training to judge.

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
    yield from _genuine_hours(plain, corpus, unseen)


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
    yield Variant("both networks together, couples of one bandwidth", joint, group)


def _couples(base: TrainingConfig, group: str, *shares: float) -> tuple[int, ...]:
    """Couples of each kind, ``shares`` of all that the group learns from, or its usual mix."""
    usual = [per * base.couples_used // 1000 for per in PER_THOUSAND[group]]
    return tuple(round(share * sum(usual)) for share in shares) if shares else tuple(usual)


def _examples(plain: TrainingConfig) -> Iterator[Variant]:
    group = "examples"
    whole = replace(plain, learnt=_couples(plain, group))
    yield Variant("all examples", whole, group)
    yield Variant("all examples, another trial", replace(whole, trial=1), group)
    unrelated = replace(whole, pairs=False, learnt=_couples(plain, group, 0, 0, 1))
    yield Variant("without pairs of either kind", unrelated, group)
    foreign = replace(whole, own_codecs=False, learnt=_couples(plain, group, 0, 1 / 3, 2 / 3))
    yield Variant("without our own codecs", foreign, group)
    yield Variant("without hard negatives", replace(whole, hard_negatives=False), group)
    bare = replace(
        whole, processed=False, couples=plain.couples_used, consistency_weight=0.0,
        classifier_batch=plain.classifier_batch // plain.channels,
    )  # fmt: skip
    yield Variant("without codec augmentation, nor consistency", bare, group)


def _decoders(plain: TrainingConfig) -> Iterator[Variant]:
    group = "decoders"
    names = sorted(path.stem for path in plain.codecs)
    whole = replace(plain, learnt=_couples(plain, group))
    yield Variant(f"{len(names)} decoders and linear ones", whole, group, len(names))
    for count in (6, 4):
        fewer = replace(whole, leave_out_codecs=(*names[count:], "linear"))
        yield Variant(f"{count} decoders of our own", fewer, group, count)
    none = replace(whole, own_codecs=False, learnt=_couples(plain, group, 0, 0.3, 0.7))
    yield Variant("no decoder of our own", none, group, 0)


def _genuine_hours(
    plain: TrainingConfig, corpus: Corpus, unseen: tuple[str, ...]
) -> Iterator[Variant]:
    group = "genuine hours"
    originals = {one.source for one in corpus.excerpts if one.label == "real" and one.pair}
    real = sorted({e.source for e in corpus.excerpts if e.label == "real"} - {*unseen, *originals})
    for step in (1, 2, 4):
        dropped = [name for number, name in enumerate(real) if number % step]
        hours = _hours(corpus, {*unseen, *dropped})
        config = replace(
            plain, leave_out_sources=(*unseen, *dropped), learnt=_couples(plain, group)
        )
        yield Variant(f"{hours:.1f} genuine hours", config, group, hours)
