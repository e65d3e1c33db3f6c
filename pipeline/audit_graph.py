"""The audit as a Beam pipeline, every stage in the order in which a track meets it.

Enters: :class:`AuditOptions`. Leaves: a pipeline whose results lie in three Parquet tables.
Rows are shuffled twice, before any audio is read; from decode to verdict the stages form
one fused stage, so that audio and spectrograms never leave the process.
"""

from dataclasses import dataclass, field

import apache_beam as beam
from apache_beam.typehints.decorators import no_annotations

from transforms.classify import Classify, ClassifyOnnx
from transforms.codec import CodecDoFn, CodecOptions
from transforms.decode import DecodeDoFn, DecodeOptions
from transforms.detector_stages import DetectorOptions
from transforms.drop_audited import DropAuditedDoFn
from transforms.features import FeaturesDoFn
from transforms.hpss import HpssDoFn
from transforms.onnx_detector import is_onnx
from transforms.read_manifest import ReadManifest
from transforms.residual import ExtractResidual
from transforms.row_ticks import RowTicksDoFn
from transforms.spread_rows import SpreadRows
from transforms.stft import StftDoFn
from transforms.verdict import ERRORS, VerdictDoFn
from transforms.write_parquet import OutputOptions, WriteAudit


@dataclass(frozen=True)
class AuditOptions:
    """Everything that decides an audit.

    Attributes:
      manifests: addresses of the manifests.
      output: where results go.
      detector: which model, on which device.
      decode: windows and limits.
      codecs: re-encodings.
      ticks: local file that grows by a byte per finished row, for a progress bar; or empty.
    """

    manifests: tuple[str, ...]
    output: OutputOptions
    detector: DetectorOptions = field(default_factory=DetectorOptions)
    decode: DecodeOptions = field(default_factory=DecodeOptions)
    codecs: CodecOptions = field(default_factory=CodecOptions)
    ticks: str = ""


class ScoreTracks(beam.PTransform):
    """Decode to verdict: the part of the audit that must stay one fused stage.

    Takes manifest rows; gives the main output ``audited`` and the output ``errors``.
    """

    def __init__(self, options: AuditOptions) -> None:
        super().__init__()
        self._options = options

    @no_annotations  # of transforms with two outputs, Beam knows no type
    def expand(self, rows: beam.PCollection) -> beam.pvalue.DoOutputsTuple:
        """Chain the stages."""
        detector = self._options.detector
        segments = (
            rows
            | "Decode" >> beam.ParDo(DecodeDoFn(self._options.decode, detector))
            | "Codec" >> beam.ParDo(CodecDoFn(self._options.codecs, detector))
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
        verdict = beam.ParDo(VerdictDoFn(detector)).with_outputs(ERRORS, main="audited")
        return scored | "Verdict" >> verdict


def build_audit(pipeline: beam.Pipeline, options: AuditOptions) -> None:
    """Add the whole audit to ``pipeline``."""
    manifest = pipeline | "ReadManifest" >> ReadManifest(options.manifests, options.output.layout)
    scored = (
        manifest.rows
        | "DropAudited" >> beam.ParDo(DropAuditedDoFn())
        | "SpreadRows" >> SpreadRows()
        | "ScoreTracks" >> ScoreTracks(options)
    )
    errors = (manifest.errors, scored[ERRORS]) | "AllErrors" >> beam.Flatten()
    if options.ticks:
        _ = scored.audited | "TrackTicks" >> beam.ParDo(RowTicksDoFn(options.ticks))
        _ = errors | "ErrorTicks" >> beam.ParDo(RowTicksDoFn(options.ticks))
    _ = {"audited": scored.audited, "errors": errors} | "Write" >> WriteAudit(options.output)
