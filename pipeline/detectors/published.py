"""SpecTTTra, CLAM and fakeprint behind the protocol.

Enters: where their weights lie. Leaves: a ``Detector``. The networks are in ``models/published/``.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import soxr
import torch
from numpy.typing import NDArray

from artifactnet.models.pooling import MEDIAN
from artifactnet.models.weights.weights_file import WeightsError
from artifactnet.pipeline.detectors.protocol import DetectorError

BATCH = 8


def _path(argument: str, name: str, what: str) -> Path:
    if not argument:
        raise DetectorError(f"--detector {name}: name its weights, {name}:{what}")
    return Path(argument)


class HalfThreshold:
    """What the published detectors have in common: one channel, logits, one half as threshold."""

    channels = 1
    output: Literal["probability", "logit"] = "logit"
    pooling = MEDIAN

    def threshold(self, segments: int) -> float:
        """One half, as their authors have it, whatever the length."""
        return 0.5


class SpecTTTraDetector(HalfThreshold):
    """SpecTTTra; weights for more than 10 s are given the whole track at once.

    Args:
      path: see ``load_spectttra``.
    """

    def __init__(self, path: Path) -> None:
        from artifactnet.models.published.spectttra import load_spectttra

        self._network = load_spectttra(path)
        config = self._network.config
        self.name = f"spectttra ({path.name})"
        self.sample_rate = config.sample_rate
        self.seconds: float | None = config.seconds
        self.level: Literal["segment", "track"] = "segment" if config.seconds <= 10 else "track"

    @torch.inference_mode()
    def score(self, sound: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits of ``sound`` ``[batch, 1, samples]``."""
        audio = torch.from_numpy(sound[:, 0])
        return torch.cat([self._network(some) for some in audio.split(BATCH)]).numpy()


class ClamDetector(HalfThreshold):
    """CLAM, on up to 90 s at once.

    Args:
      folder: see ``load_clam``.
    """

    level: Literal["segment", "track"] = "track"

    def __init__(self, folder: Path) -> None:
        from artifactnet.models.published import clam

        self._speech_rate = clam.WAV2VEC2_RATE
        self._network = clam.load_clam(folder)
        self.name = f"clam ({folder.name})"
        self.sample_rate = clam.MERT_RATE
        self.seconds: float | None = clam.SECONDS

    @torch.inference_mode()
    def score(self, sound: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits of ``sound`` ``[batch, 1, samples]``."""
        music = sound[:, 0]
        speech = soxr.resample(music.T, self.sample_rate, self._speech_rate, quality="HQ").T
        both = (torch.from_numpy(np.ascontiguousarray(one)) for one in (music, speech))
        return self._network(*both).numpy()


class FakeprintDetector(HalfThreshold):
    """A regression on the fakeprint of the whole track.

    Args:
      path: see ``load_fakeprint``.
    """

    level: Literal["segment", "track"] = "track"
    seconds: float | None = None

    def __init__(self, path: Path) -> None:
        from artifactnet.models.published.fakeprint import load_fakeprint

        self._model = load_fakeprint(path)
        self.name = f"fakeprint ({path.name})"
        self.sample_rate = self._model.config.sample_rate

    def score(self, sound: NDArray[np.float32]) -> NDArray[np.float64]:
        """Logits of ``sound`` ``[batch, 1, samples]``."""
        return np.array([self._model.logit(one) for one in sound[:, 0]])


def _opened(kind: Callable[[Path], Any], argument: str, name: str, what: str) -> Any:
    path = _path(argument, name, what)
    try:
        return kind(path)
    except WeightsError as error:
        raise DetectorError(str(error)) from error


def open_spectttra(argument: str = "") -> SpecTTTraDetector:
    """SpecTTTra of the folder or file ``argument``.

    Raises:
      DetectorError: the weights can't be used.
    """
    what = "FOLDER (config.json and weights) or FILE.safetensors"
    return _opened(SpecTTTraDetector, argument, "spectttra", what)


def open_clam(argument: str = "") -> ClamDetector:
    """CLAM of the folder ``argument``.

    Raises:
      DetectorError: the weights can't be used.
    """
    what = "FOLDER with mert/, wav2vec2/ and the head's file"
    return _opened(ClamDetector, argument, "clam", what)


def open_fakeprint(argument: str = "") -> FakeprintDetector:
    """The fakeprint regression of the file ``argument``.

    Raises:
      DetectorError: the weights can't be used.
    """
    return _opened(FakeprintDetector, argument, "fakeprint", "FILE.safetensors")
