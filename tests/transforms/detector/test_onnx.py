"""Any ONNX model of the contract runs in the audit; ours gives torch's scores."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from artifactnet.models.artifactnet import load_detector
from artifactnet.models.onnx_export import export_onnx, with_thresholds
from artifactnet.models.weights.weights_file import WeightsError
from artifactnet.pipeline.audit.report import read_results
from artifactnet.pipeline.audit.request import AuditRequest
from artifactnet.pipeline.audit.run import run_audit
from artifactnet.transforms.detector.onnx import OnnxDetector
from tests.conftest import SAMPLES, music


def loudness_model(path: Path, name: str = "audio", samples: int | str = 176_400) -> Path:
    """Probability: mean square of the audio."""
    square = helper.make_node("Mul", [name, name], ["square"])
    mean = helper.make_node("ReduceMean", ["square"], ["probability"], axes=[1], keepdims=0)
    graph = helper.make_graph(
        [square, mean], "loudness",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", samples])],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["batch"])],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, str(path))
    return path


@pytest.mark.slow
def test_export_equals_torch(tiny_weights: Path, tmp_path: Path) -> None:
    network = load_detector(tiny_weights).network
    export_onnx(network, tmp_path / "a.onnx")
    audio = np.stack([music(4)[:, 0], 0.01 * music(4)[::-1, 0], np.zeros(176_400, np.float32)])
    found = OnnxDetector(tmp_path / "a.onnx").scores(audio).p_ai
    with torch.inference_mode():
        wanted = torch.sigmoid(network(torch.from_numpy(audio)).logit).numpy()
    np.testing.assert_allclose(found, wanted, atol=1e-3)
    assert [path.name for path in tmp_path.glob("a.*")] == ["a.onnx"]
    stored = OnnxDetector(tmp_path / "a.onnx").config
    assert stored.threshold_ai == network.config.threshold_ai


def test_thresholds_can_be_replaced(tmp_path: Path) -> None:
    source = loudness_model(tmp_path / "a.onnx")
    model_id = with_thresholds(source, tmp_path / "b.onnx", 0.1, 0.3)
    changed = OnnxDetector(tmp_path / "b.onnx")
    assert (changed.config.threshold_real, changed.config.threshold_ai) == (0.1, 0.3)
    assert changed.model_id == model_id != OnnxDetector(source).model_id


def test_audit_by_another_model(tmp_path: Path) -> None:
    model = loudness_model(tmp_path / "a.onnx")
    record = run_audit(
        AuditRequest(str(SAMPLES), str(tmp_path / "out"), weights=model, workers=1, quiet=True)
    )
    assert (record.counts.tracks, record.counts.errors) == (7, 1)
    assert record.model_id == OnnxDetector(model).model_id
    assert len(read_results(str(tmp_path / "out"), record.run_id).lines) == 8


def test_models_that_do_not_keep_the_contract_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no such model file"):
        OnnxDetector(tmp_path / "none.onnx")
    (tmp_path / "text.onnx").write_text("hello")
    with pytest.raises(WeightsError, match=r"text\.onnx: not a usable ONNX model"):
        OnnxDetector(tmp_path / "text.onnx")
    with pytest.raises(WeightsError, match="must take one float32 input 'audio', takes sound"):
        OnnxDetector(loudness_model(tmp_path / "b.onnx", "sound"))
    with pytest.raises(WeightsError, match=r"must be \[batch, samples\]"):
        OnnxDetector(loudness_model(tmp_path / "c.onnx", samples="n"))


def test_what_is_no_probability_is_an_error(tmp_path: Path) -> None:
    detector = OnnxDetector(loudness_model(tmp_path / "a.onnx"))
    with pytest.raises(ValueError, match="no probability"):
        detector.scores(np.full((1, 176_400), 3, np.float32))
