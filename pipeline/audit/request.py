"""What an audit, or the scoring of a few files, is asked to do.

Enters: fields, from the command line or another program. Leaves: an ``AuditRequest``, and what of
it may be written down; or a ``ScoreRequest``.
"""

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from artifactnet.pipeline import options
from artifactnet.pipeline.options import argument, option
from artifactnet.transforms.audio.codec_spec import CodecSpec
from artifactnet.transforms.manifests.sample import RowSample


@dataclass(frozen=True)
class AuditRequest:
    """What an audit is asked to do.

    Attributes:
      catalogue: manifest, folder or glob.
      output: folder for the results.
      segments: windows a track, ``None`` for all.
      codecs: the unprocessed audio, then re-encodings.
      codec_backend: ``pyav`` or ``pydub``.
      weights: safetensors file of the detector, or its address; ``None`` for the shipped one.
      model: ONNX file in its place, or its address.
      device: ``auto``, ``cpu``, ``cuda`` ...
      evidence: which windows the networks read: ``flagged``, ``all`` or ``none``.
      accelerator: GPU of the workers of a remote job, as Beam's resource hint names it.
      worker_ram: memory of those workers, e.g. ``8GB``.
      workers: processes of a local run; 0 for one per core.
      allow_root: folders, buckets or prefixes in which tracks may lie; everywhere if none.
      sample: share of the rows that is audited, drawn at random.
      seed: of the draw.
      fail_on_errors: largest share of rows that may be errors; ``None`` for any.
      lease_minutes: after which a run on another engine that committed nothing more is taken for
        dead, and the next one may write to ``output``.
      repair: audit the tracks of shards again whose files were lost or cut short.
      overwrite: replace an earlier audit in ``output``, rather than go on from it.
      quiet: no progress.
      beam_options: flags for Beam.
    """

    catalogue: str = argument(
        help="Manifest (JSONL, CSV, Parquet), folder or glob; local, gs://, s3://."
    )
    output: str = option("--output", "-o", help="Folder for the results.")
    segments: int | None = options.segments()
    codecs: tuple[CodecSpec, ...] = options.codecs()
    codec_backend: str = options.codec_backend()
    weights: Path | str | None = options.weights()
    model: Path | str | None = options.model()
    device: str = options.device()
    evidence: str = options.evidence()
    accelerator: str = option(
        default="", help="GPU of remote workers: type:nvidia-l4;count:1;install-nvidia-driver."
    )
    worker_ram: str = option(default="", help="Memory of remote workers, e.g. 8GB.")
    workers: int = option(default=0, min=0, help="Processes of a local run; 0 for one per core.")
    allow_root: list[str] = option(
        default=(),
        help="Folder, bucket or prefix in which tracks may lie, for manifests of others. Repeat.",
    )
    sample: float = option(
        default=1.0, help="Audit a random share of the rows, e.g. 0.01; artifactnet estimate then."
    )
    seed: int = option(default=0, help="Of the draw; the same seed draws the same rows.")
    fail_on_errors: float | None = option(
        default=None, min=0, max=1, help="Exit with 1 if a larger share of the rows are errors."
    )
    lease_minutes: float = option(
        default=60.0,
        min=1,
        help="Without a new shard, after which a run on another engine counts as dead.",
    )
    repair: bool = option(
        default=False, help="Audit tracks again whose tables in OUTPUT were lost or cut short."
    )
    overwrite: bool = option(
        default=False, help="Audit everything again and replace what OUTPUT holds."
    )
    quiet: bool = False
    beam_options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check what can be checked before anything is loaded.

        Raises:
          DetectorChoiceError: two detectors are named, or an ONNX file by another name.
          ValueError: the sample is no share.
        """
        options.detector_address(self.weights, self.model)
        RowSample(self.sample, self.seed)


@dataclass(frozen=True)
class ScoreRequest:
    """Which files to score and how; fields as in ``AuditRequest``."""

    files: list[str] = argument(help="Audio files.")
    segments: int | None = options.segments()
    codecs: tuple[CodecSpec, ...] = options.codecs()
    codec_backend: str = options.codec_backend()
    weights: Path | str | None = options.weights()
    model: Path | str | None = options.model()
    device: str = options.device()

    def __post_init__(self) -> None:
        """Check that one detector is named, before anything is loaded.

        Raises:
          DetectorChoiceError: two are, or an ONNX file by another name.
        """
        options.detector_address(self.weights, self.model)


SECRETS = re.compile("key|secret|token|password|credential|connection_string", re.IGNORECASE)
"""In the name of a flag, or in its value: JSON with an environment, a connection string."""


def without_secrets(flags: tuple[str, ...]) -> list[str]:
    """Beam flags as they may be written down."""
    kept, hide = [], False
    for flag in flags:
        name, separator, _ = flag.partition("=")
        secret = bool(SECRETS.search(flag)) if separator else bool(SECRETS.search(name))
        kept.append("***" if hide else f"{name}=***" if secret and separator else flag)
        hide = secret and not separator and flag.startswith("--")
    return kept


def configuration(request: AuditRequest, manifests: tuple[str, ...]) -> dict[str, Any]:
    """``request`` as it goes into the run record: no secrets."""
    return {
        **asdict(request),
        "codecs": [str(spec) for spec in request.codecs],
        "beam_options": without_secrets(request.beam_options),
        "manifests": manifests,
    }
