"""Everything that decides a training run, read from TOML and kept beside what it made.

Enters: a TOML file whose paths are relative to the working directory. Leaves: a
``TrainingConfig``, or an error that names the field. ``keep_settings`` writes the settings into
the folder of a run, and refuses a folder that holds the work of others: a checkpoint, a trained
fold or an outcome is only ever used again for what it was made for.
"""

import json
import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from artifactnet.models.whole_file import whole_file
from artifactnet.pipeline.training.corpus import MANIFEST_COLUMNS, read_labelled

Count = Annotated[int, Field(strict=True, ge=0)]
Positive = Annotated[int, Field(strict=True, ge=1)]
Number = Annotated[float, Field(strict=True)]
Switch = Annotated[bool, Field(strict=True)]

KINDS: dict[Any, str] = {
    Path: "a path", Path | None: "a path", str: "a text", int: "a whole number", float: "a number",
    bool: "true or false", tuple[Path, ...]: "a list of paths", tuple[str, ...]: "a list of texts",
    tuple[int, ...]: "a list of whole numbers",
}  # fmt: skip
"""What a person writes into a field of each type."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class TrainingConfig:
    """One training run; its ablations are further values of the same fields.

    Attributes:
      manifest: labelled corpus, JSONL.
      codecs: weights of our neural codecs, which make pairs.
      evaluation_manifest: what ``bench --unseen-folds`` evaluates on; ``manifest`` when absent.
      output: weights file to write.
      run: folder for checkpoints and logs.
      cache: folder for what later runs share: decoded audio, examples, forensic maps.
      pairs: examples to draw into the cache.
      pairs_used: of these, the first so many are learnt from; 0 for all.
      learnt: of these, how many of ours, published and unrelated to learn from, the first of
        each kind; empty for all.
      crop_seconds: length of an example.
      augmentations: random augmentations that each pair passes through.
      processed: whether examples pass through them at all; false is the ablation without
        codec augmentation.
      unet: weights file whose ArtifactUNet is used as it is; empty to train one.
      residual_steps: optimiser steps of ArtifactUNet, with a CNN beside it, on pairs of ours.
      residual_batch: pairs per such step.
      residual_weight: weight of the residual loss.
      start_from_residual: the CNN starts as the first stage left it.
      classifier_steps: optimiser steps of the CNN.
      classifier_batch: crops per such step, rounded down to whole examples.
      joint_steps: optimiser steps of both together, at 0.3 of the learning rate.
      joint_batch: crops per such step.
      mined_share: of the pairs, those whose real half scores highest before the joint
        stage, which it learns from three times as often.
      one_bandwidth: in the joint stage, give both halves of a pair one bandwidth.
      consistency_weight: weight of the distance between augmentations of one crop.
      learning_rate: peak; warmed up over 5 % of the steps, then cosine to zero.
      aligned_pairs: use published pairs and pairs of ours.
      own_codecs: use pairs of ours.
      hard_negatives: use examples with degradations.
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
    evaluation_manifest: Path | None = None
    pairs: Positive = 8000
    pairs_used: Count = 0
    learnt: tuple[Count, ...] = ()
    crop_seconds: Number = 1.5
    augmentations: Count = 2
    processed: Switch = True
    unet: str = ""
    residual_steps: Count = 1000
    residual_batch: Positive = 6
    residual_weight: Number = 0.1
    start_from_residual: Switch = True
    classifier_steps: Count = 2000
    classifier_batch: Positive = 16
    joint_steps: Count = 0
    joint_batch: Positive = 12
    mined_share: Number = 0.0
    one_bandwidth: Switch = True
    consistency_weight: Number = 0.1
    learning_rate: Number = 1e-3
    aligned_pairs: Switch = True
    own_codecs: Switch = True
    hard_negatives: Switch = True
    hpss_kernel: Positive = 17
    leave_out_sources: tuple[str, ...] = ()
    leave_out_codecs: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()
    patience: Count = 3
    checkpoint_steps: Positive = 100
    threads: Positive = 1
    workers: Count = 1
    seed: Count = 0
    trial: Count = 0

    @model_validator(mode="after")
    def _check(self) -> "TrainingConfig":
        """Check what only a training would stumble over."""
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
        return self

    @property
    def fit_seed(self) -> int:
        """What decides weights and batches."""
        return self.seed + 1000 * self.trial


def _said(error: Any) -> str:
    """One mistake of a configuration in our words."""
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    name = error["loc"][0]
    said = f"{name} must be {KINDS[get_type_hints(TrainingConfig)[name]]}"
    if error["type"] == "greater_than_equal":
        return f"{said}, at least {error['ctx']['ge']}"
    return said


def read_training_config(path: Path) -> TrainingConfig:
    """Read a TOML file.

    Raises:
      ValueError: not TOML, or fields unknown, missing or of another type.
    """
    try:
        fields = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: {error}") from error
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from error
    try:
        return TypeAdapter(TrainingConfig).validate_python(fields)
    except ValidationError as error:
        wrong, problems = error.errors(), []
        for kind, what in (("unexpected_keyword_argument", "unknown"), ("missing", "missing")):
            if names := sorted(str(one["loc"][0]) for one in wrong if one["type"] == kind):
                problems.append(f"{what} fields {', '.join(names)}")
        if problems:
            problems.append(f"the fields are {', '.join(sorted(get_type_hints(TrainingConfig)))}")
            problems += _of_manifest(fields.get("manifest"))
        raise ValueError(f"{path}: {'; '.join(problems or [_said(wrong[0])])}") from error


def _of_manifest(path: object) -> list[str]:
    """What is wrong with the manifest too, so that one try tells all."""
    if not isinstance(path, str):
        return []
    try:
        read_labelled(Path(path), MANIFEST_COLUMNS)
    except OSError as error:
        return [f"{path}: {error.strerror}"]
    except ValueError as error:
        return [str(error)]
    return []


def keep_settings(path: Path, settings: Mapping[str, object]) -> None:
    """Write ``settings`` to ``path``, or compare them with those of what lies beside it.

    Raises:
      ValueError: they differ.
    """
    wanted = json.loads(json.dumps(settings, default=str))
    # Where nothing else was made yet, a mistake in the settings may be mended.
    alone = path.parent.is_dir() and all(one == path for one in path.parent.iterdir())
    if not path.exists() or alone:
        with whole_file(path) as partial:
            partial.write_text(json.dumps(wanted, indent=2) + "\n")
        return
    stored = json.loads(path.read_text())
    names = sorted(n for n in stored.keys() | wanted.keys() if stored.get(n) != wanted.get(n))
    if names:
        raise ValueError(
            f"{path.parent} holds the work of other settings ({', '.join(names)} differ); name "
            "another folder, or delete it"
        )
