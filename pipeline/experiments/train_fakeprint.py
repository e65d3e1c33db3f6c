"""Train the fakeprint regression on the crops that the shipped head learns from.

Enters: a bank with its sound (``pipeline/training/statistics/bank.py --audio``). Leaves: the
weights, the same as ONNX with its contract, and AUCs over the crops of the fold that was left out.
Minutes, most of them for the fakeprints.

Run as ``python -m artifactnet.pipeline.experiments.train_fakeprint BANK OUT.safetensors``.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import numpy as np
import soxr
import torch
import typer
from rich.progress import track as progress
from sklearn.linear_model import LogisticRegression

from artifactnet.models.published.fakeprint import (
    FakeprintConfig,
    FakeprintRegression,
    fakeprint,
    save_fakeprint,
)
from artifactnet.models.whole_file import whole_file
from artifactnet.pipeline.experiments.train_spectttra import aucs
from artifactnet.pipeline.training.distillation.bank_sound import BankSound
from artifactnet.pipeline.training.statistics.crop_table import load, tracks_of
from artifactnet.pipeline.training.statistics.crops import SAMPLE_RATE
from artifactnet.pipeline.training.statistics.weights import assign_folds, crop_weights

VARIANTS = {
    "paper": FakeprintConfig(),
    "16khz": FakeprintConfig(16_000, n_fft=8192, f_min=1_000.0, f_max=8_000.0),
}
"""What the paper looks at, and what the weights that are found in public look at."""


def write_onnx(model: FakeprintRegression, path: Path) -> None:
    """Write ``model`` as such weights are found in public: ONNX, with a TOML beside it.

    Args:
      model: to write.
      path: of the ONNX file; the TOML lies beside it.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    config = model.config
    tensors = {name: one.detach().numpy() for name, one in model.linear.named_parameters()}
    nodes = [
        helper.make_node("Gemm", ["fakeprint", "weight", "bias"], ["logit"], transB=1),
        helper.make_node("Sigmoid", ["logit"], ["p_ai"]),
    ]
    graph = helper.make_graph(
        nodes, "fakeprint",
        [helper.make_tensor_value_info("fakeprint", TensorProto.FLOAT, ["batch", config.size])],
        [helper.make_tensor_value_info("p_ai", TensorProto.FLOAT, ["batch", 1])],
        [numpy_helper.from_array(one, name) for name, one in tensors.items()],
    )  # fmt: skip
    opset = [helper.make_opsetid("", 17)]
    with whole_file(path) as partial:
        partial.write_bytes(
            helper.make_model(graph, opset_imports=opset, ir_version=9).SerializeToString()
        )
    own = {"n_fft", "f_min", "f_max", "area", "max_db", "min_db"}
    fields = "".join(f"{name} = {value}\n" for name, value in asdict(config).items() if name in own)
    with whole_file(path.with_suffix(".toml")) as partial:
        partial.write_text(
            f'name = "{path.stem}"\nmodel = "{path.name}"\nsample_rate = {config.sample_rate}\n'
            f'level = "track"\n\n[input]\nkind = "fakeprint"\n{fields}'
        )
    onnx.checker.check_model(str(path))


def main(
    bank: Path,
    out: Annotated[Path, typer.Argument(help="Weights to write.")],
    variant: Annotated[str, typer.Option(help=", ".join(VARIANTS))] = "paper",
    fold: Annotated[int, typer.Option(help="Left out of five; -1 for none.")] = 0,
    strength: Annotated[float, typer.Option(help="Inverse of the regularisation.")] = 0.1,
    seed: int = 0,
) -> None:
    """Train a fakeprint regression on a bank, and say what it does on the fold left out."""
    if variant not in VARIANTS:
        raise typer.BadParameter(f"use one of {', '.join(VARIANTS)}", param_hint="--variant")
    config = VARIANTS[variant]
    sound = BankSound(bank)
    tracks = tracks_of(load(bank)[1])  # of all sections, as the head's folds are
    tracks["fold"] = assign_folds(tracks, 5, seed)
    folds = sound.table.track_id.map(tracks.set_index("track_id").fold).to_numpy()
    prints = np.empty((len(sound), config.size), np.float32)
    for number in progress(range(len(sound)), description="Fakeprints"):
        crop = soxr.resample(sound.crop(number), SAMPLE_RATE, config.sample_rate, quality="HQ")
        prints[number] = fakeprint(crop, config)
    learnt = np.flatnonzero(folds != fold)
    rows = sound.table.iloc[learnt].reset_index(drop=True)
    weights = crop_weights(rows, np.zeros(len(rows), np.intp), bandwidth_bins=0)
    labels = (sound.table.label == "ai").to_numpy()
    regression = LogisticRegression(C=strength, max_iter=500)
    regression.fit(prints[learnt], labels[learnt], weights * len(learnt))
    model = FakeprintRegression(config)
    with torch.no_grad():
        model.linear.weight.copy_(torch.from_numpy(regression.coef_))
        model.linear.bias.copy_(torch.from_numpy(regression.intercept_))
    out.parent.mkdir(parents=True, exist_ok=True)
    save_fakeprint(model, out)
    write_onnx(model, out.with_suffix(".onnx"))
    print(f"{out}: {len(learnt)} crops")
    unseen = np.flatnonzero(folds == fold)
    if len(unseen):
        found = aucs(sound, unseen, regression.decision_function(prints[unseen]))
        values = ", ".join(f"{name} {value:.3f}" for name, value in found.items())
        print(f"fold {fold}, {len(unseen)} crops: {values}")


if __name__ == "__main__":
    typer.run(main)
