"""What an ONNX file of somebody else takes and returns, in a small TOML file beside it.

Enters: TOML. Leaves: an ``OnnxContract``, every mistake named with its field. Public detectors
differ in rate, channels, length, in what they call their output, and in whether they want sound or
a picture of it; ``docs/bench.md`` shows one of each.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from artifactnet.pipeline.detectors.protocol import DetectorError

MOST_FILES = 4
"""Chained one after the other."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AudioInput(_Strict):
    """Sound itself, ``[batch, samples]`` or, of stereo, ``[batch, 2, samples]``."""

    kind: Literal["audio"] = "audio"
    channel_axis: bool = False
    """Whether mono has an axis too: ``[batch, 1, samples]``."""


class LogMelInput(_Strict):
    """A log-mel spectrogram, ``[batch, n_mels, frames]``."""

    kind: Literal["log-mel"]
    n_fft: Annotated[int, Field(ge=64, le=16_384)] = 2048
    hop_length: Annotated[int, Field(ge=16, le=16_384)] = 512
    n_mels: Annotated[int, Field(ge=8, le=1024)] = 128
    f_min: Annotated[float, Field(ge=0)] = 0.0
    f_max: Annotated[float, Field(gt=0)] | None = None
    power: Annotated[float, Field(ge=1, le=2)] = 2.0
    scale: Literal["slaney", "htk"] = "slaney"
    """Of the mel scale; ``slaney`` also norms each filter by its width, as librosa does."""
    log: Literal["db", "natural"] = "db"
    floor: Annotated[float, Field(gt=0)] = 1e-10
    """Below which power counts as this."""
    top_db: Annotated[float, Field(gt=0)] | None = None
    standardised: bool = False
    """Whether each spectrogram is brought to mean 0 and deviation 1."""
    channel_axis: bool = False
    """Whether the network wants ``[batch, 1, n_mels, frames]``."""


class FakeprintInput(_Strict):
    """A fakeprint, ``[batch, bins]``; see ``models/published/fakeprint.py``."""

    kind: Literal["fakeprint"]
    n_fft: int = 8192
    f_min: float = 1_000.0
    f_max: float = 8_000.0
    area: int = 10
    max_db: float = 5.0
    min_db: float = -45.0


class OnnxContract(_Strict):
    """An ONNX detector.

    Attributes:
      name: in reports; the file's by default.
      model: ONNX file beside the TOML, or several: what one returns is what the next one takes.
      sample_rate: Hz.
      channels: 1 or 2.
      seconds: length of the sound it takes; any by default.
      level: ``segment`` or ``track``.
      output: ``probability`` or ``logit``.
      generated: of several outputs for each excerpt, the place of that for generated; of a logit
        over several, softmax is taken.
      threshold: P(AI) from which it says generated.
      pooling: of segments.
      input: what it is given.
    """

    name: str = ""
    model: str | list[str]
    sample_rate: Annotated[int, Field(ge=1_000, le=384_000)]
    channels: Literal[1, 2] = 1
    seconds: Annotated[float, Field(gt=0, le=3600)] | None = None
    level: Literal["segment", "track"] = "segment"
    output: Literal["probability", "logit"] = "probability"
    generated: Annotated[int, Field(ge=0, le=1000)] | None = None
    threshold: Annotated[float, Field(ge=0, le=1)] = 0.5
    pooling: Literal["median", "mean"] = "median"
    input: Annotated[AudioInput | LogMelInput | FakeprintInput, Field(discriminator="kind")] = (
        AudioInput()
    )

    @model_validator(mode="after")
    def _fits(self) -> "OnnxContract":
        files = self.files
        if not 1 <= len(files) <= MOST_FILES:
            raise ValueError(f"model names {len(files)} files; use 1 to {MOST_FILES}")
        if self.channels == 2 and self.input.kind != "audio":
            raise ValueError(f"a {self.input.kind} is one of mono sound; use channels = 1")
        return self

    @property
    def files(self) -> tuple[str, ...]:
        """Names of the ONNX files, in the order in which they run."""
        return (self.model,) if isinstance(self.model, str) else tuple(self.model)


def read_contract(path: Path) -> OnnxContract:
    """The contract in ``path``.

    Raises:
      DetectorError: no such file, no TOML, or a field that is missing, unknown or out of bounds.
    """
    try:
        return OnnxContract.model_validate(tomllib.loads(path.read_text()))
    except OSError as error:
        raise DetectorError(f"{path}: can't be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DetectorError(f"{path}: not TOML ({error})") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(one) for one in first["loc"]) or "contract"
        raise DetectorError(f"{path}: {field}: {first['msg']}") from error
