"""ONNX files of others as detectors.

Enters: an ONNX file, or the TOML that says what it takes (``contract.py``). Leaves: a ``Detector``.
Of a bare file the length and the channels follow from the shape of its input, the rate from its
metadata (``sample_rate``), else 44.1 kHz.
"""

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from artifactnet.models.published.fakeprint import FakeprintConfig, fakeprint
from artifactnet.models.weights.weights_file import WeightsError
from artifactnet.pipeline.detectors.contract import (
    AudioInput,
    FakeprintInput,
    LogMelInput,
    OnnxContract,
    read_contract,
)
from artifactnet.pipeline.detectors.protocol import DetectorError
from artifactnet.transforms.detector.onnx import open_session

CONTRACT = ".toml"
USUAL_RATE = 44_100


def log_mel(
    sound: NDArray[np.float32], sample_rate: int, front: LogMelInput
) -> NDArray[np.float32]:
    """Log-mel spectrograms ``[batch, n_mels, frames]`` of mono ``sound`` ``[batch, samples]``."""
    from librosa import power_to_db
    from librosa.feature import melspectrogram

    slaney = front.scale == "slaney"
    power = melspectrogram(
        y=sound, sr=sample_rate, n_fft=front.n_fft, hop_length=front.hop_length,
        n_mels=front.n_mels, fmin=front.f_min, fmax=front.f_max, power=front.power,
        htk=not slaney, norm="slaney" if slaney else None,
    )  # fmt: skip
    if front.log == "natural":
        logged = np.log(np.maximum(power, front.floor))
    else:
        logged = np.stack(
            [power_to_db(one, amin=front.floor, top_db=front.top_db) for one in power]
        )
    if front.standardised:
        mean, spread = logged.mean((1, 2), keepdims=True), logged.std((1, 2), keepdims=True)
        logged = (logged - mean) / (spread + 1e-6)
    return logged.astype(np.float32)


def network_input(sound: NDArray[np.float32], contract: OnnxContract) -> NDArray[np.float32]:
    """What the first network is given of ``sound`` ``[batch, channels, samples]``."""
    front = contract.input
    if isinstance(front, AudioInput):
        return sound if contract.channels == 2 or front.channel_axis else sound[:, 0]
    if isinstance(front, LogMelInput):
        picture = log_mel(sound[:, 0], contract.sample_rate, front)
        return picture[:, None] if front.channel_axis else picture
    config = FakeprintConfig(contract.sample_rate, **front.model_dump(exclude={"kind"}))
    return np.stack([fakeprint(one, config) for one in sound[:, 0]])


def bare_contract(path: Path, session: Any) -> OnnxContract:
    """What can be told of an ONNX file from itself.

    Raises:
      DetectorError: it takes no sound; a TOML must say what it takes.
    """
    (first, *others) = session.get_inputs()
    shape = list(first.shape)
    if others or len(shape) not in (2, 3):
        raise DetectorError(
            f"{path}: takes {len(others) + 1} inputs, the first of shape {shape}; write a TOML "
            "that says what it is given (docs/bench.md), and name that"
        )
    rate = session.get_modelmeta().custom_metadata_map.get("sample_rate", str(USUAL_RATE))
    channels = shape[1] if len(shape) == 3 and isinstance(shape[1], int) else 1
    if channels not in (1, 2) or not rate.isdecimal():
        raise DetectorError(
            f"{path}: input of shape {shape} at '{rate}' Hz is no mono or stereo sound"
        )
    seconds = shape[-1] / int(rate) if isinstance(shape[-1], int) else None
    return OnnxContract(
        model=path.name,
        sample_rate=int(rate),
        channels=2 if channels == 2 else 1,
        seconds=seconds,
        input=AudioInput(channel_axis=len(shape) == 3),
    )


class OnnxFiles:
    """A chain of ONNX files as a detector.

    Args:
      contract: what they take and return.
      sessions: of the files, in order.
      name: in reports, where the contract has none.
    """

    def __init__(self, contract: OnnxContract, sessions: list[Any], name: str) -> None:
        self._contract = contract
        self._sessions = sessions
        self.name = contract.name or name
        self.sample_rate = contract.sample_rate
        self.channels: int = contract.channels
        self.seconds = contract.seconds
        self.level: Literal["segment", "track"] = contract.level
        several = contract.generated is not None and contract.output == "logit"
        self.output: Literal["probability", "logit"] = "probability" if several else contract.output
        self.pooling = contract.pooling

    def threshold(self, segments: int) -> float:
        """As the contract says, whatever the length."""
        return self._contract.threshold

    def score(self, sound: NDArray[np.float32]) -> NDArray[np.float64]:
        """Scores ``[batch]`` of ``sound`` ``[batch, channels, samples]``, one excerpt at a time.

        Many public files have a batch of one written into them.

        Raises:
          ValueError: the output is not what the contract says.
        """
        return np.array([self._one(sound[i : i + 1]) for i in range(len(sound))])

    def _one(self, sound: NDArray[np.float32]) -> float:
        value: Any = network_input(sound, self._contract)
        for session in self._sessions:
            value = session.run(None, {session.get_inputs()[0].name: value})[0]
        found = np.asarray(value, np.float64).reshape(-1)
        place = self._contract.generated
        if place is None:
            if found.size != 1:
                raise ValueError(f"{found.size} outputs; say with 'generated' which one counts")
            return float(found[0])
        if place >= found.size:
            raise ValueError(f"generated = {place}, but there are {found.size} outputs")
        if self._contract.output == "logit":
            odds = np.exp(found - found.max())
            return float(odds[place] / odds.sum())
        return float(found[place])


def open_onnx(argument: str = "") -> OnnxFiles:
    """The ONNX file ``argument``, or those that the TOML file ``argument`` names.

    Raises:
      DetectorError: they can't be used.
    """
    path = Path(argument)
    if not argument:
        raise DetectorError("--detector onnx: name a file, onnx:FILE.onnx or onnx:FILE.toml")
    if path.suffix != CONTRACT:
        session = _session(path)
        return OnnxFiles(bare_contract(path, session), [session], path.stem)
    contract = read_contract(path)
    if isinstance(contract.input, FakeprintInput):
        try:
            FakeprintConfig(contract.sample_rate, **contract.input.model_dump(exclude={"kind"}))
        except ValueError as error:
            raise DetectorError(f"{path}: input: {error}") from error
    for name in contract.files:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise DetectorError(f"{path}: model {name}: name a file beside the TOML")
    return OnnxFiles(contract, [_session(path.parent / one) for one in contract.files], path.stem)


def _session(path: Path) -> Any:
    try:
        return open_session(path)
    except WeightsError as error:
        raise DetectorError(str(error)) from error
