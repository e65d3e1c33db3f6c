"""What ``artifactnet model`` tells of a detector.

Enters: a weights file. Leaves: its size, its cost and its thresholds on standard output.
Floating-point operations are counted by torch's own counter (one multiply-add is two operations)
over one segment.
"""

import json
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from artifactnet.models.artifactnet import ArtifactNet, load_detector
from artifactnet.models.forensic_channels import forensic_channels
from artifactnet.models.statistics.head import StatisticsHead
from artifactnet.models.statistics.track_mean import SIDE_BY_SIDE
from artifactnet.models.weights.weights_file import SHIPPED_WEIGHTS


class Complexity(NamedTuple):
    """Size and cost of a detector; GFLOP are for one segment."""

    unet_parameters: int
    classifier_parameters: int
    total_parameters: int
    unet_gflop: float
    classifier_gflop: float


def _parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def measure_complexity(network: ArtifactNet) -> Complexity:
    """Count the parameters and the GFLOP of one segment."""
    config = network.config
    magnitude = torch.rand(1, config.bins, config.frames)
    with torch.no_grad():
        channels = forensic_channels(*network.spectra(magnitude))
        with FlopCounterMode(display=False) as unet:
            network.unet(magnitude)
        with FlopCounterMode(display=False) as classifier:
            network.classifier(channels)
    return Complexity(
        unet_parameters=_parameters(network.unet),
        classifier_parameters=_parameters(network.classifier),
        total_parameters=_parameters(network),
        unet_gflop=unet.get_total_flops() / 1e9,
        classifier_gflop=classifier.get_total_flops() / 1e9,
    )


def _of_head(head: StatisticsHead) -> dict[str, float]:
    return {
        "trees": head.trees.trees,
        "networks": head.network.networks if head.network else 0,
        "band_networks": head.band_network.networks if head.band_network else 0,
        "griffin_lim_networks": head.griffin_lim.network.networks if head.griffin_lim else 0,
        "statistics": head.features,
        "together": round(head.together, 4),
    }


def print_model(weights: Path | None, as_json: bool) -> None:
    """Print parameters, GFLOP per segment and thresholds of a detector.

    Raises:
      WeightsError: the weights can't be used.
    """
    network, model_id, head = load_detector(weights or SHIPPED_WEIGHTS)
    size, config = measure_complexity(network), network.config
    if as_json:
        trees = _of_head(head) if head else {}
        report = {"model_id": model_id, **size._asdict(), **trees, "config": config.to_json()}
        print(json.dumps(report))
        return
    rows = (
        ("ArtifactUNet", size.unet_parameters, size.unet_gflop),
        ("CNN", size.classifier_parameters, size.classifier_gflop),
        ("total", size.total_parameters, size.unet_gflop + size.classifier_gflop),
    )
    print(f"{'model id':12} {model_id}")
    for name, parameters, gflop in rows:
        print(f"{name:12} {parameters:>9,} parameters  {gflop:5.2f} GFLOP per segment")
    if head:
        own = _of_head(head)
        print(
            f"{'head':12} {own['trees']:>9,} trees, {own['networks']} dense networks, "
            f"{own['band_networks']} band networks and {own['griffin_lim_networks']} of phases on "
            f"{own['statistics']:,} statistics; it decides"
        )
        if head.together:
            print(
                f"{'':12} band networks see a window {head.together:.0%} of the way to its mean "
                f"with up to {SIDE_BY_SIDE - 1} beside it"
            )
    print(f"{'verdict':12} real < {config.threshold_real:.4f}, ai >= {config.threshold_ai:.4f}")
