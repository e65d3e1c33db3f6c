"""Assign rows to shards: the last shuffle before the audio is touched.

Enters: ``ManifestRow`` items in packs, by the key of their shard. Leaves: the rows, shard by shard,
each with its shard's name and size. A shard is what is written at once: a job that is killed loses
only the shards that were in work. Rows whose audio lies in the same part of a Parquet row group are
one shard and in order, so that the part is read once; all others are dealt out in their bucket, so
that shards, and with them the loads of a few workers, are of one size. A row holds the address of
its audio, never the audio.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace

import apache_beam as beam

from artifactnet.transforms.elements.packs import Pack, unpacked
from artifactnet.transforms.elements.records import ManifestRow, Shard
from artifactnet.transforms.elements.row_key import digest_of

ROWS_PER_SHARD = 64
"""At most, in the mean: some seconds of work for a GPU, a minute for a core."""


SHARDS_PER_BUCKET = 8
"""At least: so a bucket holds rows enough to fill them alike."""
MOST_BUCKETS = 1024
"""As many workers can look at files at once; the fewer, the fuller the packs."""


def bucket_count(shards: int) -> int:
    """Buckets for ``shards`` shards."""
    return min(MOST_BUCKETS, math.ceil(shards / SHARDS_PER_BUCKET))


def shard_key(row: ManifestRow, bucket: int, turn: int, shards: int) -> str:
    """Rows of equal key are one shard.

    Args:
      row: of a bucket, as the manifest has it.
      bucket: its number.
      turn: of the row in the bucket; the same whatever was found out about rows on the way, or a
        bundle that is repeated would move rows from shard to shard.
      shards: how many for the rows of a bucket that aren't embedded.
    """
    if row.embedded is None or row.failure:
        return f"dealt {bucket} {turn % shards}"
    part = row.embedded.row // ROWS_PER_SHARD
    return f"{row.embedded.manifest}#{row.embedded.row_group}#{part}"


def in_shard(group: tuple[str, Iterable[Pack]]) -> Iterator[ManifestRow]:
    """The rows of a shard as they stand in the manifest."""
    key, packs = group
    rows: list[ManifestRow] = sorted(unpacked(packs), key=lambda row: (row.manifest, row.line))
    shard = Shard(digest_of(key).hex()[:12], len(rows))
    for row in rows:
        yield replace(row, shard=shard)


class AssignShards(beam.PTransform):
    """Redistributes rows and breaks fusion with what reads the manifest."""

    def expand(self, rows: beam.PCollection[tuple[str, Pack]]) -> beam.PCollection[ManifestRow]:
        """Group by shard, then take the groups apart."""
        return (
            rows
            | "Shuffle" >> beam.GroupByKey()
            | "Rows" >> beam.FlatMap(in_shard).with_output_types(ManifestRow)
        )
