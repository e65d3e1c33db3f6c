"""Any detector as an ONNX file, in place of ours.

Enters: a file with the published contract: input ``audio``, float32 ``[batch, samples]``,
mono; one output, the probability that the segment is machine-made. Leaves: an
``OnnxDetector`` for the audit's seam. Sample rate and thresholds come from the file's
metadata (``sample_rate``, ``threshold_real``, ``threshold_ai``, as ``artifactnet export``
and ``calibrate`` write them), else 44.1 kHz and one half.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from artifactnet.models.config import ArtifactNetConfig
from artifactnet.models.first_line import first_line
from artifactnet.models.weights.weights_file import WeightsError, model_id
from artifactnet.transforms.elements.records import SegmentScores

if TYPE_CHECKING:
    import onnx
    import onnxruntime

INPUT = "audio"
SUFFIX = ".onnx"
SEGMENTS_PER_BATCH = 4
"""Segments in one call on a CPU; a larger batch is no faster there."""
CUDA = {"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": "0"}
"""So that scores repeat: by default each start times the algorithms of cuDNN, and takes another."""


def is_onnx(path: Path | None) -> bool:
    """Whether ``path`` names an ONNX file."""
    return path is not None and path.suffix.lower() == SUFFIX


def _tensors(graph: "onnx.GraphProto") -> "Iterator[onnx.TensorProto]":
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for inner in (attribute.g, *attribute.graphs):
                yield from _tensors(inner)


def external_files(path: Path) -> tuple[Path, ...]:
    """Files beside an ONNX file that hold a part of its weights, in the order of their names."""
    if b"location" not in path.read_bytes():  # the key of a reference to another file
        return ()
    import onnx
    from onnx.external_data_helper import ExternalDataInfo, uses_external_data

    graph = onnx.load(str(path), load_external_data=False).graph
    names = {ExternalDataInfo(one).location for one in _tensors(graph) if uses_external_data(one)}
    return tuple(path.parent / name for name in sorted(names))


def onnx_id(path: Path) -> str:
    """Model id of an ONNX file: of every byte that decides a score, in whatever file it lies."""
    beside = external_files(path)
    if not beside:
        return model_id(path)
    digest = hashlib.sha256(path.read_bytes())
    for other in beside:
        with other.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def _config(session: "onnxruntime.InferenceSession", path: Path) -> ArtifactNetConfig:
    inputs = {one.name: one for one in session.get_inputs()}
    if list(inputs) != [INPUT] or inputs[INPUT].type != "tensor(float)":
        found = ", ".join(f"{one.name} {one.type}" for one in inputs.values())
        raise WeightsError(f"{path}: must take one float32 input '{INPUT}', takes {found}")
    shape = inputs[INPUT].shape
    if len(shape) != 2 or not isinstance(shape[1], int) or isinstance(shape[0], int):
        raise WeightsError(f"{path}: '{INPUT}' must be [batch, samples] with a free batch")
    if len(session.get_outputs()) != 1:
        raise WeightsError(f"{path}: must have one output, the probability")
    stored = session.get_modelmeta().custom_metadata_map
    try:
        config = replace(
            ArtifactNetConfig(),
            segment_samples=shape[1],
            sample_rate=int(stored.get("sample_rate", 44_100)),
            threshold_real=float(stored.get("threshold_real", 0.5)),
            threshold_ai=float(stored.get("threshold_ai", 0.5)),
        )
    except ValueError as error:
        raise WeightsError(f"{path}: unusable metadata ({error})") from error
    return config


def open_session(
    path: Path, device: str = "auto", threads: int = 0
) -> "onnxruntime.InferenceSession":
    """An ONNX file, ready to run.

    Args:
      path: of the file.
      device: ``auto``, ``cpu`` or ``cuda``; CUDA needs the GPU build of onnxruntime.
      threads: CPU threads; 0 leaves onnxruntime's own choice.

    Raises:
      WeightsError: no such file, or not ONNX.
      ValueError: the device can't be used.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: no such model file")
    import onnxruntime  # an extra: only those who bring an ONNX file need it

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.use_deterministic_compute = True
    available = onnxruntime.get_available_providers()
    providers: list[Any] = ["CPUExecutionProvider"]
    if device != "cpu" and "CUDAExecutionProvider" in available:
        providers.insert(0, ("CUDAExecutionProvider", CUDA))
    elif device.startswith("cuda"):
        raise ValueError(f"--device {device}: this onnxruntime has no CUDA; use auto or cpu")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers)
    except Exception as error:  # onnxruntime's own classes share no base
        reason = first_line(error)
        raise WeightsError(f"{path}: not a usable ONNX model ({reason})") from error


class OnnxDetector:
    """A detector that is one function of the audio.

    Args:
      path: ONNX file.
      device: ``auto``, ``cpu`` or ``cuda``; CUDA needs the GPU build of onnxruntime.
      threads: CPU threads; 0 leaves onnxruntime's own choice.

    Raises:
      WeightsError: no such file, not ONNX, or not of the contract.
    """

    def __init__(self, path: Path, device: str = "auto", threads: int = 0) -> None:
        self._session = open_session(path, device, threads)
        self.config = _config(self._session, path)
        self.model_id = onnx_id(path)
        self.segments_per_batch = SEGMENTS_PER_BATCH

    def scores(self, audio: NDArray[np.float32]) -> SegmentScores:
        """P(AI) of ``audio`` ``[segments, samples]``; there are no features to show.

        Raises:
          ValueError: the model returned something that is no probability for each segment.
        """
        (output,) = self._session.run(None, {INPUT: audio})
        p_ai = np.asarray(output, np.float32).reshape(len(output), -1)
        if p_ai.shape != (len(audio), 1):
            raise ValueError(f"the model returned shape {np.shape(output)}, not one per segment")
        if not ((p_ai >= 0) & (p_ai <= 1)).all():
            raise ValueError("the model returned something that is no probability")
        return SegmentScores.bare(p_ai[:, 0])
