"""Train SpecTTTra on the crops that the shipped head learns from, for a fair comparison.

Enters: a bank with its sound (``pipeline/training/statistics/bank.py --audio``). Leaves: the
weights, and AUCs over the crops of the fold that was left out. Crops are drawn with the weights
that the head's are; AdamW with a warm-up and a cosine, as in arXiv 2408.14080, section 5. A run
goes on where the last one stopped.

Run as ``python -m artifactnet.pipeline.experiments.train_spectttra BANK OUT --minutes 60``.
"""

import time
from pathlib import Path
from typing import Annotated

import numpy as np
import soxr
import torch
import typer
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.nn import functional

from artifactnet.models.published.spectttra import (
    CLIPS,
    SpecTTTra,
    SpecTTTraConfig,
    save_spectttra,
)
from artifactnet.pipeline.training.distillation.bank_sound import BankSound
from artifactnet.pipeline.training.statistics.bank import AUDIO_SAMPLES
from artifactnet.pipeline.training.statistics.crop_table import load, tracks_of
from artifactnet.pipeline.training.statistics.crops import SAMPLE_RATE
from artifactnet.pipeline.training.statistics.weights import assign_folds, crop_weights

SECONDS = AUDIO_SAMPLES / SAMPLE_RATE
WARM_UP = 0.05
CHECKPOINT_SECONDS = 600
LAST_CHECKED = 4_000
"""Crops of the fold left out by which a run is judged, at most."""


def sound_of(bank: BankSound, numbers: NDArray[np.intp], rate: int) -> Tensor:
    """Crops ``numbers`` at ``rate`` Hz, float32 ``[crops, samples]``."""
    crops = bank.crops(numbers)
    return torch.from_numpy(soxr.resample(crops.T, SAMPLE_RATE, rate, quality="HQ").T.copy())


def logits_of(network: SpecTTTra, bank: BankSound, numbers: NDArray[np.intp]) -> NDArray:
    """Logits of crops ``numbers``."""
    network.eval()
    rate = network.config.sample_rate
    with torch.inference_mode():
        found = [
            network(sound_of(bank, some, rate)).numpy()
            for some in np.array_split(numbers, max(1, len(numbers) // 32))
        ]
    network.train()
    return np.concatenate(found)


def aucs(bank: BankSound, numbers: NDArray[np.intp], logits: NDArray) -> dict[str, float]:
    """AUC of each kind of generated crop against the human ones, of crops ``numbers``."""
    rows = bank.table.iloc[numbers]
    human = (rows.label == "real").to_numpy()
    result = {}
    for name, part in (
        ("all", ~human),
        ("commercial", rows.commercial.to_numpy()),
        ("other generators", ((rows.kind == "ai") & ~rows.commercial).to_numpy()),
        ("codecs", (rows.kind == "codec").to_numpy()),
    ):
        chosen = human | part
        if part.any() and human.any():
            result[name] = float(roc_auc_score(part[chosen], logits[chosen]))
    return result


def main(
    bank: Path,
    out: Annotated[Path, typer.Argument(help="Folder for weights and checkpoint.")],
    minutes: Annotated[float, typer.Option(help="Of this run.")] = 60.0,
    steps: Annotated[int, typer.Option(help="Of the whole training.")] = 2_000,
    batch: int = 32,
    variant: Annotated[str, typer.Option(help=", ".join(CLIPS))] = "gamma",
    fold: Annotated[int, typer.Option(help="Left out of five; -1 for none.")] = 0,
    learning_rate: float = 5e-4,
    seed: int = 0,
    threads: int = 1,
) -> None:
    """Train SpecTTTra on a bank, and say what it does on the fold left out."""
    if variant not in CLIPS:
        raise typer.BadParameter(f"use one of {', '.join(CLIPS)}", param_hint="--variant")
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    sound = BankSound(bank)
    tracks = tracks_of(load(bank)[1])  # of all sections, as the head's folds are
    tracks["fold"] = assign_folds(tracks, 5, seed)
    folds = sound.table.track_id.map(tracks.set_index("track_id").fold).to_numpy()
    learnt = np.flatnonzero(folds != fold)
    rows = sound.table.iloc[learnt].reset_index(drop=True)
    share = torch.from_numpy(crop_weights(rows, np.zeros(len(rows), np.intp), bandwidth_bins=0))
    generated = torch.from_numpy((sound.table.label == "ai").to_numpy().astype(np.float32))
    f_clip, t_clip = CLIPS[variant]
    config = SpecTTTraConfig(f_clip=f_clip, t_clip=t_clip, seconds=SECONDS)
    network = SpecTTTra(config, dropout=0.1)
    optimiser = torch.optim.AdamW(network.parameters(), learning_rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, learning_rate, total_steps=steps, pct_start=WARM_UP
    )
    out.mkdir(parents=True, exist_ok=True)
    checkpoint, first = out / "checkpoint.pt", 0
    if checkpoint.exists():  # our own, of tensors and numbers
        stored = torch.load(checkpoint, weights_only=True)
        network.load_state_dict(stored["network"])
        optimiser.load_state_dict(stored["optimiser"])
        schedule.load_state_dict(stored["schedule"])
        first = int(stored["step"])
    torch.manual_seed(seed + first)

    def keep(step: int) -> None:
        state = {
            "network": network.state_dict(), "optimiser": optimiser.state_dict(),
            "schedule": schedule.state_dict(), "step": step,
        }  # fmt: skip
        torch.save(state, checkpoint.with_suffix(".partial"))
        checkpoint.with_suffix(".partial").replace(checkpoint)

    begin = kept = time.monotonic()
    network.train()
    losses = []
    step = first
    while step < steps and time.monotonic() - begin < 60 * minutes:
        drawn = learnt[torch.multinomial(share, batch, replacement=True).numpy()]
        logits = network(sound_of(sound, drawn, config.sample_rate))
        loss = functional.binary_cross_entropy_with_logits(logits, generated[drawn])
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        step += 1
        losses.append(loss.item())
        if step % 50 == 0:
            rate = batch * (step - first) / (time.monotonic() - begin)
            print(
                f"step {step}: loss {np.mean(losses[-50:]):.3f}, {rate:.1f} crops a second",
                flush=True,
            )
        if time.monotonic() - kept > CHECKPOINT_SECONDS:
            keep(step)
            kept = time.monotonic()
    keep(step)
    save_spectttra(network, out / "spectttra.safetensors")
    print(f"{step} of {steps} steps: {out / 'spectttra.safetensors'}")
    if fold >= 0:
        rng = np.random.default_rng(seed)
        unseen = np.flatnonzero(folds == fold)
        unseen = rng.permutation(unseen)[:LAST_CHECKED]
        found = aucs(sound, unseen, logits_of(network, sound, unseen))
        print(
            f"fold {fold}, {len(unseen)} crops: "
            + ", ".join(f"{k} {v:.3f}" for k, v in found.items())
        )


if __name__ == "__main__":
    typer.run(main)
