"""Where the detector runs, and how much fits there at once.

Enters: a device's name, or a computation on one. Leaves: a torch device, a number of
segments, or the computation's result, in halves where the device is short of memory.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from artifactnet.models.first_line import first_line

DEVICES = ("cpu", "cuda", "mps", "xpu")

SEGMENT_BYTES = 96 << 20
"""Peak device memory of one segment between STFT and score."""

CPU_SEGMENTS = 8
"""Segments per batch on a CPU: as many as are heard together, see ``statistics/track_mean.py``."""

CPU_AT_ONCE = 4
"""Segments that ArtifactUNet reads at once on a CPU: more gains nothing there and costs memory."""

MAX_SEGMENTS = 128


def repeat_on_cuda() -> None:
    """Have CUDA score the same sound the same each time, in full float32.

    cuDNN's search takes whatever algorithm was fastest this time, and TF32 keeps 10 bits of 23.
    """
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


def pick_device(name: str = "auto") -> torch.device:
    """``auto`` is CUDA where it is present, else the CPU; other names are torch's.

    CUDA is set to repeat itself, see ``repeat_on_cuda``.

    Raises:
      ValueError: the device is unknown or not there.
    """
    repeat_on_cuda()
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.partition(":")[0] not in DEVICES:
        raise ValueError(f"device {name!r} can't be used here: use auto or {', '.join(DEVICES)}")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = first_line(error)
        raise ValueError(f"device {name!r} can't be used here: {reason}") from error
    return device


def segments_that_fit(device: torch.device) -> int:
    """Segments per batch: half of the free memory of a GPU, a fixed few on a CPU.

    Always a multiple of these few, so that the same segments stand side by side everywhere.
    """
    if device.type != "cuda":
        return CPU_SEGMENTS
    free, _ = torch.cuda.mem_get_info(device)
    fitting = min(MAX_SEGMENTS, free // 2 // SEGMENT_BYTES)
    return max(CPU_SEGMENTS, fitting // CPU_SEGMENTS * CPU_SEGMENTS)


def in_pieces(compute: Callable[[Tensor], Tensor], batch: Tensor) -> Tensor:
    """``compute(batch)``: on a CPU a few segments at a time, elsewhere as many as the device holds.

    Raises:
      torch.OutOfMemoryError: a single segment does not fit.
    """
    at_once = CPU_AT_ONCE if batch.device.type == "cpu" else len(batch)
    return torch.cat([halving_on_oom(compute, piece) for piece in batch.split(at_once)])


def halving_on_oom(compute: Callable[[Tensor], Tensor], batch: Tensor) -> Tensor:
    """``compute(batch)``, in halves of the first dimension when the device runs out of memory.

    Raises:
      torch.OutOfMemoryError: a single segment does not fit.
    """
    try:
        return compute(batch)
    except torch.OutOfMemoryError:
        if len(batch) == 1:
            raise
    if batch.device.type == "cuda":
        torch.cuda.empty_cache()
    return torch.cat([halving_on_oom(compute, half) for half in batch.chunk(2)])
