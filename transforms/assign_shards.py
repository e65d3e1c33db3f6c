"""Assign rows to shards: the last shuffle before the audio is touched.

Enters: ``ManifestRow`` items. Leaves: the same rows, shard by shard, each with its shard's name and
size. A shard is what is written at once: a job that is killed loses only the shards that were in
work. Rows whose audio lies in the same part of a Parquet row group are one shard and in order, so
that the part is read once; all others are dealt out by their line, so that shards, and with them
the loads of a few workers, are of one size. A row holds the address of its audio, never the audio.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace

import apache_beam as beam

from artifactnet.transforms.elements.records import ManifestRow, Shard

ROWS_PER_SHARD = 64
"""At most, in the mean: some seconds of work for a GPU, a minute for a core."""


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).digest()


def shard_key(row: ManifestRow, shards: int) -> str:
    """Rows of equal key are one shard; lines are dealt out, so that shards are of one size."""
    if row.embedded is None or row.failure:
        first = int.from_bytes(_digest(row.manifest)[:8])
        return f"dealt {(first + row.line) % shards}"
    part = row.embedded.row // ROWS_PER_SHARD
    return f"{row.embedded.manifest}#{row.embedded.row_group}#{part}"


def in_shard(group: tuple[str, Iterable[ManifestRow]]) -> Iterator[ManifestRow]:
    """The rows of a shard as they stand in the manifest."""
    rows = sorted(group[1], key=lambda row: (row.manifest, row.line))
    shard = Shard(_digest(group[0]).hex()[:12], len(rows))
    for row in rows:
        yield replace(row, shard=shard)


class AssignShards(beam.PTransform):
    """Redistributes rows and breaks fusion with what reads the manifest.

    Args:
      shards: how many for rows that are not embedded.
    """

    def __init__(self, shards: int) -> None:
        super().__init__()
        self._shards = shards

    def expand(self, rows: beam.PCollection[ManifestRow]) -> beam.PCollection[ManifestRow]:
        """Group by shard, then take the groups apart."""
        return (
            rows
            | "KeyByShard"
            >> beam.WithKeys(shard_key, shards=self._shards).with_output_types(
                tuple[str, ManifestRow]
            )
            | "Shuffle" >> beam.GroupByKey()
            | "Rows" >> beam.FlatMap(in_shard)
        )
