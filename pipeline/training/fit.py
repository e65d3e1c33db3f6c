"""The optimisation loop, whatever is optimised.

Enters: a module and its losses as a function of the step. Leaves: the module's running average,
after the steps or after the best validation. A run that was killed goes on at its last checkpoint
with the same losses: ``Batches`` gives each step its examples as a function of seed and step,
every example once an epoch.
"""

import logging
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.tensorboard import SummaryWriter

from artifactnet.models.whole_file import whole_file

LINE_STEPS = 20
"""Steps between log lines where there is no terminal for a progress bar."""

logger = logging.getLogger(__name__)

Losses = Callable[[int], dict[str, Tensor]]
Validation = Callable[[nn.Module], dict[str, float]]


@dataclass(frozen=True)
class Fitting:
    """How to optimise.

    Attributes:
      run: folder for the checkpoint and the TensorBoard files.
      name: of this fitting among those of a run.
      steps: at most.
      learning_rate: peak; warmed up over 5 % of the steps, then cosine to zero.
      checkpoint_steps: steps between checkpoints, and between validations.
      patience: validations without a better one before it stops.
    """

    run: Path
    name: str
    steps: int
    learning_rate: float
    checkpoint_steps: int
    patience: int = 3


class Batches:
    """Batches as a function of the step, so that a resumed run takes the same ones.

    Args:
      chosen: indices ``[n]`` to draw from; at least one.
      size: of a batch.
      seed: decides the order of every epoch.
    """

    def __init__(self, chosen: NDArray[np.intp], size: int, seed: int) -> None:
        if not len(chosen):
            raise ValueError("no example is left to train on")
        self._chosen, self._size, self._seed = chosen, size, seed
        self._epoch, self._order = -1, chosen

    def __len__(self) -> int:
        """Size of a batch."""
        return self._size

    def _at(self, position: int) -> np.intp:
        epoch, place = divmod(position, len(self._chosen))
        if epoch != self._epoch:
            rng = np.random.default_rng([self._seed, epoch])
            self._epoch, self._order = epoch, rng.permutation(self._chosen)
        return self._order[place]

    def __call__(self, step: int) -> NDArray[np.intp]:
        """Indices of step ``step``, counted from 1."""
        first = (step - 1) * self._size
        return np.array([self._at(first + place) for place in range(self._size)], np.intp)


def fit(
    module: nn.Module, losses: Losses, fitting: Fitting, validate: Validation | None = None
) -> nn.Module:
    """Optimise ``module`` by ``losses(step)["total"]``, step 1 first.

    Args:
      module: trained in place.
      losses: of a step; nothing but the step, the module and torch's generator decides them.
      fitting: how.
      validate: figures of the averaged module, the one that decides first; larger is better.

    Returns:
      The running average in evaluation mode, at the best validation if there are any.
    """
    average = AveragedModel(module, multi_avg_fn=get_ema_multi_avg_fn(0.99), use_buffers=True)
    optimiser = torch.optim.AdamW(module.parameters(), fitting.learning_rate, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, fitting.learning_rate, total_steps=fitting.steps, pct_start=0.05
    )
    fitting.run.mkdir(parents=True, exist_ok=True)
    checkpoint = fitting.run / f"{fitting.name}.pt"
    first, best, best_state, since = 0, (-1.0, -1.0), average.module.state_dict(), 0
    parts: dict[str, Any] = {
        "module": module,
        "average": average,
        "optimiser": optimiser,
        "schedule": schedule,
    }
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        first, best, best_state, since = (
            state[name] for name in ("step", "best", "best_state", "since")
        )
        for name, part in parts.items():
            part.load_state_dict(state[name])
        torch.set_rng_state(state["random"])
    log = SummaryWriter(
        fitting.run / "tensorboard" / fitting.name, purge_step=first + 1 if first else None
    )
    columns = (TextColumn("step {task.completed}/{task.total}"), BarColumn(), TimeRemainingColumn())
    module.train()
    with Progress(*columns, TextColumn("{task.description}")) as bar:
        task = bar.add_task("", total=fitting.steps, completed=first)
        for step in range(first + 1, fitting.steps + 1):
            if validate and since >= fitting.patience:
                break
            began = time.monotonic()
            values = losses(step)
            optimiser.zero_grad()
            values["total"].backward()
            torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            average.update_parameters(module)
            for name, value in values.items():
                log.add_scalar(name, value.item(), step)
            log.add_scalar("seconds", time.monotonic() - began, step)
            if step % fitting.checkpoint_steps == 0 or step == fitting.steps:
                if validate:
                    figures = validate(average.module.eval())
                    for name, figure in figures.items():
                        log.add_scalar(f"validation/{name}", figure, step)
                    logger.info("step %d: %s", step, figures)
                    since += 1
                    if (found := tuple(figures.values())[:2]) > best:
                        best, since = found, 0  # type: ignore[assignment]
                        best_state = deepcopy(average.module.state_dict())
                else:
                    best_state = average.module.state_dict()
                stored = {name: part.state_dict() for name, part in parts.items()}
                stored |= {"step": step, "best": best, "best_state": best_state, "since": since}
                with whole_file(checkpoint) as partial:
                    torch.save(stored | {"random": torch.get_rng_state()}, partial)
            text = " ".join(f"{name} {value.item():.3f}" for name, value in values.items())
            bar.update(task, completed=step, description=text)
            if not bar.console.is_terminal and step % LINE_STEPS == 0:
                logger.info("%s, step %d of %d: %s", fitting.name, step, fitting.steps, text)
    log.close()
    averaged = average.module
    averaged.load_state_dict(best_state)
    return averaged.eval()
