"""ONNX files as they are found in public: rate, channels, length, what they take and return."""

from pathlib import Path

import librosa
import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from artifactnet.models.published.fakeprint import (
    FakeprintConfig,
    FakeprintRegression,
    fakeprint,
)
from artifactnet.pipeline.detectors.contract import LogMelInput
from artifactnet.pipeline.detectors.onnx_detector import log_mel, open_onnx
from artifactnet.pipeline.detectors.protocol import DetectorError, probabilities, sound_for
from artifactnet.pipeline.experiments.train_fakeprint import write_onnx

FLOAT = TensorProto.FLOAT


def save(path: Path, shape: list, nodes: list, outputs: int = 1, constants=(), **metadata) -> Path:
    """An ONNX file from ``x`` of ``shape`` to ``y``."""
    graph = helper.make_graph(
        nodes, "probe", [helper.make_tensor_value_info("x", FLOAT, shape)],
        [helper.make_tensor_value_info("y", FLOAT, None)], list(constants),
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=value)
    onnx.save(model, path)
    return path


def peak(path: Path, shape: list, **metadata) -> Path:
    """Says the largest of what it is given."""
    node = helper.make_node("ReduceMax", ["x"], ["y"], axes=list(range(1, len(shape))), keepdims=0)
    return save(path, shape, [node], **metadata)


def sound(seconds: float, rate: int, channels: int = 1, batch: int = 2) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.uniform(-0.5, 0.5, (batch, channels, round(seconds * rate))).astype(np.float32)


@pytest.mark.parametrize("rate", [16_000, 22_050, 24_000, 44_100, 48_000])
@pytest.mark.parametrize("length", ["n", 8_000])
def test_bare_file_says_rate_and_length(tmp_path: Path, rate: int, length: str | int) -> None:
    path = peak(tmp_path / "d.onnx", ["b", length], sample_rate=str(rate))
    found = open_onnx(str(path))
    assert (found.sample_rate, found.channels) == (rate, 1)
    assert found.seconds == (None if length == "n" else 8_000 / rate)
    given = sound_for(found, sound(0.5, rate)[:, 0], (0, 1), rate)
    assert probabilities(found, given).tolist() == given.max((1, 2)).tolist()


@pytest.mark.parametrize(("channels", "axis"), [(1, True), (2, True)])
def test_bare_file_with_a_channel_axis(tmp_path: Path, channels: int, axis: bool) -> None:
    found = open_onnx(str(peak(tmp_path / "d.onnx", ["b", channels, "n"])))
    assert (found.sample_rate, found.channels) == (44_100, channels)
    given = sound(0.1, 44_100, channels)
    assert found.score(given).tolist() == given.max((1, 2)).tolist()


def test_file_that_takes_no_sound_needs_a_contract(tmp_path: Path) -> None:
    with pytest.raises(DetectorError, match="write a TOML"):
        open_onnx(str(peak(tmp_path / "d.onnx", ["b", 1, 64, "n"])))


def contract(folder: Path, text: str) -> str:
    (folder / "d.toml").write_text(text)
    return str(folder / "d.toml")


@pytest.mark.parametrize(("place", "expected"), [(0, 0.2), (1, 0.8)])
def test_two_classes_as_probabilities(tmp_path: Path, place: int, expected: float) -> None:
    both = numpy_helper.from_array(np.array([[0.2, 0.8]], np.float32), "both")
    save(tmp_path / "d.onnx", ["b", "n"], [helper.make_node("Identity", ["both"], ["y"])],
         constants=[both])  # fmt: skip
    text = f'model = "d.onnx"\nsample_rate = 16000\ngenerated = {place}'
    found = open_onnx(contract(tmp_path, text))
    assert found.score(sound(0.1, 16_000)) == pytest.approx(expected)


def test_two_classes_as_logits(tmp_path: Path) -> None:
    both = numpy_helper.from_array(np.array([[1.0, 3.0]], np.float32), "both")
    save(tmp_path / "d.onnx", ["b", "n"], [helper.make_node("Identity", ["both"], ["y"])],
         constants=[both])  # fmt: skip
    text = 'model = "d.onnx"\nsample_rate = 16000\noutput = "logit"\ngenerated = 1'
    found = open_onnx(contract(tmp_path, text))
    assert found.output == "probability"
    assert found.score(sound(0.1, 16_000)) == pytest.approx(1 / (1 + np.exp(-2)))


def test_outputs_that_nobody_chose_among(tmp_path: Path) -> None:
    both = numpy_helper.from_array(np.array([[1.0, 3.0]], np.float32), "both")
    save(tmp_path / "d.onnx", ["b", "n"], [helper.make_node("Identity", ["both"], ["y"])],
         constants=[both])  # fmt: skip
    found = open_onnx(contract(tmp_path, 'model = "d.onnx"\nsample_rate = 16000'))
    with pytest.raises(ValueError, match="say with 'generated' which one counts"):
        found.score(sound(0.1, 16_000))


def test_two_files_in_a_chain(tmp_path: Path) -> None:
    save(tmp_path / "residual.onnx", ["b", "n"], [helper.make_node("Abs", ["x"], ["y"])])
    peak(tmp_path / "cnn.onnx", ["b", "n"])
    text = 'model = ["residual.onnx", "cnn.onnx"]\nsample_rate = 16000'
    given = sound(0.1, 16_000)
    found = open_onnx(contract(tmp_path, text)).score(given)
    assert found.tolist() == np.abs(given).max((1, 2)).tolist()


@pytest.mark.parametrize("axis", ["true", "false"])
def test_log_mel_is_librosas(tmp_path: Path, axis: str) -> None:
    shape = ["b", 1, 40, "n"] if axis == "true" else ["b", 40, "n"]
    peak(tmp_path / "d.onnx", shape)
    text = (
        'model = "d.onnx"\nsample_rate = 16000\noutput = "logit"\n[input]\nkind = "log-mel"\n'
        f"n_fft = 512\nhop_length = 160\nn_mels = 40\ntop_db = 80.0\nchannel_axis = {axis}"
    )
    given = sound(1.0, 16_000, batch=1)
    mel = librosa.feature.melspectrogram(
        y=given[0, 0], sr=16_000, n_fft=512, hop_length=160, n_mels=40
    )
    expected = librosa.power_to_db(mel, top_db=80.0).max()
    assert open_onnx(contract(tmp_path, text)).score(given)[0] == pytest.approx(expected, abs=1e-4)


def test_log_mel_can_be_natural_and_standardised() -> None:
    front = LogMelInput(kind="log-mel", n_fft=512, n_mels=40, log="natural", standardised=True)
    found = log_mel(sound(1.0, 16_000)[:, 0], 16_000, front)
    assert found.mean((1, 2)) == pytest.approx(0, abs=1e-5)
    assert found.std((1, 2)) == pytest.approx(1, abs=1e-4)


def test_fakeprint_contract(tmp_path: Path) -> None:
    place = numpy_helper.from_array(np.array([0, 7], np.int64), "place")
    node = helper.make_node("GatherND", ["x", "place"], ["y"])
    save(tmp_path / "d.onnx", ["b", 3585], [node], constants=[place])
    text = 'model = "d.onnx"\nsample_rate = 16000\nlevel = "track"\n[input]\nkind = "fakeprint"'
    given = sound(2.0, 16_000, batch=1)
    config = FakeprintConfig(16_000, n_fft=8192, f_min=1_000.0, f_max=8_000.0)
    found = open_onnx(contract(tmp_path, text)).score(given)[0]
    assert found == pytest.approx(fakeprint(given[0, 0], config)[7])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model =", "not TOML"),
        ('sample_rate = 16000', "model: Field required"),
        ('model = "d.onnx"\nsample_rate = 1', "sample_rate"),
        ('model = "d.onnx"\nsample_rate = 16000\nbanana = 1', "banana"),
        ('model = "d.onnx"\nsample_rate = 16000\n[input]\nkind = "cqt"', "input"),
        ('model = "../d.onnx"\nsample_rate = 16000', "name a file beside the TOML"),
        ('model = "d.onnx"\nsample_rate = 16000\nchannels = 2\n[input]\nkind = "fakeprint"',
         "mono sound"),
        ('model = "d.onnx"\nsample_rate = 8000\n[input]\nkind = "fakeprint"', "f_max"),
        ('model = "absent.onnx"\nsample_rate = 16000', "no such model file"),
    ],
)  # fmt: skip
def test_mistakes_in_a_contract_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DetectorError) as caught:
        open_onnx(contract(tmp_path, text))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_fakeprint_as_onnx_is_the_same(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = FakeprintRegression(FakeprintConfig(16_000, n_fft=8192, f_min=1_000.0, f_max=8_000.0))
    write_onnx(model, tmp_path / "print.onnx")
    given = sound(2.0, 16_000, batch=1)
    expected = 1 / (1 + np.exp(-model.logit(given[0, 0])))
    found = open_onnx(str(tmp_path / "print.toml"))
    assert (found.name, found.level, found.seconds) == ("print", "track", None)
    assert found.score(given)[0] == pytest.approx(expected, abs=1e-6)
