"""The detector of a process.

Enters: ``DetectorOptions``, which name the weights and the device. Leaves: a ``Detector``, loaded
once a process, or an ``OnnxDetector`` where the weights are ONNX. Torch is imported when a detector
is loaded and not before: that takes longer than to find out that there is nothing to do.
"""

import hashlib
import tempfile
import threading
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from artifactnet.models.config import ArtifactNetConfig
from artifactnet.models.weights.weights_file import SHIPPED_WEIGHTS, WeightsError, model_id
from artifactnet.models.whole_file import whole_file
from artifactnet.transforms.detector.evidence import FLAGGED
from artifactnet.transforms.detector.onnx import OnnxDetector, is_onnx, onnx_id
from artifactnet.transforms.elements.errors import AuditError
from artifactnet.transforms.storage.fingerprint import object_facts
from artifactnet.transforms.storage.object_store import S3Access, split_address, with_retries

if TYPE_CHECKING:
    from artifactnet.transforms.detector.network_detector import Detector

MOST_BYTES = 1 << 30
"""Size of the largest file that is taken for a detector."""


@dataclass(frozen=True)
class DetectorOptions:
    """Which detector runs where.

    Attributes:
      weights: safetensors or ONNX file that exists on every worker; ``None`` for the shipped
        one, wherever the package is installed.
      source: address in an object store from which ``weights`` was fetched, and from which a
        worker on another machine fetches it; or empty.
      access: to S3.
      model_id: what the file must be; empty for whatever it is.
      device: ``auto``, ``cpu``, ``cuda`` ...
      threads: CPU threads of torch in one process, unless its environment has
        ``OMP_NUM_THREADS``; 0 leaves torch's own choice.
      evidence: which windows the networks read, see ``evidence.py``.
    """

    weights: Path | None = None
    source: str = ""
    access: S3Access = field(default_factory=S3Access)
    model_id: str = ""
    device: str = "auto"
    threads: int = 0
    evidence: str = FLAGGED


class AnyDetector(Protocol):
    """What the stages before and after scoring need to know of a detector."""

    model_id: str
    segments_per_batch: int

    @property
    def config(self) -> ArtifactNetConfig:
        """Sample rate, segment length and thresholds."""
        ...


def other_model(
    what: str, scored_by: str, detector: AnyDetector, options: str = "--weights or --model"
) -> str:
    """The sentence for ``what`` where another model scored it; ``options`` name a detector."""
    return (
        f"{what}: scored by model {scored_by}, and the detector is {detector.model_id}; "
        f"name that model's file with {options}"
    )


_loading = threading.Lock()


def detector_of(options: DetectorOptions) -> "Detector | OnnxDetector":
    """The detector of this process for ``options``.

    Raises:
      WeightsError: the weights can't be used, or are not those the job was started with.
      ValueError: the device can't be used.
    """
    with _loading:  # a harness may start several threads at once
        return _load(options, _identity(options.weights or SHIPPED_WEIGHTS))


def _identity(path: Path) -> tuple[int, ...]:
    """What changes where another file takes the place of ``path``; empty where there is none."""
    try:
        facts = path.stat()
    except OSError:
        return ()
    return facts.st_ino, facts.st_size, facts.st_mtime_ns


@lru_cache(maxsize=2)
def _load(options: DetectorOptions, identity: tuple[int, ...]) -> "Detector | OnnxDetector":
    del identity  # tells a file from the one that was there before
    from artifactnet.transforms.detector.network_detector import open_detector, use_threads

    use_threads(options.threads)
    path = options.weights or SHIPPED_WEIGHTS
    if options.source and not path.exists():
        path = local_model(options.source, options.access)
    detector = (
        OnnxDetector(path, options.device, options.threads)
        if is_onnx(path)
        else open_detector(path, options.device, options.evidence)
    )
    if options.model_id and detector.model_id != options.model_id:
        raise WeightsError(
            f"{path}: model {detector.model_id} here, {options.model_id} where the job was started"
        )
    return detector


def id_of(weights: Path | None) -> str:
    """Model id of a detector's file, which is not loaded; ``None`` is the shipped one.

    Raises:
      WeightsError: it can't be read.
    """
    path = weights or SHIPPED_WEIGHTS
    return onnx_id(path) if is_onnx(path) else model_id(path)


def local_model(address: str, access: S3Access) -> Path:
    """The detector's file at ``address``, on this machine.

    An object is fetched once a machine, under a name that follows from its identity, so that a
    changed one is fetched again.

    Raises:
      WeightsError: it can't be fetched, or is larger than any detector.
    """
    if "://" not in address:
        return Path(address).absolute()
    scheme, bucket, name = split_address(address)
    if scheme not in ("gs", "s3"):
        raise WeightsError(f"{address}: use a path, gs:// or s3://")
    try:
        store, facts = object_facts(address, access)
    except AuditError as error:
        raise WeightsError(str(error)) from error
    if not 0 < facts.size <= MOST_BYTES:
        raise WeightsError(f"{address}: {facts.size} bytes are no detector")
    key = hashlib.sha256(f"{address} {facts.identity}".encode()).hexdigest()[:24]
    target = Path(tempfile.gettempdir()) / "artifactnet-models" / f"{key}{Path(name).suffix}"
    if not target.exists():
        target.parent.mkdir(mode=0o700, exist_ok=True)
        content = with_retries(lambda: store.read(bucket, name, 0, facts.size))
        with whole_file(target) as partial:
            partial.write_bytes(content)
    return target
