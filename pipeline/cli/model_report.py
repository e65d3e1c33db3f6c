"""What ``artifactnet model`` tells of a detector.

Enters: a weights file. Leaves: its size, cost and thresholds on standard output.
"""

import json
from pathlib import Path

from artifactnet.models.artifactnet import SHIPPED_WEIGHTS, load_detector
from artifactnet.models.complexity import measure_complexity


def print_model(weights: Path | None, as_json: bool) -> None:
    """Print parameters, GFLOP per segment and thresholds of a detector.

    Raises:
      WeightsError: the weights can't be used.
    """
    network, model_id = load_detector(weights or SHIPPED_WEIGHTS)
    size, config = measure_complexity(network), network.config
    if as_json:
        print(json.dumps({"model_id": model_id, **size._asdict(), "config": config.to_json()}))
        return
    rows = (
        ("ArtifactUNet", size.unet_parameters, size.unet_gflop),
        ("CNN", size.classifier_parameters, size.classifier_gflop),
        ("total", size.total_parameters, size.unet_gflop + size.classifier_gflop),
    )
    print(f"{'model id':12} {model_id}")
    for name, parameters, gflop in rows:
        print(f"{name:12} {parameters:>9,} parameters  {gflop:5.2f} GFLOP per segment")
    print(f"{'verdict':12} real < {config.threshold_real:.4f}, ai >= {config.threshold_ai:.4f}")
