"""Train the detector.

Enters: a ``TrainingConfig``. Leaves: a weights file (its thresholds are set by
``artifactnet calibrate``), checkpoints to resume from and TensorBoard event files.

Examples are drawn once into the cache. ArtifactUNet learns the residual from pairs of our
own decoders only (``pipeline.training.losses``), so that one ArtifactUNet serves
trainings that leave out different generators. It is then frozen, its maps go to the cache
as well, and the CNN learns from those (``pipeline.training.losses``). At last both
may learn together (``pipeline.training.losses``).
"""

import hashlib
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from artifactnet.models.artifactnet import ArtifactNet, load_detector, save_detector
from artifactnet.models.config import ArtifactNetConfig
from artifactnet.models.weights.weights_file import model_id
from artifactnet.pipeline.training.config import TrainingConfig, keep_settings
from artifactnet.pipeline.training.corpus import Corpus, load_corpus
from artifactnet.pipeline.training.fit import Fitting, Validation, fit
from artifactnet.pipeline.training.hard_mining import real_scores, with_hardest
from artifactnet.pipeline.training.held_out import held_out
from artifactnet.pipeline.training.losses import ClassifierLosses, JointLosses, ResidualLosses
from artifactnet.pipeline.training.pair_cache import PairCache, fill_pair_cache
from artifactnet.pipeline.training.pairs import KINDS, Drawing, Origin, PairDataset
from artifactnet.pipeline.training.spectrogram_cache import fill_spectrogram_cache

MAPS_VERSION = 1
"""Raised when maps that lie in caches are no longer what this code would make."""


def wanted(config: TrainingConfig, origin: Origin) -> bool:
    """Whether a training by ``config`` may learn from a pair."""
    left_out = {*config.leave_out_sources, *config.validation}
    return (
        not left_out.intersection(origin.sources)
        and origin.codec not in config.leave_out_codecs
        and (config.aligned_pairs or origin.kind == "unrelated")
        and (config.own_codecs or not origin.codec)
        and (config.hard_negatives or not origin.degraded)
    )


NOT_DECISIVE = ("run", "output", "cache", "evaluation_manifest", "threads", "workers")


def settings_of(config: TrainingConfig) -> dict[str, object]:
    """All that decides what a training by ``config`` becomes."""
    settings = {n: value for n, value in asdict(config).items() if n not in NOT_DECISIVE}
    return settings | {"manifest_sha256": hashlib.sha256(config.manifest.read_bytes()).hexdigest()}


def _learnt(config: TrainingConfig, bank: PairCache) -> NDArray[np.intp]:
    """Indices of the pairs to learn from."""
    chosen = bank.chosen(lambda origin: wanted(config, origin))
    if not config.learnt:
        return chosen
    found = []
    for kind, count in zip(KINDS, config.learnt, strict=True):
        own = [index for index in chosen if bank.origins[index].kind == kind]
        if len(own) < count:
            raise ValueError(
                f"learnt asks for {count} pairs of kind {kind!r}, and {len(own)} are left: draw "
                "more (pairs), or ask for fewer"
            )
        found += own[:count]
    return np.array(sorted(found), np.intp)


def _draw(config: TrainingConfig, corpus: Corpus, sample_rate: int) -> tuple[PairCache, str]:
    """The examples, and a name for them that changes with all that decides them."""
    drawing = Drawing(
        codecs=config.codecs,
        crop_samples=int(config.crop_seconds * sample_rate),
        sample_rate=sample_rate,
        length=config.pairs,
        augmentations=config.augmentations if config.processed else 0,
        seed=config.seed,
    )
    content = hashlib.sha256(config.manifest.read_bytes())
    content.update(str(replace(drawing, codecs=())).encode())
    for codec in config.codecs:
        content.update(f"{codec.stem} {model_id(codec)}".encode())
    name = f"pairs-{content.hexdigest()[:12]}"
    dataset = PairDataset(corpus, drawing)
    return fill_pair_cache(dataset, config.cache, name, config.workers), name


def _with_residual(config: TrainingConfig, network: ArtifactNet, bank: PairCache) -> Path:
    """Weights with a trained ArtifactUNet: those named, or those of the first stage."""
    if config.unet:
        return Path(config.unet)
    stage_one = config.run / "residual.safetensors"
    if not stage_one.exists():
        anything = replace(config, aligned_pairs=True, own_codecs=True)
        chosen = bank.chosen(lambda origin: origin.kind == "ours" and wanted(anything, origin))
        losses = ResidualLosses(
            network, bank, chosen, config.residual_batch, config.residual_weight, config.fit_seed
        )
        averaged = fit(network, losses, _fitting(config, "residual", config.residual_steps))
        assert isinstance(averaged, ArtifactNet)
        save_detector(averaged, stage_one)
    return stage_one


def _validation(
    config: TrainingConfig, corpus: Corpus, network: ArtifactNet, name: str
) -> Validation | None:
    if not config.validation:
        return None
    excerpts = tuple(
        e for e in corpus.excerpts if e.source in config.validation and e.bench_origin == "train"
    )
    names = hashlib.sha256("".join(e.track_id for e in excerpts).encode()).hexdigest()[:8]
    rows = held_out(
        corpus, excerpts, network, config.cache, f"{name}-held-out-{names}", config.threads
    )
    return lambda classifier: rows.figures(classifier, np.arange(len(excerpts)))


def train(config: TrainingConfig) -> str:
    """Train to ``config.output``, from the last checkpoint of ``config.run`` if there is one.

    Returns:
      The model id of the weights.

    Raises:
      ValueError: ``config.run`` holds another training, or too few examples are left after what
        the configuration leaves out.
      WeightsError: a codec or ``config.unet`` can't be read.
    """
    torch.set_num_threads(config.threads)
    kept = config.run / "settings.json"
    if config.output.exists() and not kept.exists():
        raise ValueError(
            f"{config.output} is there already, and not of this run; name another output, or "
            "delete it"
        )
    keep_settings(kept, settings_of(config))
    shape = replace(ArtifactNetConfig(), hpss_kernel=config.hpss_kernel)
    corpus = load_corpus(config.manifest, config.cache, shape.sample_rate)
    bank, bank_name = _draw(config, corpus, shape.sample_rate)
    torch.manual_seed(config.fit_seed)  # here, since drawing takes from torch's generator too
    frozen_path = _with_residual(config, ArtifactNet(shape), bank)
    frozen = load_detector(frozen_path).network
    name = f"{bank_name}-{model_id(frozen_path)}-{config.hpss_kernel}-{MAPS_VERSION}"
    torch.manual_seed(config.fit_seed)
    network = ArtifactNet(shape)
    network.unet.load_state_dict(frozen.unet.state_dict())
    if config.start_from_residual:
        network.classifier.load_state_dict(frozen.classifier.state_dict())
    if config.pairs_used:
        bank = bank.first(config.pairs_used)
        if not (config.cache / f"{name}.u8").exists():  # of all pairs; their beginning will do
            name = f"{name}-first-{config.pairs_used}"
    chosen = _learnt(config, bank)
    if config.classifier_steps:
        _train_classifier(config, network, corpus, bank, chosen, name)
    if config.joint_steps:
        if config.mined_share:
            scores = real_scores(network, bank, chosen, config.run / "mined.npy")
            chosen = with_hardest(chosen, scores, config.mined_share)
        network.to(memory_format=torch.channels_last)
        losses = JointLosses(
            network, bank, chosen, config.joint_batch, config.consistency_weight, config.fit_seed,
            config.one_bandwidth,
        )  # fmt: skip
        averaged = fit(network, losses, _fitting(config, "joint", config.joint_steps, 0.3))
        network.load_state_dict(averaged.state_dict())
    return save_detector(network.eval(), config.output)


def _train_classifier(
    config: TrainingConfig, network: ArtifactNet, corpus: Corpus, bank: PairCache,
    chosen: NDArray[np.intp], name: str,
) -> None:  # fmt: skip
    maps = fill_spectrogram_cache(network, bank.crops, config.cache / f"{name}.u8", config.threads)
    classifier = network.classifier.to(memory_format=torch.channels_last)
    losses = ClassifierLosses(
        classifier,
        maps,
        chosen,
        config.classifier_batch,
        config.consistency_weight,
        config.fit_seed,
    )
    fitting = _fitting(config, "classifier", config.classifier_steps)
    averaged = fit(classifier, losses, fitting, _validation(config, corpus, network, name))
    network.classifier.load_state_dict(averaged.state_dict())


def _fitting(config: TrainingConfig, name: str, steps: int, share: float = 1.0) -> Fitting:
    return Fitting(
        config.run,
        name,
        steps,
        share * config.learning_rate,
        config.checkpoint_steps,
        config.patience,
    )
