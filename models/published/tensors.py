"""Weights of other people's detectors, as they are found in public: tensors, and nothing else.

Enters: a safetensors file, or a PyTorch file, which is a pickle. Leaves: tensors by name. A pickle
is read by PyTorch's restricted unpickler, which builds tensors and refuses everything else.
"""

import pickle
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from artifactnet.models.first_line import first_line
from artifactnet.models.weights.safetensors_io import check_fit
from artifactnet.models.weights.weights_file import WeightsError, check_file

SAFETENSORS = ".safetensors"


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Tensors of ``path``, on the CPU.

    Raises:
      WeightsError: no such file, or one that holds more than tensors.
    """
    check_file(path)
    try:
        if path.suffix == SAFETENSORS:
            return load_file(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, EOFError, RuntimeError) as error:
        reason = first_line(error)[:200]
        raise WeightsError(f"{path}: not a file of tensors alone ({reason})") from error
    if isinstance(found, dict) and isinstance(found.get("state_dict"), dict):
        found = found["state_dict"]  # what a training loop stores beside it is of no use here
    if not isinstance(found, dict) or not all(isinstance(one, Tensor) for one in found.values()):
        raise WeightsError(f"{path}: must map names to tensors")
    return found


def fill(module: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Load ``tensors`` into ``module``, every one of them.

    Raises:
      WeightsError: names or shapes differ.
    """
    check_fit(module, tensors, path)
    module.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
