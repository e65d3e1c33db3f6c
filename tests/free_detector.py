"""A detector that costs nothing: an ONNX model of five operations.

For whatever tests dataflow, storage and increments, where a score must be a function of the audio
and nothing else matters. It fulfils the contract of ``--model``.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from artifactnet.models.config import ArtifactNetConfig

SEGMENT_SAMPLES = ArtifactNetConfig().segment_samples


def write_free_detector(path: Path, slope: float = 1.0) -> Path:
    """Write a model whose P(AI) is 0.27 in silence and grows with the mean absolute amplitude."""
    nodes = [
        helper.make_node("Abs", ["audio"], ["absolute"]),
        helper.make_node("ReduceMean", ["absolute"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("Mul", ["mean", "slope"], ["scaled"]),
        helper.make_node("Sub", ["scaled", "offset"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["probability"]),
    ]
    graph = helper.make_graph(
        nodes,
        "free",
        [helper.make_tensor_value_info("audio", TensorProto.FLOAT, ["batch", SEGMENT_SAMPLES])],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["batch"])],
        [
            helper.make_tensor(name, TensorProto.FLOAT, [], np.array([value], np.float32))
            for name, value in (("slope", slope), ("offset", 1.0))
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, str(path))
    return path
