"""A cheaper ArtifactUNet that gives the residual of the shipped one, and its CNN.

Enters: the sound of a bank, and a detector. Leaves: a weights file whose ArtifactUNet works on a
map an eighth as tall and a quarter as wide (a third of the operations, the same parameters), whose
CNN learnt from the bank's labels, and whose head is that of the detector.

First the UNet learns the mask of the dearer one (Hinton et al., arXiv 1503.02531, by regression);
then, while it stays, the CNN learns from labels. Both go on after a kill.

Run as ``python -m artifactnet.pipeline.training.distillation.distil BANK OUT --run FOLDER``.
"""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from artifactnet.models.artifactnet import (
    SHIPPED_WEIGHTS,
    ArtifactNet,
    load_detector,
    save_detector,
)
from artifactnet.pipeline.training.distillation.bank_sound import BankSound
from artifactnet.pipeline.training.fit import Batches, Fitting, fit
from artifactnet.pipeline.training.statistics.weights import crop_weights

MASK_FLOOR = 0.01
STEM = (8, 4)
UNET_SAMPLES = 65_536
"""Of a crop that the UNet learns from: it looks at half a second around a cell, not at three."""
LABEL_SMOOTHING = 0.03


def mask_distance(mask: Tensor, wanted: Tensor) -> Tensor:
    """How far ``mask`` is from ``wanted``, in cells and in ratios; of one shape, in [0, 1]."""
    ratio = torch.log(mask + MASK_FLOOR) - torch.log(wanted + MASK_FLOOR)
    return ratio.abs().mean() + 4 * (mask - wanted).abs().mean()


def distil_unet(
    student: ArtifactNet, teacher: ArtifactNet, sound: BankSound, batches: Batches, fitting: Fitting
) -> nn.Module:
    """Train ``student.unet`` to give the mask of ``teacher.unet``."""

    def losses(step: int) -> dict[str, Tensor]:
        crops = sound.crops(batches(step))
        begin = int(np.random.default_rng(step).integers(crops.shape[1] - UNET_SAMPLES + 1))
        audio = torch.from_numpy(crops[:, begin : begin + UNET_SAMPLES])
        with torch.no_grad():
            magnitude = student.stft(audio)
            wanted = teacher.unet.mask(magnitude)
        distance = mask_distance(student.unet.mask(magnitude), wanted)
        return {"total": distance}

    return fit(student.unet, losses, fitting)


def train_classifier(
    student: ArtifactNet,
    sound: BankSound,
    labels: NDArray[np.bool_],
    chances: NDArray[np.float64],
    fitting: Fitting,
    size: int,
    seed: int,
) -> nn.Module:
    """Train ``student.classifier`` on the labels, each crop drawn by its chance."""

    def losses(step: int) -> dict[str, Tensor]:
        rng = np.random.default_rng([seed, step])
        chosen = rng.choice(len(sound), size, p=chances)
        audio = torch.from_numpy(sound.crops(chosen))
        with torch.no_grad():
            spectra = student.spectra(student.stft(audio))
        target = torch.from_numpy(labels[chosen].astype(np.float32))
        target = target * (1 - 2 * LABEL_SMOOTHING) + LABEL_SMOOTHING
        logit = student.classify(spectra).logit
        return {"total": functional.binary_cross_entropy_with_logits(logit, target)}

    return fit(student.classifier, losses, fitting)


def main(
    bank: Path,
    out: Path,
    run: Annotated[Path, typer.Option(help="Folder for checkpoints and TensorBoard files.")],
    weights: Annotated[Path, typer.Option(help="Detector to learn from.")] = SHIPPED_WEIGHTS,
    unet_steps: int = 3000,
    classifier_steps: int = 3000,
    batch: int = 8,
    checkpoint_steps: int = 200,
    threads: int = 1,
    seed: int = 0,
) -> None:
    """Learn a cheaper detector from BANK and write it to OUT; a killed run goes on."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    sound = BankSound(bank)
    loaded = load_detector(weights)
    teacher = loaded.network.to(memory_format=torch.channels_last).requires_grad_(False)
    student = ArtifactNet(replace(teacher.config, unet_stem=STEM))
    student.classifier.load_state_dict(teacher.classifier.state_dict())
    student.to(memory_format=torch.channels_last)
    batches = Batches(np.arange(len(sound)), batch, seed)
    unet = Fitting(run, "unet", unet_steps, 2e-3, checkpoint_steps)
    averaged = distil_unet(student, teacher, sound, batches, unet)
    student.unet.load_state_dict(averaged.state_dict())
    student.unet.eval().requires_grad_(False)
    labels = (sound.table.label == "ai").to_numpy()
    # The bank's sound is all of one length, so that bandwidth is balanced by the statistics alone.
    chances = crop_weights(sound.table, np.zeros(len(sound), np.intp), bandwidth_bins=0)
    cnn = Fitting(run, "classifier", classifier_steps, 1e-3, checkpoint_steps)
    averaged = train_classifier(student, sound, labels, chances, cnn, batch, seed)
    student.classifier.load_state_dict(averaged.state_dict())
    model_id = save_detector(student.eval(), out, loaded.head)
    print(f"{out}: model id {model_id}")


if __name__ == "__main__":
    typer.run(main)
