"""Count what went in and what came out, as data and not as metrics; then end the run.

Enters: the collections to count. Leaves: one JSON file with a number for each name, one that
``sha256sum -c`` understands, and what the job's last step makes of them. Metrics count an element
again when a runner repeats a bundle; collections hold every element once, so these numbers are
exact on every engine. Whoever launched the job may be gone by then.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any

import apache_beam as beam
from apache_beam.typehints.decorators import no_annotations

from artifactnet.transforms.elements.stage import StageMetrics
from artifactnet.transforms.storage.files import write_bytes
from artifactnet.transforms.write_shards import ShardCommit

CHECKSUMS = "checksums"
COUNTED = ("rows_in", "skipped", "skipped_errors")
"""Names that are there even where nothing was counted."""


def commit_counts(commit: ShardCommit) -> Iterable[tuple[str, Any]]:
    """``(table, rows)`` and checksums of a commit, and the commit itself."""
    return [*commit._asdict().items(), ("shards", 1)]


def add_up(values: Iterable[Any]) -> Any:
    """Sum of numbers, or tuples joined."""
    found = list(values)
    if any(isinstance(one, tuple) for one in found):
        return tuple(pair for one in found if one for pair in one)
    return sum(found)


def checksum_lines(checksums: Iterable[tuple[str, str]]) -> bytes:
    """A file for ``sha256sum -c`` of digests and names."""
    lines = sorted(f"{digest}  {name}\n" for digest, name in set(checksums))
    return "".join(lines).encode()


def end_run(
    found: dict[str, Any], address: str, checksums: str, finish: Callable[[], object]
) -> None:
    """Write what was counted, then call ``finish``.

    The counts come after the checksums, since all is committed when they are there.

    Args:
      found: rows by name, and the checksums.
      address: where the counts go.
      checksums: where those go.
      finish: ends the run.

    Raises:
      Exception: whatever ``finish`` raises; the job has failed then.
    """
    counts = dict.fromkeys(COUNTED, 0) | found
    write_bytes(checksums, checksum_lines(counts.pop(CHECKSUMS, ())))
    write_bytes(address, (json.dumps(counts) + "\n").encode())
    finish()


class FinishDoFn(beam.DoFn):
    """Writes the counts to ``address`` and the checksums to ``checksums``, then calls ``finish``.

    ``finish`` may be called again where a runner repeats the bundle.
    """

    def __init__(self, address: str, checksums: str, finish: Callable[[], object]) -> None:
        self._address = address
        self._checksums = checksums
        self._finish = finish
        self._metrics = StageMetrics("count_rows")

    def process(self, found: dict[str, Any]) -> None:
        """End the run, see ``end_run``."""
        with self._metrics.timed():
            end_run(found, self._address, self._checksums, self._finish)


class CountRows(beam.PTransform):
    """Counts rows that came in, rows that were skipped, and rows that were committed; ends the run.

    Takes ``{"rows": PCollection[tuple[str, int]], "skipped": PCollection[tuple[str, int]],
    "commits": PCollection[ShardCommit]}``; numbers of one name are added up.
    """

    def __init__(self, address: str, checksums: str, finish: Callable[[], object]) -> None:
        super().__init__()
        self._address = address
        self._checksums = checksums
        self._finish = finish

    @no_annotations  # of transforms with several inputs, Beam knows no type
    def expand(self, inputs: dict[str, beam.PCollection]) -> None:
        """Add up, write, finish."""
        committed = inputs["commits"] | "CommitCounts" >> beam.FlatMap(commit_counts)
        # One collection at the end, read once from the commits: Beam's DaskRunner carries out no
        # second one, and would audit again for a second reader.
        _ = (
            (inputs["rows"], inputs["skipped"], committed)
            | beam.Flatten()
            | "Add" >> beam.CombinePerKey(add_up)
            | "AsDict" >> beam.combiners.ToDict()
            | "Finish" >> beam.ParDo(FinishDoFn(self._address, self._checksums, self._finish))
        )
