"""The audit as a Beam pipeline, every stage in the order in which a track meets it.

Enters: ``AuditOptions``. Leaves: a pipeline whose results lie in three Parquet tables. Rows are
shuffled twice, before any audio is read; from decode to write the stages form one fused stage, so
that audio and spectrograms never leave the process.
"""

from collections.abc import Callable

import apache_beam as beam

from artifactnet.pipeline.audit.audit_options import AuditOptions
from artifactnet.transforms.assign_shards import AssignShards, bucket_count
from artifactnet.transforms.count_rows import CountRows
from artifactnet.transforms.decode import DecodeDoFn
from artifactnet.transforms.detector.chain import segment_chain
from artifactnet.transforms.detector.stages import RunSegmentStage, SegmentStageDoFn
from artifactnet.transforms.elements.fused import FusedDoFn
from artifactnet.transforms.read_manifest import ReadManifest
from artifactnet.transforms.reencode import ReencodeDoFn
from artifactnet.transforms.skip_unchanged import ReadEarlier, SkipUnchanged
from artifactnet.transforms.verdict import VerdictDoFn
from artifactnet.transforms.write_shards import ShardCommit, WriteShardsDoFn


class AuditRows(beam.PTransform):
    """Decode to write: the part of the audit that must stay one fused stage."""

    def __init__(self, options: AuditOptions) -> None:
        super().__init__()
        self._options = options

    def expand(self, rows: beam.PCollection) -> beam.PCollection[ShardCommit]:
        """Chain the stages."""
        options, detector = self._options, self._options.detector
        decode = DecodeDoFn(options.decode, detector)
        reencode = ReencodeDoFn(options.codecs, detector)
        chain = segment_chain(detector.weights)  # Statistics, Stft ... Classify
        verdict = VerdictDoFn(detector)
        write = WriteShardsDoFn(options.output)
        if options.fused:
            stages = [SegmentStageDoFn(stage, detector) for stage in chain]
            fused = FusedDoFn([decode, reencode, *stages, verdict, write])
            return rows | "DecodeToWrite" >> beam.ParDo(fused)
        segments = rows | "Decode" >> beam.ParDo(decode) | "Reencode" >> beam.ParDo(reencode)
        for stage in chain:
            segments = segments | stage.name.capitalize() >> RunSegmentStage(stage, detector)
        return segments | "Verdict" >> beam.ParDo(verdict) | "WriteShards" >> beam.ParDo(write)


def build_audit(
    pipeline: beam.Pipeline, options: AuditOptions, finish: Callable[[], object]
) -> None:
    """Add the whole audit to ``pipeline``.

    Args:
      pipeline: to add to.
      options: of the audit.
      finish: called when all is committed and counted; ends the run, or fails the job.
    """
    run = options.output.run
    buckets = bucket_count(options.shards)
    read = pipeline | "ReadManifest" >> ReadManifest(
        options.manifests,
        options.output.layout,
        options.roots,
        options.sample,
        buckets,
        parts=options.partitions,
    )
    earlier = pipeline | "ReadEarlier" >> ReadEarlier(options.earlier, run, buckets)
    split = {"rows": read, "earlier": earlier} | "SkipUnchanged" >> SkipUnchanged(
        options.decode.access, run.run_id, options.shards
    )
    sharded = split.rows | "AssignShards" >> AssignShards()
    audit = AuditRows(options).with_resource_hints(**options.hints)
    commits = sharded | "AuditRows" >> audit
    _ = {
        "rows": read | "RowsIn" >> beam.Map(lambda pair: ("rows_in", pair[1].size)),
        "skipped": split.skipped,
        "commits": commits,
    } | "CountRows" >> CountRows(options.counts, options.checksums, finish)
