"""The end of a run: rows counted against each other, the record written, ``_SUCCESS`` set.

Enters: what a run was asked to do, and what its pipeline counted. Leaves: ``run.json``, and the
proof that no row was lost. The pipeline's last step does it, on whatever engine, so a job whose
launcher is gone ends like any other; ``artifactnet finish`` does it for a run that came to its
counts and no further.
"""

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from typing import Any

from apache_beam.io.filesystems import FileSystems

from artifactnet.pipeline.output.folder import (
    OutputError,
    check_output,
    complete_tables,
)
from artifactnet.pipeline.output.layout import COUNTS, RECORDED, start_address
from artifactnet.pipeline.output.lease import held_lease, release_lease
from artifactnet.pipeline.output.run_record import (
    RunCounts,
    RunRecord,
    count_rows,
    versions,
    write_run_record,
)
from artifactnet.transforms.manifests.columns import ManifestLayout
from artifactnet.transforms.storage.files import read_json, remove_file, write_json

SUCCESS = "_SUCCESS"
"""In an output while the run that was started last is complete; holds its id and counts."""


class RowsLostError(RuntimeError):
    """What was read is not what was written and skipped."""


class TooManyErrorsError(RuntimeError):
    """More rows are errors than whoever started the run allows."""


@dataclass(frozen=True)
class RunStart:
    """What is known of a run when it starts; content of ``runs/RUN.start.json``.

    Attributes:
      run_id: of the run.
      model_id: of the weights.
      config_id: of everything else that decides a score.
      started: UTC.
      continued: runs that were killed before it, and how many shards each had committed.
      configuration: as asked for, secrets left out.
      left_out: files of the catalogue that are no audio by their name, by suffix.
      workers: processes of a local run; 0 for a job on another engine.
      replaced: files of the audit that it replaces; they go once the new one is complete.
    """

    run_id: str
    model_id: str = ""
    config_id: str = ""
    started: str = ""
    continued: dict[str, int] = field(default_factory=dict)
    configuration: dict[str, Any] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    workers: int = 0
    replaced: tuple[str, ...] = ()


def now() -> str:
    """This second, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def rates_of(counts: RunCounts, seconds: float, audio_seconds: float | None) -> dict[str, float]:
    """Tracks, and seconds of audio where they are known, per second of wall time."""
    found = {"tracks_per_second": round(counts.tracks / max(seconds, 0.01), 3)}
    if audio_seconds is not None:
        found["audio_seconds_per_second"] = round(audio_seconds / max(seconds, 0.01), 3)
    return found


@dataclass(frozen=True)
class FinishRun:
    """Ends a run; the last step of its pipeline.

    Attributes:
      output: where it wrote.
      start: what is known of it.
      layout: columns carried from the manifest.
      most_errors: share of the catalogue's rows that may be errors; beyond it there is no
        ``_SUCCESS``.
      fails: whether the job itself fails then: nobody waits for it who could say so.
    """

    output: str
    start: RunStart
    layout: ManifestLayout = field(default_factory=ManifestLayout)
    most_errors: float | None = None
    fails: bool = False

    def __call__(self) -> RunRecord:
        """Count what lies in the output, write the record, set ``_SUCCESS``, free the output.

        Raises:
          RowsLostError: a row is missing; there is no record then.
          TooManyErrorsError: see ``fails``; there is a record then, and no ``_SUCCESS``.
        """
        start = self.start
        counts = count_rows(self.output, start.run_id)
        if not counts.add_up:
            raise RowsLostError(
                f"{self.output}: the counts don't add up: {counts.rows_in} rows came in, and "
                f"{counts.tracks} tracks, {counts.errors} errors and {counts.skipped} skipped are "
                f"there. artifactnet verify {self.output} names lost tables, and the same audit "
                "with --repair does their tracks again"
            )
        with suppress(FileNotFoundError):
            FileSystems.delete([one for one in start.replaced if FileSystems.exists(one)])
        complete_tables(self.output, start.run_id, self.layout)
        seconds = 0.0
        if start.started:
            seconds = time.time() - datetime.fromisoformat(start.started).timestamp()
        known = asdict(start)
        del known["replaced"]
        record = RunRecord(
            **known,
            seconds=round(seconds, 2),
            counts=counts,
            versions=versions(),
            metrics={"counters": {}, "distributions": {}},
            rates=rates_of(counts, seconds, None),
        )
        write_run_record(record, self.output)
        remove_file(start_address(self.output, start.run_id))
        release_lease(self.output, start.run_id)
        if self.most_errors is not None:
            share = counts.error_share
            if share > self.most_errors:
                if self.fails:
                    raise TooManyErrorsError(
                        f"{share:.1%} of the rows are errors; see {self.output}/errors/"
                    )
                return record
        write_json(FileSystems.join(self.output, SUCCESS), _success(record))
        return record


def _success(record: RunRecord) -> dict[str, Any]:
    return {"run_id": record.run_id, "finished": now(), "counts": asdict(record.counts)}


def announce(output: str, start: RunStart) -> None:
    """Write down that a run starts, and that the output is no longer complete."""
    write_json(start_address(output, start.run_id), asdict(start))
    remove_file(FileSystems.join(output, SUCCESS))


def finish_runs(output: str) -> Iterator[RunRecord]:
    """End every run of an output that came to its counts and has no record.

    Raises:
      OutputError: no audit is there, or one is being written.
      RowsLostError: a run lost rows.
    """
    files = check_output(output)
    if not files.run_ids():
        raise OutputError(f"{output}: no audit is there")
    if held := held_lease(output):
        raise OutputError(
            f"{output}: run {held.run_id} of {held.holder} may still be at work; "
            "--release if you know that it is not"
        )
    for run_id in sorted(files.noted_runs(COUNTS) - files.noted_runs(RECORDED)):
        yield FinishRun(output, _start_of(output, run_id))()


def _start_of(output: str, run_id: str) -> RunStart:
    """What a run's note says; of one without, or of another version, what is known by its name."""
    address = start_address(output, run_id)
    if not FileSystems.exists(address):
        return RunStart(run_id)
    found = read_json(address)
    names = {one.name for one in fields(RunStart)}
    if not isinstance(found, dict) or found.get("run_id") != run_id:
        raise OutputError(f"{address} is not a run's note; remove it, and finish goes on without")
    return RunStart(**{name: value for name, value in found.items() if name in names})
