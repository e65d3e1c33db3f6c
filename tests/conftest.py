"""Signals, encoded files and a small detector that the tests share."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray

from artifactnet.models.artifactnet import ArtifactNet, save_detector
from artifactnet.models.config import ArtifactNetConfig
from tests.free_detector import write_free_detector

SHARED_CORPUS = Path(__file__).parents[2] / "shared" / "corpus" / "manifest.jsonl"
SAMPLES = Path(__file__).parents[1] / "samples" / "manifest.jsonl"

Encode = Callable[..., Path]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest tests first: a worker that begins one last keeps all others waiting."""

    def seconds(item: pytest.Item) -> float:
        marks = (*item.iter_markers("slow"), *item.iter_markers("engine"))
        return max((mark.args[0] for mark in marks if mark.args), default=0)

    items.sort(key=seconds, reverse=True)


def music(seconds: float, sample_rate: int = 44_100, channels: int = 1) -> NDArray[np.float32]:
    """Decaying chords over noise, float32 ``[frames, channels]``, peak 0.8."""
    time = np.arange(int(seconds * sample_rate)) / sample_rate
    rng = np.random.default_rng(7)
    envelope = np.exp(-3 * (time % 0.5))
    tones = [
        np.sin(2 * np.pi * (110 + 27.5 * np.floor(time / 0.5) % 8) * partial * time) / partial
        for partial in range(1, 12)
    ]
    columns = [
        envelope * sum(tones) + 0.05 * rng.standard_normal(len(time)) for _ in range(channels)
    ]
    audio = np.stack(columns, axis=1)
    return (0.8 * audio / np.abs(audio).max()).astype(np.float32)


def encode_with_ffmpeg(
    path: Path,
    audio: NDArray[np.float32],
    sample_rate: int,
    encoder: str,
    *,
    container: str | None = None,
    video: bool = False,
) -> Path:
    """Write ``audio`` ``[frames, channels]`` with an encoder of PyAV, a video track beside it."""
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[audio.shape[1]]
    with av.open(str(path), "w", format=container) as out:
        pictures = out.add_stream("mpeg4", rate=10) if video else None
        if pictures:
            pictures.width = pictures.height = 64
            pictures.pix_fmt = "yuv420p"
        stream = out.add_stream(encoder, rate=sample_rate, layout=layout)
        if pictures:
            for _ in range(10 * len(audio) // sample_rate):
                picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")
                out.mux(pictures.encode(picture))
            out.mux(pictures.encode(None))
        stream.bit_rate = 128_000
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(audio.T), "fltp", layout)
        frame.sample_rate = sample_rate
        frame.pts, frame.time_base = 0, Fraction(1, sample_rate)
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@pytest.fixture
def wav(tmp_path: Path) -> Encode:
    """Writes a WAV: ``wav(name, seconds, sample_rate, channels)``."""

    def write(
        name: str = "tone.wav", seconds: float = 5.0, sample_rate: int = 44_100, channels: int = 1
    ) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, music(seconds, sample_rate, channels), sample_rate, format="WAV")
        return path

    return write


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector of the real shape with few channels, untrained."""
    torch.manual_seed(3)
    config = ArtifactNetConfig(
        unet_channels=(4, 6, 8), classifier_channels=(4, 4, 6, 6, 8), embedding_size=8
    )
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_detector(ArtifactNet(config), path)
    return path


@pytest.fixture(scope="session")
def free_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector that costs nothing; see ``tests/free_detector.py``."""
    return write_free_detector(tmp_path_factory.mktemp("weights") / "free.onnx")
