"""Write results as Parquet.

Enters: :class:`~transforms.records.AuditedTrack` and :class:`~transforms.records.ErrorRow`.
Leaves: ``tracks/``, ``segments/`` and ``errors/`` under the output, zstd-compressed. Beam
writes every file under a temporary name and renames it when the stage is complete, so a
reader never sees half a file. File names carry the run's id.
"""

from dataclasses import dataclass

import apache_beam as beam
import pyarrow as pa
from apache_beam.io.filesystems import FileSystems
from apache_beam.io.parquetio import WriteToParquet
from apache_beam.typehints.decorators import no_annotations

from transforms.manifest_layout import ManifestLayout
from transforms.output_schema import (
    ERROR_SCHEMA,
    SEGMENT_SCHEMA,
    carried_names,
    error_record,
    segment_records,
    track_record,
    track_schema,
)
from transforms.records import AuditedTrack, ErrorRow

TABLES = ("tracks", "segments", "errors")


@dataclass(frozen=True)
class OutputOptions:
    """Where results go and what is the same in all of them.

    Attributes:
      folder: any filesystem that Beam knows.
      run_id: part of every file name.
      layout: columns carried from the manifest.
      model_id: of the weights.
      threshold_real: the verdict's lower threshold.
      threshold_ai: its upper threshold.
    """

    folder: str
    run_id: str
    layout: ManifestLayout
    model_id: str
    threshold_real: float
    threshold_ai: float


class WriteAudit(beam.PTransform):
    """Writes the three tables.

    Takes ``{"audited": PCollection[AuditedTrack], "errors": PCollection[ErrorRow]}``.
    """

    def __init__(self, options: OutputOptions) -> None:
        super().__init__()
        self._options = options

    def _write(self, table: str, schema: pa.Schema) -> WriteToParquet:
        options = self._options
        return WriteToParquet(
            FileSystems.join(options.folder, table, f"{table}-{options.run_id}"),
            schema,
            codec="zstd",
            file_name_suffix=".parquet",
        )

    @no_annotations  # of transforms with two inputs, Beam knows no type
    def expand(self, results: dict[str, beam.PCollection]) -> None:
        """Turn results into rows and write them."""
        options = self._options
        audited: beam.PCollection[AuditedTrack] = results["audited"]
        errors: beam.PCollection[ErrorRow] = results["errors"]
        _ = (
            audited
            | "TrackRows"
            >> beam.Map(
                track_record,
                names=carried_names(options.layout),
                model_id=options.model_id,
                threshold_real=options.threshold_real,
                threshold_ai=options.threshold_ai,
            )
            | "Tracks" >> self._write("tracks", track_schema(options.layout))
        )
        _ = (
            audited
            | "SegmentRows" >> beam.FlatMap(segment_records)
            | "Segments" >> self._write("segments", SEGMENT_SCHEMA)
        )
        _ = (
            errors
            | "ErrorRows" >> beam.Map(error_record)
            | "Errors" >> self._write("errors", ERROR_SCHEMA)
        )
