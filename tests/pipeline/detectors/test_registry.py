"""Names on the command line become detectors."""

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest

from artifactnet.pipeline.audit.score import score_track
from artifactnet.pipeline.detectors import registry
from artifactnet.pipeline.detectors.protocol import DetectorError, track_score
from artifactnet.pipeline.detectors.registry import GROUP, known_names, open_detector
from artifactnet.transforms.audio.codec_spec import PYAV, CodecSpec
from artifactnet.transforms.decode import DecodeOptions, decode_row
from artifactnet.transforms.detector.detector import DetectorOptions, detector_of
from artifactnet.transforms.elements.records import AuditedTrack, ManifestRow
from artifactnet.transforms.manifests.parquet import EmbeddedAudioReader
from tests.conftest import Encode

PLUGIN = """
import numpy as np

class Constant:
    name, sample_rate, channels, seconds = "constant", 16000, 1, None
    level, output, pooling = "track", "probability", "median"
    def __init__(self, value=0.25):
        self.value = float(value)
    def threshold(self, segments):
        return 0.5
    def score(self, sound):
        return np.full(len(sound), self.value)

def broken():
    raise RuntimeError("no licence\\nof any kind")

number = 3

def leaving():
    raise SystemExit(3)
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "some_plugin.py").write_text(PLUGIN)
    (tmp_path / "needy_plugin.py").write_text("import no_such_package")
    (tmp_path / "odd_plugin.py").write_text("def make(:")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "some_plugin", raising=False)


def test_factory_by_its_place(plugin: None) -> None:
    assert open_detector("some_plugin:Constant").name == "constant"


def test_entry_point_with_and_without_argument(
    plugin: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    point = EntryPoint("constant", "some_plugin:Constant", GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda group: [point] if group == GROUP else [])
    assert "constant" in known_names()
    sound = np.zeros((1, 1, 10), np.float32)
    assert open_detector("constant").score(sound)[0] == 0.25
    assert open_detector("constant:0.75").score(sound)[0] == 0.75


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("artefactnet", "use one of artifactnet, onnx, spectttra, clam, fakeprint"),
        ("no_such_module:make", "no module no_such_module"),
        ("some_plugin:absent", "some_plugin has no absent"),
        ("some_plugin:number", "no function that makes a detector"),
        ("some_plugin:broken", "RuntimeError: no licence"),
        ("some_plugin:leaving", "SystemExit: 3"),
        ("needy_plugin:make", "ModuleNotFoundError: No module named 'no_such_package'"),
        ("odd_plugin:make", "SyntaxError"),
        ("onnx", "name a file"),
        ("onnx:absent.onnx", "absent.onnx: no such model file"),
        ("onnx:absent.toml", "absent.toml: can't be read"),
        ("spectttra", "name its weights"),
        ("spectttra:absent.safetensors", "no such weights file"),
        ("fakeprint:absent.safetensors", "no such weights file"),
        ("artifactnet:absent.safetensors", "no such weights file"),
    ],
)
def test_mistakes_are_one_line(plugin: None, asked: str, message: str) -> None:
    with pytest.raises(DetectorError) as caught:
        open_detector(asked)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_entry_point_to_nothing_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("gone", "no_such_module:make", GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda group: [point])
    with pytest.raises(DetectorError, match="No module named 'no_such_module'"):
        open_detector("gone")


def test_clam_without_weights_is_named(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    with pytest.raises(DetectorError, match="no usable configuration"):
        open_detector(f"clam:{tmp_path}")


def test_ours_says_what_an_audit_says(wav: Encode) -> None:
    path = wav("tone.wav", seconds=13.0)
    row = ManifestRow("tone", str(path), "arguments", 1)
    loaded = detector_of(DetectorOptions(evidence="none"))
    track = decode_row(row, loaded.config, DecodeOptions(7), EmbeddedAudioReader())
    audited = score_track(track, loaded, (CodecSpec("wav"),), PYAV)
    assert isinstance(audited, AuditedTrack)
    ours = open_detector("artifactnet")
    audio = track.audio
    score = track_score(ours, audio.windows, audio.starts, ours.sample_rate)  # type: ignore[union-attr]
    assert score == pytest.approx(audited.verdict.p_ai, abs=1e-6)
    assert ours.threshold(3) == audited.verdict.threshold_ai
