"""Weights and configuration on disk: safetensors, never pickle.

Enters: a torch module with its configuration as plain JSON fields. Leaves: one
``.safetensors`` file, whose header carries the configuration and whose tensors are
half precision where ``half`` asks for it. Reading goes the other way and checks every
name and shape, because a weights file is untrusted input.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from artifactnet.models.weights.weights_file import WeightsError, check_file, model_id
from artifactnet.models.whole_file import whole_file

ModuleT = TypeVar("ModuleT", bound=nn.Module)

APART = "beside/"
"""Prefix of what is stored beside the module."""


def save_module(
    module: nn.Module,
    config: dict[str, Any],
    path: Path,
    *,
    half: bool = False,
    arrays: Mapping[str, NDArray[Any]] | None = None,
) -> str:
    """Write ``module`` and ``config`` to ``path``, whole or not at all.

    Args:
      module: its state dict is stored, contiguous and on the CPU.
      config: JSON-serialisable fields that rebuild the module.
      path: target file.
      half: store the module's floating-point tensors as float16 (they load as float32).
      arrays: what is stored beside the module, as it is, under ``APART`` and its name.

    Returns:
      The model id of the file, see ``model_id``.
    """
    tensors = {
        name: (tensor.half() if half and tensor.is_floating_point() else tensor).cpu().contiguous()
        for name, tensor in module.state_dict().items()
    }
    for name, array in (arrays or {}).items():
        tensors[f"{APART}{name}"] = torch.from_numpy(array.copy())
    content = save(tensors, metadata={"config": json.dumps(config, sort_keys=True)})
    with whole_file(path) as partial:
        partial.write_bytes(content)
    return model_id(path)


def check_fit(module: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Refuse tensors that are not those of ``module`` by name and shape, or not finite.

    Raises:
      WeightsError: naming ``path`` and the first few that are wrong.
    """
    expected = {name: tensor.shape for name, tensor in module.state_dict().items()}
    found = {name: tensor.shape for name, tensor in tensors.items()}
    if expected != found:
        wrong = sorted(name for name in expected | found if expected.get(name) != found.get(name))
        raise WeightsError(
            f"{path}: {len(wrong)} tensors don't fit the network: {', '.join(wrong[:5])}"
        )
    broken = [
        name
        for name, tensor in sorted(tensors.items())
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all())
    ]
    if broken:
        raise WeightsError(f"{path}: numbers that are not finite in {', '.join(broken[:5])}")


def load_module(
    build: Callable[[dict[str, Any]], ModuleT], path: Path
) -> tuple[ModuleT, dict[str, Any]]:
    """Rebuild a module from ``path``; gives it and its configuration.

    Raises:
      WeightsError: see ``load_module_and_arrays``.
    """
    module, config, _ = load_module_and_arrays(build, path)
    return module, config


def load_module_and_arrays(
    build: Callable[[dict[str, Any]], ModuleT], path: Path
) -> tuple[ModuleT, dict[str, Any], dict[str, NDArray[Any]]]:
    """Rebuild a module from ``path``.

    Args:
      build: makes the module from the stored configuration.
      path: a file written by ``save_module``.

    Returns:
      The module (float32, on the CPU), the stored configuration, and the arrays that were stored
      beside the module, unchecked.

    Raises:
      WeightsError: missing file, not safetensors, no configuration in the header, or
        tensors that don't fit the module.
    """
    check_file(path)
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            config = json.loads(header["config"])
            module = build(config)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise WeightsError(f"{path}: not a readable safetensors file ({error})") from error
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise WeightsError(f"{path}: the header holds no usable configuration ({error})") from error
    apart = [name for name in tensors if name.startswith(APART)]
    try:
        arrays = {name.removeprefix(APART): tensors.pop(name).numpy() for name in apart}
    except TypeError as error:
        raise WeightsError(f"{path}: a tensor of no usable type ({error})") from error
    check_fit(module, tensors, path)
    module.load_state_dict(
        {n: t.to(torch.float32) if t.is_floating_point() else t for n, t in tensors.items()}
    )
    return module, config, arrays
