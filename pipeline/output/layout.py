"""Which files belong to which audit.

Enters: an output folder. Leaves: run ids, and the files that a run wrote. A file counts as an
audit's only by its whole name, run id included, so that nothing else is ever taken for one.
"""

import re
import time
import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from apache_beam.io.filesystems import FileSystems

from artifactnet.models.whole_file import PARTIAL
from artifactnet.transforms.elements.row_key import LISTING, RUN_ID
from artifactnet.transforms.storage.files import read_json
from artifactnet.transforms.write_shards import TABLES

PART = r"[0-9a-f]{12}|c\d{5}"
"""A shard, or a file into which ``compact`` merged some."""

TABLE_FILE = re.compile(
    rf"(?P<table>{'|'.join(TABLES)})-(?P<run>{RUN_ID})-(?P<part>{PART})\.parquet"
)
LEFT_BEHIND = re.compile(
    rf"{TABLE_FILE.pattern}(\.new)?(\.[0-9a-f]{{32}}{re.escape(PARTIAL)}|\.new)"
)
RECORD = "run.json"
RUNS = "runs"
SWAP = ".compact.json"
"""What the journal of a swap is named by; see ``pipeline/output/compact.py``."""

SUMS = ".sha256"
"""Of the file that lists the checksums of a run's tables."""

COUNTS = ".counts.json"
"""Of the file into which the pipeline of a run writes what it counted."""

START = ".start.json"
"""Of the note that a run leaves when it starts and that its record replaces."""

RECORDED = ".json"
"""Of the record of a run."""

SUFFIXES = (RECORDED, COUNTS, START, SUMS)
RUN_NOTE = re.compile(rf"{RUN_ID}({'|'.join(map(re.escape, SUFFIXES))})")


STAMP = "%Y%m%dT%H%M%S"


def is_merged(part: str) -> bool:
    """Whether a table's file is one into which ``compact`` merged shards: no run's any more."""
    return len(part) < 12


def new_run_id(earlier: Iterable[str] = ()) -> str:
    """An id that sorts by time, and after all ``earlier`` ones whatever the clock says."""
    stamp = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    for latest in sorted(earlier, reverse=True):
        try:
            after = datetime.strptime(latest.partition("-")[0], STAMP)
            stamp = max(stamp, after + timedelta(seconds=1))
            break
        except (ValueError, OverflowError):
            continue  # a name that only looks like an id
    return f"{stamp:{STAMP}}-{uuid.uuid4().hex[:6]}"


def listing_name(run_id: str) -> str:
    """File name of the manifest into which a run lists audio files."""
    return f"manifest-{run_id}.jsonl"


def is_run_file(address: str) -> bool:
    """Whether a file has the name of an audit's table or listing."""
    name = address.rpartition("/")[2]
    return bool(TABLE_FILE.fullmatch(name) or LISTING.fullmatch(name))


def record_address(output: str, run_id: str) -> str:
    """Where the record of one run lies; ``run.json`` is a copy of the latest."""
    return FileSystems.join(output, RUNS, f"{run_id}{RECORDED}")


def counts_address(output: str, run_id: str) -> str:
    """Where the pipeline of one run writes what it counted."""
    return FileSystems.join(output, RUNS, f"{run_id}{COUNTS}")


def start_address(output: str, run_id: str) -> str:
    """Where a run that has no record yet says what it was asked to do."""
    return FileSystems.join(output, RUNS, f"{run_id}{START}")


def checksums_address(output: str, run_id: str) -> str:
    """Where the checksums of one run's tables lie, as ``sha256sum -c`` takes them."""
    return FileSystems.join(output, RUNS, f"{run_id}{SUMS}")


@dataclass(frozen=True)
class OutputFiles:
    """What lies in an output.

    Attributes:
      tables: committed files of each table.
      orphans: files of shards that were never committed, and half-written ones.
      notes: listings, counts and records.
    """

    tables: dict[str, tuple[str, ...]]
    orphans: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def holds_audit(self) -> bool:
        """Whether an audit has committed something, or ended."""
        begun = (LISTING.search(one) or one.endswith(START) for one in self.notes)
        return bool(self.tables["tracks"]) or not all(begun)

    @property
    def all(self) -> list[str]:
        """Every file."""
        return [*self.kept, *self.orphans]

    @property
    def kept(self) -> list[str]:
        """Every file but the orphans."""
        tables = [path for paths in self.tables.values() for path in paths]
        return [*tables, *self.notes]

    def runs(self) -> Counter:
        """Committed shards by run id; merged files are no run's."""
        names = (TABLE_FILE.search(path) for path in self.tables["tracks"])
        return Counter(n["run"] for n in names if n and not is_merged(n["part"]))

    def run_ids(self) -> set[str]:
        """Of every run that left anything."""
        names = (re.search(RUN_ID, path.rpartition("/")[2]) for path in self.all)
        return {name.group() for name in names if name}

    def noted_runs(self, suffix: str) -> set[str]:
        """Runs that left the note with this suffix, one of ``SUFFIXES``."""
        note = re.compile(rf"(?P<run>{RUN_ID}){re.escape(suffix)}")
        found = (note.fullmatch(path.rpartition("/")[2]) for path in self.notes)
        return {one["run"] for one in found if one}

    def without_record(self) -> dict[str, int]:
        """Runs that were killed, and how many shards each had written."""
        # A run that came to its counts is done, though its record may be missing.
        ended = self.noted_runs(RECORDED) | self.noted_runs(COUNTS)
        return {run: shards for run, shards in sorted(self.runs().items()) if run not in ended}


def _is_record(address: str) -> bool:
    try:
        return "run_id" in read_json(address)
    except (ValueError, TypeError):
        return False


def output_files(output: str) -> OutputFiles:
    """Everything that audits left in ``output``.

    Raises:
      ValueError: there is a ``run.json`` that no audit wrote.
    """
    patterns = [FileSystems.join(output, table, f"{table}-*") for table in TABLES]
    patterns += [FileSystems.join(output, "manifest-*.jsonl"), FileSystems.join(output, RUNS, "*")]
    found = [one.path for match in FileSystems.match(patterns) for one in match.metadata_list]
    tables: dict[str, list[str]] = {table: [] for table in TABLES}
    parts: dict[str, str] = {}
    orphans, notes = [], []
    for path in found:
        name = path.rpartition("/")[2]
        if table := TABLE_FILE.fullmatch(name):
            tables[table["table"]].append(path)
            parts[path] = f"{table['run']}-{table['part']}"
        elif LEFT_BEHIND.fullmatch(name):
            orphans.append(path)
        elif LISTING.fullmatch(name) or RUN_NOTE.fullmatch(name):
            notes.append(path)
    committed = {parts[path] for path in tables["tracks"]}
    orphans += [path for path, part in parts.items() if part not in committed]
    record = FileSystems.join(output, RECORD)
    if FileSystems.exists(record):
        if not _is_record(record):
            raise ValueError(f"{record} is not an audit's; choose another --output")
        notes.append(record)
    return OutputFiles(
        {
            table: tuple(sorted(path for path in paths if parts[path] in committed))
            for table, paths in tables.items()
        },
        tuple(sorted(orphans)),
        tuple(sorted(notes)),
    )


def last_written(addresses: tuple[str, ...]) -> dict[str, float]:
    """When each of the files that are there was last written, seconds since 1970."""
    found = [one for match in FileSystems.match(list(addresses)) for one in match.metadata_list]
    return {one.path: one.last_updated_in_seconds for one in found}


def older_than(addresses: tuple[str, ...], seconds: float) -> set[str]:
    """Those that were last written at least so long ago."""
    since = time.time() - seconds
    return {path for path, written in last_written(addresses).items() if written < since}


def table_files(output: str, table: str, run_id: str) -> list[str]:
    """Files of one table that one run wrote."""
    pattern = FileSystems.join(output, table, f"{table}-{run_id}-*.parquet")
    return sorted(found.path for found in FileSystems.match([pattern])[0].metadata_list)


def pending_swaps(output: str) -> list[str]:
    """Journals of swaps that were cut short."""
    pattern = FileSystems.join(output, RUNS, f"*{SWAP}")
    return [found.path for found in FileSystems.match([pattern])[0].metadata_list]
