"""Write the results of a shard.

Enters: ``AuditedTrack`` and ``ErrorRow`` items. Leaves: a ``ShardCommit`` for every shard whose
three Parquet files lie in the output. The file of ``tracks/`` is written last, even if it has no
row: a shard is done when it is there. Names follow from run and shard, so a runner that repeats a
bundle writes the same files again, and nothing twice.
"""

import hashlib
import json
import logging
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import NamedTuple

import apache_beam as beam
import pyarrow as pa
from apache_beam.io.filesystems import FileSystems

from artifactnet.transforms.elements.output_schema import (
    ERROR_SCHEMA,
    SEGMENT_SCHEMA,
    RunFacts,
    carried_names,
    error_record,
    segment_records,
    track_record,
    track_schema,
)
from artifactnet.transforms.elements.records import AuditedTrack, ErrorRow, Shard
from artifactnet.transforms.elements.stage import StageMetrics
from artifactnet.transforms.manifests.columns import ManifestLayout
from artifactnet.transforms.storage.files import parquet_bytes, write_bytes

TABLES = ("segments", "errors", "tracks")
"""In the order in which they are committed."""

logger = logging.getLogger(__name__)


class ShardCommit(NamedTuple):
    """One shard that lies in the output.

    Attributes:
      tracks: rows of ``tracks/``.
      errors: rows of ``errors/``.
      segments: rows of ``segments/``.
      repeated: 1 when it lay there before, by an attempt of this run whose worker was lost
        before the runner knew of it; else 0.
      checksums: SHA-256 of each file and its name below the output.
    """

    tracks: int
    errors: int
    segments: int
    repeated: int
    checksums: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class OutputOptions:
    """Where results go and what is the same in all of them.

    Attributes:
      folder: any filesystem that Beam knows.
      layout: columns carried from the manifest.
      run: facts of the run.
      owner: process id, on this machine, of who runs the audit; 0 for another machine. What
        outlives its owner must not write.
    """

    folder: str
    layout: ManifestLayout
    run: RunFacts
    owner: int = 0


def table_file(folder: str, table: str, run_id: str, part: str) -> str:
    """Address of one file of a table."""
    return FileSystems.join(folder, table, f"{table}-{run_id}-{part}.parquet")


class WriteShardsDoFn(beam.DoFn):
    """Gathers the rows of each shard, which all reach the same instance, and writes them."""

    def __init__(self, options: OutputOptions) -> None:
        self._options = options
        self._metrics = StageMetrics("commit")
        self._waiting: dict[str, list[AuditedTrack | ErrorRow]] = {}

    def start_bundle(self) -> None:
        """Begin with nothing: a bundle that failed may have left rows behind."""
        self._waiting = {}

    def process(self, result: AuditedTrack | ErrorRow) -> Iterator[ShardCommit]:
        """Keep a result; with the last one of its shard, write and yield the commit."""
        shard = _shard(result)
        results = self._waiting.setdefault(shard.name, [])
        results.append(result)
        if len(results) == shard.rows:
            with self._metrics.timed():
                commit = self._commit(shard.name, self._waiting.pop(shard.name))
            yield commit

    def _commit(self, part: str, results: list[AuditedTrack | ErrorRow]) -> ShardCommit:
        options, run = self._options, self._options.run
        audited = [one for one in results if isinstance(one, AuditedTrack)]
        failed = [one for one in results if isinstance(one, ErrorRow)]
        names = carried_names(options.layout)
        rows = {
            "segments": [row for one in audited for row in segment_records(one, run)],
            "errors": [error_record(one, run) for one in failed],
            "tracks": [track_record(one, names, run) for one in audited],
        }
        schemas = {
            "segments": SEGMENT_SCHEMA,
            "errors": ERROR_SCHEMA,
            "tracks": track_schema(options.layout),
        }
        contents = {
            table: parquet_bytes(pa.Table.from_pylist(rows[table], schemas[table]))
            for table in TABLES
            if rows[table] or table == "tracks"
        }
        done = table_file(options.folder, "tracks", run.run_id, part)
        repeated = int(FileSystems.exists(done))
        for table, content in contents.items():
            if options.owner and not is_alive(options.owner):
                raise RuntimeError("whoever started this audit is gone; nothing more is written")
            write_bytes(table_file(options.folder, table, run.run_id, part), content)
        sizes = {table: len(found) for table, found in rows.items()}
        self._log(part, failed, sizes)
        checksums = tuple(
            (hashlib.sha256(content).hexdigest(), f"{table}/{table}-{run.run_id}-{part}.parquet")
            for table, content in contents.items()
        )
        return ShardCommit(**sizes, repeated=repeated, checksums=checksums)

    def _log(self, shard: str, failed: list[ErrorRow], sizes: dict[str, int]) -> None:
        """One JSON object a line, so that logs can be searched by run and by track."""
        run_id = self._options.run.run_id
        for one in failed:
            fields = {"track_id": one.row.track_id, "uri": one.row.uri, **asdict(one.failure)}
            logger.info(json.dumps({"event": "track_failed", "run_id": run_id, **fields}))
        logger.info(
            json.dumps({"event": "shard_committed", "run_id": run_id, "shard": shard, **sizes})
        )

    def finish_bundle(self) -> None:
        """Check that no shard is left half-way.

        Raises:
          RuntimeError: rows are missing, which a fused stage can't do.
        """
        if self._waiting:
            name, results = next(iter(self._waiting.items()))
            raise RuntimeError(
                f"shard {name}: {len(results)} of {_shard(results[0]).rows} rows came; the "
                "runner must keep the stages from shard to commit fused"
            )


def owner_of_workers() -> int:
    """This process, for ``OutputOptions.owner``; 0 where nobody can ask whether it lives.

    On Windows asking would send it a Ctrl-C.
    """
    return os.getpid() if os.name == "posix" else 0


def is_alive(process: int) -> bool:
    """Whether a process of this machine is there; not for Windows, see above."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _shard(result: AuditedTrack | ErrorRow) -> Shard:
    row = result.row if isinstance(result, ErrorRow) else result.track.row
    return row.shard
