"""Spread rows over the workers: the one shuffle before the audio is touched.

Enters: :class:`~transforms.records.ManifestRow`. Leaves: the same rows, redistributed. Rows
whose audio lies in the same part of a Parquet row group stay together and in order, so
that the part is read once; all others go anywhere. A row holds the address of its audio,
never the audio.
"""

from collections.abc import Iterable, Iterator

import apache_beam as beam

from transforms.records import ManifestRow

NEIGHBOURS = 64
"""Rows of one row group that stay together."""


def locality_key(row: ManifestRow) -> str:
    """Rows of equal key are decoded by the same worker, one after the other."""
    if row.embedded is None:
        return row.track_id
    part = row.embedded.row // NEIGHBOURS
    return f"{row.embedded.manifest}#{row.embedded.row_group}#{part}"


def in_order(group: tuple[str, Iterable[ManifestRow]]) -> Iterator[ManifestRow]:
    """The rows of a group as they stand in the manifest."""
    yield from sorted(group[1], key=lambda row: row.line)


class SpreadRows(beam.PTransform):
    """Redistributes rows and breaks fusion with what reads the manifest."""

    def expand(self, rows: beam.PCollection[ManifestRow]) -> beam.PCollection[ManifestRow]:
        """Group by locality, then take the groups apart."""
        return (
            rows
            | "KeyByLocality"
            >> beam.WithKeys(locality_key).with_output_types(tuple[str, ManifestRow])
            | "Shuffle" >> beam.GroupByKey()
            | "Rows" >> beam.FlatMap(in_order)
        )
