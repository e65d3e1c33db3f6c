"""What a detector must be, so that ``artifactnet bench --detector`` can measure it.

Enters: windows of a track, as an audit takes them. Leaves: scores of a ``Detector``, and from them
the track's. A package offers one under the entry point group ``artifactnet.detectors``, or as
``package.module:factory``; the factory takes what follows the name on the command line, or nothing.
"""

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
import soxr
from numpy.typing import NDArray

from artifactnet.models.pooling import POOLINGS, pooled

LEVELS = ("segment", "track")
OUTPUTS = ("probability", "logit")
MOST_CHANNELS = 2


class Detector(Protocol):
    """A detector of generated music.

    Attributes:
      name: in reports.
      sample_rate: Hz of the sound that it takes.
      channels: 1 or 2.
      seconds: length of the sound that it takes; ``None`` for any. Shorter sound is followed by
        silence; of a window that holds it several times each piece is scored.
      level: ``segment`` where each window is scored and the scores are pooled, ``track`` where the
        windows of a track, one after the other, are scored at once.
      output: ``probability`` or ``logit``; above 0.5 and 0 for generated.
      pooling: of segments' probabilities, ``median``, or ``mean`` of their logits.
    """

    name: str
    sample_rate: int
    channels: int
    seconds: float | None
    level: Literal["segment", "track"]
    output: Literal["probability", "logit"]
    pooling: str

    def threshold(self, segments: int) -> float:
        """P(AI) from which a track of so many windows that don't overlap is called ``ai``."""
        ...

    def score(self, sound: NDArray[np.float32]) -> NDArray[np.floating]:
        """Scores ``[batch]`` of ``sound``, float32 ``[batch, channels, samples]``, full scale 1."""
        ...


class DetectorError(ValueError):
    """A detector can't be used; the message says which, and why."""


def _unusable(detector: Detector) -> str:
    """What is wrong with the attributes of ``detector``; empty for nothing."""
    for name, kinds in (
        ("name", (str,)), ("sample_rate", (int,)), ("channels", (int,)),
        ("seconds", (int, float, type(None))), ("level", (str,)), ("output", (str,)),
        ("pooling", (str,)),
    ):  # fmt: skip
        if not hasattr(detector, name):
            return f"has no attribute {name}"
        if not isinstance(value := getattr(detector, name), kinds) or isinstance(value, bool):
            return f"{name} is {value!r}"
    for name in ("threshold", "score"):
        if not callable(getattr(detector, name, None)):
            return f"has no method {name}"
    for name, allowed in (
        ("level", LEVELS), ("output", OUTPUTS), ("pooling", POOLINGS), ("channels", (1, 2)),
    ):  # fmt: skip
        if getattr(detector, name) not in allowed:
            known = " or ".join(map(str, allowed))
            return f"{name} is {getattr(detector, name)!r}; use {known}"
    if not 1_000 <= detector.sample_rate <= 384_000:
        return f"sample_rate is {detector.sample_rate}; use 1000 to 384000"
    if detector.seconds is not None and not 0 < detector.seconds <= 3600:
        return f"seconds is {detector.seconds}; use up to 3600, or None for any length"
    return ""


def checked(detector: Detector, asked: str) -> Detector:
    """``detector``, after a look at its attributes.

    Raises:
      DetectorError: it doesn't keep to the protocol.
    """
    if problem := _unusable(detector):
        raise DetectorError(f"--detector {asked}: {type(detector).__name__} {problem}")
    return detector


def joined(
    windows: NDArray[np.float32], starts: Sequence[float], sample_rate: int
) -> NDArray[np.float32]:
    """Windows one after the other, float32 ``[samples]``; what two of them share once.

    Args:
      windows: float32 ``[windows, samples]``.
      starts: of each in seconds, rising.
      sample_rate: Hz.
    """
    pieces, end = [], -np.inf
    length = windows.shape[1]
    for window, start in zip(windows, starts, strict=True):
        first = round(start * sample_rate)
        shared = int(np.clip(end - first, 0, length)) if np.isfinite(end) else 0
        pieces.append(window[shared:])
        end = first + length
    return np.concatenate(pieces)


def fitted(sound: NDArray[np.float32], samples: int) -> NDArray[np.float32]:
    """``sound`` ``[batch, length]`` cut, or followed by silence, to ``samples``."""
    missing = max(0, samples - sound.shape[1])
    return np.pad(sound[:, :samples], ((0, 0), (0, missing)))


def sound_for(
    detector: Detector, windows: NDArray[np.float32], starts: Sequence[float], sample_rate: int
) -> NDArray[np.float32]:
    """What ``detector`` is given of a track, float32 ``[batch, channels, samples]``.

    Args:
      detector: that will score it.
      windows: mono float32 ``[windows, samples]``; a detector of stereo gets them on both channels.
      starts: of each in seconds.
      sample_rate: Hz of ``windows``.
    """
    if sample_rate != detector.sample_rate:
        windows = soxr.resample(windows.T, sample_rate, detector.sample_rate, quality="HQ").T
    sound = windows
    if detector.level == "track":
        sound = joined(windows, starts, detector.sample_rate)[None]
    if detector.seconds is not None:
        samples = round(detector.seconds * detector.sample_rate)
        pieces = sound.shape[1] // samples
        if detector.level == "segment" and pieces > 1:  # a long window is several of its own
            sound = sound[:, : pieces * samples].reshape(-1, samples)
        sound = fitted(sound, samples)
    return np.repeat(np.ascontiguousarray(sound, np.float32)[:, None], detector.channels, axis=1)


def probabilities(detector: Detector, sound: NDArray[np.float32]) -> NDArray[np.float64]:
    """P(AI) ``[batch]`` by ``detector`` of ``sound`` ``[batch, channels, samples]``.

    Raises:
      ValueError: what it returned are no scores of so many.
    """
    found = np.asarray(detector.score(sound), np.float64)
    if found.shape != (len(sound),):
        raise ValueError(f"{detector.name} returned shape {found.shape}, not ({len(sound)},)")
    if not np.isfinite(found).all():
        raise ValueError(f"{detector.name} returned NaN or infinity")
    if detector.output == "logit":
        return 1 / (1 + np.exp(-np.clip(found, -60, 60)))
    if not ((found >= 0) & (found <= 1)).all():
        raise ValueError(
            f"{detector.name} returned {found.min():g} to {found.max():g} as probability"
        )
    return found


def track_score(
    detector: Detector, windows: NDArray[np.float32], starts: Sequence[float], sample_rate: int
) -> float:
    """P(AI) of a track by ``detector``; see ``sound_for``.

    Raises:
      ValueError: what it returned are no scores.
    """
    sound = sound_for(detector, windows, starts, sample_rate)
    return pooled(probabilities(detector, sound), detector.pooling)
