"""Train the detector.

Enters: a :class:`TrainingConfig` read from TOML. Leaves: a weights file (its
thresholds are set afterwards, see :mod:`pipeline.training.calibrate`), checkpoints to resume
from, and TensorBoard event files.

ArtifactUNet and the CNN learn together. The loss of a couple is the binary cross-entropy
of its two halves; where only the decoder differs, ArtifactUNet is also shown what the
residual is: the magnitude that the decoder changed, ``|M_generated - M_genuine|``, bounded
like its mask, and nothing for the genuine half (ArtifactNet, arXiv 2604.16254).
"""

import logging
import time
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Subset
from torch.utils.tensorboard import SummaryWriter

from models.artifactnet import ArtifactNet, load_detector, save_detector
from models.config import ArtifactNetConfig
from models.forensic_channels import forensic_channels
from models.hpss import hpss
from pipeline.training.corpus import load_corpus
from pipeline.training.examples import Couple, CoupleDataset

LINE_STEPS = 20
"""Steps between log lines where there is no terminal for a progress bar."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that decides a training run.

    Attributes:
      manifest: labelled corpus, JSONL.
      codecs: weights of our neural codecs, which make couples.
      output: weights file to write.
      run: folder for checkpoints, logs and caches.
      steps: optimiser steps.
      couples: couples per step.
      crop_seconds: length of a crop.
      start: weights to start from; empty for none.
      learning_rate: peak; warmed up over 5 % of the steps, then cosine to zero.
      residual_weight: weight of the residual loss.
      checkpoint_steps: steps between checkpoints.
      threads: of torch.
      workers: processes that make couples.
      seed: decides weights and couples.
    """

    manifest: Path
    codecs: tuple[Path, ...]
    output: Path
    run: Path
    start: str = ""
    steps: int = 2000
    couples: int = 6
    crop_seconds: float = 1.5
    learning_rate: float = 1e-3
    residual_weight: float = 0.1
    checkpoint_steps: int = 100
    threads: int = 1
    workers: int = 1
    seed: int = 0


def read_training_config(path: Path) -> TrainingConfig:
    """Read a TOML file; its paths are relative to the working directory.

    Raises:
      ValueError: not TOML, or fields unknown or missing.
    """
    try:
        stored = tomllib.loads(path.read_text())
        known = {field.name: field.type for field in fields(TrainingConfig)}
        if unknown := sorted(set(stored) - set(known)):
            raise ValueError(f"unknown fields {', '.join(unknown)}")
        values: dict[str, Any] = {
            name: Path(v) if known[name] is Path else v for name, v in stored.items()
        }
        values["codecs"] = tuple(Path(codec) for codec in stored.get("codecs", ()))
        return TrainingConfig(**values)
    except (tomllib.TOMLDecodeError, OSError, ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from error


def couple_loss(network: ArtifactNet, couples: Couple, residual_weight: float) -> dict[str, Tensor]:
    """Losses of a batch of couples.

    Args:
      network: in training mode.
      couples: ``genuine`` and ``generated`` float32 ``[couples, samples]``, ``aligned``
        bool ``[couples]``.
      residual_weight: weight of the residual loss in ``total``.

    Returns:
      Scalars ``total``, ``classification``, ``residual`` and ``accuracy``.
    """
    audio = torch.cat([couples.genuine, couples.generated])
    target = torch.cat([torch.zeros(len(couples.genuine)), torch.ones(len(couples.generated))])
    magnitude = network.stft(audio)
    with torch.autocast("cpu", torch.bfloat16):
        residual = network.unet(magnitude)
    harmonic, percussive = hpss(residual, network.config.hpss_kernel)
    channels = forensic_channels(magnitude, residual, harmonic, percussive)
    with torch.autocast("cpu", torch.bfloat16):
        logit = network.classifier(channels).logit.float()
    classification = functional.binary_cross_entropy_with_logits(logit, target * 0.98 + 0.01)
    genuine, generated = magnitude.chunk(2)
    bound = network.config.mask_bound
    wanted = torch.cat(
        [torch.zeros_like(genuine), torch.minimum((generated - genuine).abs(), bound * generated)]
    )
    error = (torch.log(residual + 1e-3) - torch.log(wanted + 1e-3)).abs().mean(dim=(1, 2))
    shown = torch.as_tensor(couples.aligned).repeat(2).float()
    residual_loss = (error * shown).sum() / shown.sum().clamp_min(1.0)
    return {
        "total": classification + residual_weight * residual_loss,
        "classification": classification,
        "residual": residual_loss,
        "accuracy": ((logit > 0) == (target > 0.5)).float().mean(),
    }


def train(config: TrainingConfig) -> str:
    """Train to ``config.output``, from the last checkpoint of ``config.run`` if there is one.

    Returns:
      The model id of the weights.
    """
    torch.manual_seed(config.seed)
    torch.set_num_threads(config.threads)
    shape = ArtifactNetConfig()
    corpus = load_corpus(config.manifest, config.run / "cache", shape.sample_rate)
    dataset = CoupleDataset(
        corpus,
        config.codecs,
        int(config.crop_seconds * shape.sample_rate),
        shape.sample_rate,
        config.seed,
        config.steps * config.couples,
    )
    network = ArtifactNet(shape)
    if config.start:
        network.load_state_dict(load_detector(Path(config.start)).network.state_dict())
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.99), use_buffers=True)
    averaged: ArtifactNet = average.module  # type: ignore[assignment]
    optimiser = torch.optim.AdamW(network.parameters(), config.learning_rate, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, config.learning_rate, total_steps=config.steps, pct_start=0.05
    )
    checkpoint = config.run / "checkpoint.pt"
    first = 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        first = state["step"]
        network.load_state_dict(state["network"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        schedule.load_state_dict(state["schedule"])
        torch.set_rng_state(state["random"])
    rest = range(first * config.couples, config.steps * config.couples)
    loader = DataLoader(
        Subset(dataset, rest),
        batch_size=config.couples,
        num_workers=config.workers,
        persistent_workers=config.workers > 0,
        worker_init_fn=lambda _: torch.set_num_threads(1),
        generator=torch.Generator(),  # its own, so that making a loader leaves torch's state alone
    )
    log = SummaryWriter(config.run / "tensorboard", purge_step=first + 1 if first else None)
    columns = (TextColumn("step {task.completed}/{task.total}"), BarColumn(), TimeRemainingColumn())
    network.train()
    with Progress(*columns, TextColumn("{task.description}")) as bar:
        task = bar.add_task("", total=config.steps, completed=first)
        for step, couples in enumerate(loader, start=first + 1):
            began = time.monotonic()
            losses = couple_loss(network, Couple(*couples), config.residual_weight)
            optimiser.zero_grad()
            losses["total"].backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            average.update_parameters(network)
            for name, value in losses.items():
                log.add_scalar(name, value.item(), step)
            log.add_scalar("seconds", time.monotonic() - began, step)
            if step % config.checkpoint_steps == 0 or step == config.steps:
                state = {
                    "step": step,
                    "network": network.state_dict(),
                    "average": average.state_dict(),
                    "optimiser": optimiser.state_dict(),
                    "schedule": schedule.state_dict(),
                    "random": torch.get_rng_state(),
                }
                torch.save(state, checkpoint.with_suffix(".partial"))
                checkpoint.with_suffix(".partial").replace(checkpoint)
                save_detector(averaged, config.output)
            values = " ".join(f"{name} {value:.3f}" for name, value in losses.items())
            bar.update(task, completed=step, description=values)
            if not bar.console.is_terminal and step % LINE_STEPS == 0:
                logger.info("step %d of %d: %s", step, config.steps, values)
    log.close()
    return save_detector(averaged, config.output)
