"""Everything that decides a training run, read from TOML.

Enters: a TOML file whose paths are relative to the working directory. Leaves:
:class:`TrainingConfig`.
"""

import math
import tomllib
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

KINDS: dict[Any, str] = {
    Path: "a path", Path | None: "a path", str: "a text", int: "a whole number", float: "a number",
    bool: "true or false", tuple[Path, ...]: "a list of paths", tuple[str, ...]: "a list of texts",
    tuple[int, ...]: "a list of whole numbers",
}  # fmt: skip
AT_LEAST_ONE = (
    "couples", "residual_batch", "classifier_batch", "joint_batch", "hpss_kernel",
    "checkpoint_steps", "threads",
)  # fmt: skip


@dataclass(frozen=True)
class TrainingConfig:
    """One training run; its ablations are further values of the same fields.

    Attributes:
      manifest: labelled corpus, JSONL.
      codecs: weights of our neural codecs, which make couples.
      judged: labelled corpus that ``bench --unseen-folds`` judges; ``manifest`` when absent.
      output: weights file to write.
      run: folder for checkpoints and logs.
      cache: folder for what later runs share: decoded audio, examples, forensic maps.
      couples: examples to draw into the cache.
      couples_used: of these, the first so many are learnt from; 0 for all.
      learnt: of these, how many of ours, published and unrelated to learn from, the first of
        each kind; empty for all.
      crop_seconds: length of an example.
      channels: random channels that each example passes through.
      processed: whether examples pass through them at all; false is the ablation without
        codec augmentation.
      unet: weights file whose ArtifactUNet is used as it is; empty to train one.
      residual_steps: optimiser steps of ArtifactUNet, with a CNN beside it, on couples of ours.
      residual_batch: couples per such step.
      residual_weight: weight of the residual loss.
      start_from_residual: the CNN starts as the first stage left it.
      classifier_steps: optimiser steps of the CNN.
      classifier_batch: crops per such step, rounded down to whole examples.
      joint_steps: optimiser steps of both together, at 0.3 of the learning rate.
      joint_batch: crops per such step.
      mined_share: of the couples, those whose genuine half scores highest before the joint
        stage, which it learns from three times as often.
      one_bandwidth: in the joint stage, give both halves of a couple one bandwidth.
      consistency_weight: weight of the distance between channels of one crop.
      learning_rate: peak; warmed up over 5 % of the steps, then cosine to zero.
      pairs: use published pairs and couples of ours.
      own_codecs: use couples of ours.
      hard_negatives: use examples with treatments.
      hpss_kernel: length of the median filters; 1 is the ablation without HPSS.
      leave_out_sources: sources that no example may touch.
      leave_out_codecs: codecs of ours that no example may touch, by file stem.
      validation: sources left out as well, whose TPR at 1 % FPR stops the training early.
      patience: checkpoints without a better figure before it stops.
      checkpoint_steps: steps between checkpoints.
      threads: of torch.
      workers: processes that draw examples.
      seed: decides weights, examples and batches.
      trial: with the seed, decides weights and batches: another training on the same examples.
    """

    manifest: Path
    codecs: tuple[Path, ...]
    output: Path
    run: Path
    cache: Path
    judged: Path | None = None
    couples: int = 8000
    couples_used: int = 0
    learnt: tuple[int, ...] = ()
    crop_seconds: float = 1.5
    channels: int = 2
    processed: bool = True
    unet: str = ""
    residual_steps: int = 1000
    residual_batch: int = 6
    residual_weight: float = 0.1
    start_from_residual: bool = True
    classifier_steps: int = 2000
    classifier_batch: int = 16
    joint_steps: int = 0
    joint_batch: int = 12
    mined_share: float = 0.0
    one_bandwidth: bool = True
    consistency_weight: float = 0.1
    learning_rate: float = 1e-3
    pairs: bool = True
    own_codecs: bool = True
    hard_negatives: bool = True
    hpss_kernel: int = 17
    leave_out_sources: tuple[str, ...] = ()
    leave_out_codecs: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()
    patience: int = 3
    checkpoint_steps: int = 100
    threads: int = 1
    workers: int = 1
    seed: int = 0
    trial: int = 0

    def __post_init__(self) -> None:
        """Check what only a training would stumble over.

        Raises:
          ValueError: naming the field.
        """
        for name in ("crop_seconds", "learning_rate"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} is {getattr(self, name)}; use a number above 0")
        if not 0 <= self.mined_share <= 1:
            raise ValueError(f"mined_share is {self.mined_share}; use a share from 0 to 1")
        if len(self.learnt) not in (0, 3):
            raise ValueError("learnt is three numbers: of ours, published and unrelated")
        if not self.unet and not self.residual_steps:
            raise ValueError(
                "residual_steps is 0 and no unet is named; one of them makes ArtifactUNet"
            )
        if self.unet and not Path(self.unet).is_file():
            raise ValueError(f"unet: {self.unet} is no file")

    @property
    def fit_seed(self) -> int:
        """What decides weights and batches."""
        return self.seed + 1000 * self.trial


def read_training_config(path: Path) -> TrainingConfig:
    """Read a TOML file.

    Raises:
      ValueError: not TOML, or fields unknown, missing or of another type.
    """
    try:
        stored = tomllib.loads(path.read_text())
        known: dict[str, Any] = {field.name: field.type for field in fields(TrainingConfig)}
        if unknown := sorted(set(stored) - set(known)):
            raise ValueError(f"unknown fields {', '.join(unknown)}")
        needed = {field.name for field in fields(TrainingConfig) if field.default is MISSING}
        if missing := sorted(needed - set(stored)):
            raise ValueError(f"missing fields {', '.join(missing)}")
        return TrainingConfig(**{n: _value(n, v, known[n]) for n, v in stored.items()})
    except (tomllib.TOMLDecodeError, OSError, ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from error


def _value(name: str, value: Any, wanted: Any) -> Any:
    if wanted in (Path, Path | None) and isinstance(value, str):
        return Path(value)
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        if wanted == tuple[Path, ...]:
            return tuple(map(Path, value))
        if wanted == tuple[str, ...]:
            return tuple(value)
    whole = isinstance(value, list) and all(type(one) is int for one in value)
    if whole and wanted == tuple[int, ...]:
        return tuple(value)
    if wanted is float and type(value) is int:
        return float(value)
    if type(value) is not wanted:
        raise ValueError(f"{name} must be {KINDS[wanted]}")
    if wanted is int and value < (1 if name in AT_LEAST_ONE else 0):
        raise ValueError(f"{name} must be {KINDS[wanted]}, at least {int(name in AT_LEAST_ONE)}")
    return value
