"""Count what went in and what came out, as data and not as metrics; and list the files' checksums.

Enters: the collections to count. Leaves: one JSON file with a number for each name, and one that
``sha256sum -c`` understands. Metrics count an element again when a runner repeats a bundle;
collections hold every element once, so these numbers are exact on every engine.
"""

import json
from collections.abc import Iterable

import apache_beam as beam
from apache_beam.typehints.decorators import no_annotations

from artifactnet.transforms.elements.stage import StageMetrics
from artifactnet.transforms.storage.files import write_bytes
from artifactnet.transforms.write_shards import ShardCommit


def commit_counts(commit: ShardCommit) -> Iterable[tuple[str, int]]:
    """``(table, rows)`` of a commit, and the commit itself."""
    counts = commit._asdict()
    del counts["checksums"]
    return [*counts.items(), ("shards", 1)]


def checksum_lines(checksums: Iterable[tuple[str, str]]) -> bytes:
    """A file for ``sha256sum -c`` of digests and names."""
    lines = sorted(f"{digest}  {name}\n" for digest, name in set(checksums))
    return "".join(lines).encode()


class WriteCountsDoFn(beam.DoFn):
    """Writes the counts to ``address``."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._metrics = StageMetrics("count_rows")

    def process(self, counts: dict[str, int]) -> None:
        """Write."""
        with self._metrics.timed():
            write_bytes(self._address, (json.dumps(counts) + "\n").encode())


class WriteChecksumsDoFn(beam.DoFn):
    """Writes the checksums of a run to ``address``."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._metrics = StageMetrics("checksums")

    def process(self, checksums: list[tuple[str, str]]) -> None:
        """Write."""
        with self._metrics.timed():
            write_bytes(self._address, checksum_lines(checksums))


class CountRows(beam.PTransform):
    """Counts rows that came in, rows that were skipped, and rows that were committed.

    Takes ``{"rows_in": rows, "skipped": rows, "commits": PCollection[ShardCommit]}``.
    """

    def __init__(self, address: str, checksums: str) -> None:
        super().__init__()
        self._address = address
        self._checksums = checksums

    @no_annotations  # of transforms with several inputs, Beam knows no type
    def expand(self, inputs: dict[str, beam.PCollection]) -> None:
        """Add up, then write."""
        pairs = [
            inputs[name]
            | f"Count_{name}" >> beam.combiners.Count.Globally()
            | f"Name_{name}" >> beam.Map(lambda count, name=name: (name, count))
            for name in ("rows_in", "skipped")
        ]
        pairs.append(inputs["commits"] | "CommitCounts" >> beam.FlatMap(commit_counts))
        _ = (
            pairs
            | beam.Flatten()
            | "Add" >> beam.CombinePerKey(sum)
            | "AsDict" >> beam.combiners.ToDict()
            | "WriteCounts" >> beam.ParDo(WriteCountsDoFn(self._address))
        )
        _ = (
            inputs["commits"]
            | "Checksums" >> beam.FlatMap(lambda commit: commit.checksums)
            | "AsList" >> beam.combiners.ToList()
            | "WriteChecksums" >> beam.ParDo(WriteChecksumsDoFn(self._checksums))
        )
