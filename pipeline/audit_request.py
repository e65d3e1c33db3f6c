"""What an audit is asked to do.

Enters: fields, from the command line or another program. Leaves: :class:`AuditRequest`, what
of it may be written down, and the identity of what decides a score.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from transforms.codec_roundtrip import CodecSpec
from transforms.decode import DecodeOptions


@dataclass(frozen=True)
class AuditRequest:
    """What an audit is asked to do.

    Attributes:
      catalogue: manifest, folder or glob.
      output: folder for the results.
      segments: windows a track, ``None`` for all.
      codecs: the unprocessed audio, then re-encodings.
      codec_backend: ``pyav`` or ``pydub``.
      weights: safetensors or ONNX file of the detector; ``None`` for the shipped one.
      weights_source: address in an object store that ``weights`` stands for; such an address may
        be given instead of ``weights``.
      device: ``auto``, ``cpu``, ``cuda`` ...
      accelerator: GPU of the workers of a remote job, e.g. ``type:nvidia-l4;count:1;
        install-nvidia-driver``.
      worker_ram: memory of those workers, e.g. ``8GB``.
      workers: processes of a local run; 0 for one per core.
      overwrite: replace an earlier audit in ``output``, rather than go on from it.
      quiet: no progress.
      beam_options: flags for Beam.
    """

    catalogue: str
    output: str
    segments: int | None = 7
    codecs: tuple[CodecSpec, ...] = (CodecSpec("wav"),)
    codec_backend: str = "pyav"
    weights: Path | None = None
    weights_source: str = ""
    device: str = "auto"
    accelerator: str = ""
    worker_ram: str = ""
    workers: int = 0
    overwrite: bool = False
    quiet: bool = False
    beam_options: tuple[str, ...] = ()


def _without_secrets(flags: tuple[str, ...]) -> list[str]:
    """Beam flags as they may be written down."""
    kept, hide = [], False
    for flag in flags:
        name, separator, _ = flag.partition("=")
        secret = any(word in name for word in ("key", "secret", "token", "password"))
        kept.append("***" if hide else f"{name}=***" if secret and separator else flag)
        hide = secret and not separator and flag.startswith("--")
    return kept


def configuration(request: AuditRequest, manifests: tuple[str, ...]) -> dict[str, Any]:
    """``request`` as it goes into the run record: no secrets."""
    return {
        **asdict(request),
        "codecs": [str(spec) for spec in request.codecs],
        "beam_options": _without_secrets(request.beam_options),
        "manifests": manifests,
    }


def config_id(request: AuditRequest, decode: DecodeOptions) -> str:
    """Identity of all that decides a score beside the model and the audio."""
    deciding = {
        "segments": request.segments,
        "codecs": [str(spec) for spec in request.codecs],
        "codec_backend": request.codec_backend,
        "limits": asdict(decode.limits),
        "version": version("artifactnet"),
    }
    return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()[:12]
