"""Who may write to an output: one run at a time, for as long as it gives signs of life.

Enters: an output and a run. Leaves: the run's lease on it, ``runs/lease.json``, or an error that
names who holds it. The lock of ``sole_writer`` keeps processes of one machine apart and goes with
the process that took it; a job on another engine outlives its launcher, and a bucket has no locks.
So every run takes a lease: a file that a store lets only one of two writers create. Every shard
that the run commits is a sign of life, and of a run on this machine its process is, which takes
the lease anew every minute. A run without one for as long as its lease says is taken for dead, and
the next one may follow; one whose process is known to be gone at once. The last step of the job
gives the lease back.
"""

import json
import os
import platform
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from apache_beam.io.filesystems import FileSystems

from artifactnet.pipeline.output.folder import OutputError
from artifactnet.pipeline.output.layout import (
    RUNS,
    last_written,
    record_address,
    table_files,
)
from artifactnet.transforms.storage.files import read_marked, remove_file, swap_bytes
from artifactnet.transforms.write_shards import is_alive

LEASE = "lease.json"
RENEWED_SECONDS, RENEWED_MINUTES = 60.0, 5.0
"""How often a process on this machine renews its lease, and how long that lasts."""


@dataclass(frozen=True)
class Lease:
    """What ``runs/lease.json`` says.

    Attributes:
      run_id: who holds it.
      holder: machine and process that launched it.
      taken: when, seconds since 1970.
      minutes: without a sign of life, after which it ends.
      process: whether the holder's process does the work, so that both end together.
    """

    run_id: str
    holder: str
    taken: float
    minutes: float
    process: bool = False


def lease_address(output: str) -> str:
    """Where the lease of an output lies."""
    return FileSystems.join(output, RUNS, LEASE)


def _parsed(content: bytes) -> Lease | None:
    try:
        found = json.loads(content)
        return Lease(
            str(found["run_id"]),
            str(found["holder"]),
            float(found["taken"]),
            float(found["minutes"]),
            bool(found.get("process", False)),
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return None  # half written, or nobody's


def expiry(output: str, lease: Lease) -> float:
    """When a lease ends unless its run commits another shard, seconds since 1970."""
    commits = last_written(tuple(table_files(output, "tracks", lease.run_id)))
    return max(lease.taken, *commits.values(), 0.0) + 60 * lease.minutes


def _is_gone(lease: Lease) -> bool:
    """Whether the process that does the work is known to be gone: asked on its own machine."""
    machine, _, process = lease.holder.rpartition(":")
    if not lease.process or machine != platform.node() or not process.isdigit():
        return False
    return os.name == "posix" and not is_alive(int(process))


def _ended(output: str, lease: Lease) -> bool:
    recorded = FileSystems.exists(record_address(output, lease.run_id))
    return recorded or _is_gone(lease) or expiry(output, lease) <= time.time()


def held_lease(output: str) -> Lease | None:
    """The lease on an output, unless it has expired or its run is complete."""
    found = read_marked(lease_address(output))
    lease = _parsed(found[0]) if found else None
    return lease if lease and not _ended(output, lease) else None


def take_lease(output: str, run_id: str, minutes: float, process: bool = False) -> None:
    """Take the lease on an output for a run.

    Raises:
      OutputError: another run holds it; the message says who, and until when.
    """
    found = read_marked(lease_address(output))
    held = _parsed(found[0]) if found else None
    if held and held.run_id != run_id and not _ended(output, held):
        raise _refused(output, held)
    holder = f"{platform.node()}:{os.getpid()}"
    lease = Lease(run_id, holder, round(time.time(), 3), minutes, process)
    content = (json.dumps(asdict(lease)) + "\n").encode()
    if not swap_bytes(lease_address(output), content, found[1] if found else ""):
        found = read_marked(lease_address(output))
        raise _refused(output, (found and _parsed(found[0])) or lease)


def _refused(output: str, held: Lease) -> OutputError:
    until = datetime.fromtimestamp(expiry(output, held), UTC)
    return OutputError(
        f"{output}: run {held.run_id} of {held.holder} is writing there; wait for it, or until "
        f"{until:%Y-%m-%d %H:%M} UTC if it commits nothing more, or `artifactnet finish {output} "
        "--release` if you know that it is dead"
    )


def refuse_held(output: str) -> None:
    """Stop where a run holds the output.

    Raises:
      OutputError: one does.
    """
    if held := held_lease(output):
        raise _refused(output, held)


def release_lease(output: str, run_id: str) -> None:
    """Give the lease back, if ``run_id`` holds it."""
    found = read_marked(lease_address(output))
    held = _parsed(found[0]) if found else None
    if held and held.run_id == run_id:
        remove_file(lease_address(output))


@contextmanager
def renewed_lease(output: str, run_id: str) -> Iterator[None]:
    """The lease on an output while this process lives; given back at the end.

    Raises:
      OutputError: another run holds it.
    """
    take_lease(output, run_id, RENEWED_MINUTES, process=True)
    done = threading.Event()

    def renew() -> None:
        while not done.wait(RENEWED_SECONDS):
            with suppress(Exception):  # a busy store; the next minute tries again
                take_lease(output, run_id, RENEWED_MINUTES, process=True)

    renewer = threading.Thread(target=renew, daemon=True)
    renewer.start()
    try:
        yield
    finally:
        done.set()
        renewer.join()
        release_lease(output, run_id)
