"""Everything that decides an audit, once a request has been looked at."""

from dataclasses import dataclass, field

from artifactnet.transforms.decode import DecodeOptions
from artifactnet.transforms.detector.detector import DetectorOptions
from artifactnet.transforms.manifests.roots import AllowedRoots
from artifactnet.transforms.manifests.sample import RowSample
from artifactnet.transforms.reencode import ReencodeOptions
from artifactnet.transforms.write_shards import OutputOptions


@dataclass(frozen=True)
class AuditOptions:
    """Everything that decides an audit.

    Attributes:
      manifests: addresses of the manifests.
      output: where results go.
      counts: address of the file that counts them.
      checksums: address of the file that lists the checksums of what was written.
      roots: where tracks may lie.
      sample: which of the rows are audited.
      earlier: tables of earlier audits in the output, whose rows need not be audited again.
      shards: how many to cut the rows into.
      detector: which model, on which device.
      decode: windows and limits.
      codecs: re-encodings.
      accelerator: of the workers that audit, as Beam's resource hint names it; or empty.
      worker_ram: memory of those workers, e.g. ``8GB``; or empty.
      fused: whether decode to write is one DoFn, for an engine that fuses no stages.
      partitions: to begin with, on an engine where shuffles leave as many as they find.
    """

    manifests: tuple[str, ...]
    output: OutputOptions
    counts: str
    checksums: str
    roots: AllowedRoots = field(default_factory=AllowedRoots)
    sample: RowSample = field(default_factory=RowSample)
    earlier: tuple[str, ...] = ()
    shards: int = 1
    detector: DetectorOptions = field(default_factory=DetectorOptions)
    decode: DecodeOptions = field(default_factory=DecodeOptions)
    codecs: ReencodeOptions = field(default_factory=ReencodeOptions)
    accelerator: str = ""
    worker_ram: str = ""
    fused: bool = False
    partitions: int = 1

    @property
    def hints(self) -> dict[str, str]:
        """Resource hints of the stages that decode and score; what reads manifests needs none."""
        hints = {"accelerator": self.accelerator, "min_ram": self.worker_ram}
        return {name: value for name, value in hints.items() if value}
