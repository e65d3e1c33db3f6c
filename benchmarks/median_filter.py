"""How long HPSS's two medians take for one segment, by each implementation.

Run as ``python benchmarks/median_filter.py``. Prints the median of several rounds and the
ratio to ``scipy.ndimage``, all in one process and one thread, taken in turns so that a noisy
machine is noisy for each.
"""

import time
from collections.abc import Callable

import numpy as np
import scipy.ndimage
import torch

from artifactnet.models import hpss
from artifactnet.models.artifactnet import load_detector
from artifactnet.models.config import ArtifactNetConfig

ROUNDS = 9


def both(filter_one: Callable[[torch.Tensor, int], object], x: torch.Tensor) -> None:
    for dim in (-1, -2):
        filter_one(x, dim)


def main() -> None:
    torch.set_num_threads(1)
    config = ArtifactNetConfig()
    kernel = config.hpss_kernel
    x = torch.rand(1, config.bins, config.frames)
    network = load_detector().network

    def scipy_filter(x: torch.Tensor, dim: int) -> None:
        size = (1, 1, kernel) if dim == -1 else (1, kernel, 1)
        scipy.ndimage.median_filter(x.numpy(), size=size, mode="reflect")

    def running(x: torch.Tensor, dim: int) -> None:
        hpss.median_filter(x, kernel, dim)

    def sorting(x: torch.Tensor, dim: int) -> None:
        x = x.transpose(dim, -1)
        hpss._network_median(hpss._reflect(x, kernel // 2).contiguous(), kernel)

    def unet(x: torch.Tensor) -> None:
        with torch.inference_mode():
            network.unet(x)

    cases: dict[str, Callable[[], None]] = {
        "scipy.ndimage.median_filter": lambda: both(scipy_filter, x),
        "bottleneck running median": lambda: both(running, x),
        "sorting network in torch": lambda: both(sorting, x),
        "ArtifactUNet, to compare": lambda: unet(x),
    }
    times: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(ROUNDS):
        for name, run in cases.items():
            began = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - began)
    base = np.median(times["scipy.ndimage.median_filter"])
    print(f"kernel {kernel}, one segment {config.bins} x {config.frames}, one thread")
    for name, seconds in times.items():
        print(f"{name:30} {1000 * np.median(seconds):7.1f} ms  {np.median(seconds) / base:6.3f}")


if __name__ == "__main__":
    main()
