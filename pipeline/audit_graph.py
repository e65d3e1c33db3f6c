"""The audit as a Beam pipeline, every stage in the order in which a track meets it.

Enters: :class:`AuditOptions`. Leaves: a pipeline whose results lie in three Parquet tables.
Rows are shuffled twice, before any audio is read; from decode to commit the stages form
one fused stage, so that audio and spectrograms never leave the process.
"""

from dataclasses import dataclass, field

import apache_beam as beam

from transforms.classify import Classify, ClassifyOnnx
from transforms.codec import CodecDoFn, CodecOptions
from transforms.commit_shards import CommitShardsDoFn, OutputOptions, ShardCommit
from transforms.count_rows import CountRows
from transforms.decode import DecodeDoFn, DecodeOptions
from transforms.detector_stages import DetectorOptions
from transforms.earlier_results import ReadEarlier
from transforms.features import FeaturesDoFn
from transforms.hpss import HpssDoFn
from transforms.onnx_detector import is_onnx
from transforms.read_manifest import ReadManifest
from transforms.residual import ExtractResidual
from transforms.row_ticks import RowTicksDoFn
from transforms.settle_rows import SettleRows
from transforms.shard_rows import ShardRows
from transforms.stft import StftDoFn
from transforms.verdict import VerdictDoFn


@dataclass(frozen=True)
class AuditOptions:
    """Everything that decides an audit.

    Attributes:
      manifests: addresses of the manifests.
      output: where results go.
      counts: address of the file that counts them.
      earlier: tables of earlier audits in the output, whose rows need not be audited again.
      shards: how many to cut the rows into.
      detector: which model, on which device.
      decode: windows and limits.
      codecs: re-encodings.
      accelerator: of the workers that audit, as Beam's resource hint names it; or empty.
      worker_ram: memory of those workers, e.g. ``8GB``; or empty.
      ticks: local file that grows by a byte per finished row, for a progress bar; or empty.
    """

    manifests: tuple[str, ...]
    output: OutputOptions
    counts: str
    earlier: tuple[str, ...] = ()
    shards: int = 1
    detector: DetectorOptions = field(default_factory=DetectorOptions)
    decode: DecodeOptions = field(default_factory=DecodeOptions)
    codecs: CodecOptions = field(default_factory=CodecOptions)
    accelerator: str = ""
    worker_ram: str = ""
    ticks: str = ""

    @property
    def hints(self) -> dict[str, str]:
        """Resource hints of the stages that decode and score; what reads manifests needs none."""
        hints = {"accelerator": self.accelerator, "min_ram": self.worker_ram}
        return {name: value for name, value in hints.items() if value}


class AuditRows(beam.PTransform):
    """Decode to commit: the part of the audit that must stay one fused stage."""

    def __init__(self, options: AuditOptions) -> None:
        super().__init__()
        self._options = options

    def expand(self, rows: beam.PCollection) -> beam.PCollection[ShardCommit]:
        """Chain the stages."""
        options, detector = self._options, self._options.detector
        segments = (
            rows
            | "Decode" >> beam.ParDo(DecodeDoFn(options.decode, detector))
            | "Codec" >> beam.ParDo(CodecDoFn(options.codecs, detector))
        )
        if is_onnx(detector.weights):
            scored = segments | "Classify" >> ClassifyOnnx(detector)
        else:
            scored = (
                segments
                | "Stft" >> beam.ParDo(StftDoFn(detector))
                | "Residual" >> ExtractResidual(detector)
                | "Hpss" >> beam.ParDo(HpssDoFn(detector))
                | "Features" >> beam.ParDo(FeaturesDoFn(detector))
                | "Classify" >> Classify(detector)
            )
        results = scored | "Verdict" >> beam.ParDo(VerdictDoFn(detector))
        if options.ticks:
            _ = results | "Ticks" >> beam.ParDo(RowTicksDoFn(options.ticks))
        return results | "Commit" >> beam.ParDo(CommitShardsDoFn(options.output))


def build_audit(pipeline: beam.Pipeline, options: AuditOptions) -> None:
    """Add the whole audit to ``pipeline``."""
    run = options.output.run
    read = pipeline | "ReadManifest" >> ReadManifest(options.manifests, options.output.layout)
    earlier = pipeline | "ReadEarlier" >> ReadEarlier(options.earlier, run)
    settled = {"rows": read, "earlier": earlier} | "SettleRows" >> SettleRows(
        options.decode.access, run.run_id
    )
    sharded = settled.rows | "ShardRows" >> ShardRows(options.shards)
    audit = AuditRows(options).with_resource_hints(**options.hints)
    commits = sharded | "AuditRows" >> audit
    _ = {
        "rows_in": read,
        "skipped": settled.skipped,
        "commits": commits,
    } | "CountRows" >> CountRows(options.counts)
