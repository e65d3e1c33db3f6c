"""Which files belong to which audit.

Enters: an output folder. Leaves: run ids, and the files that a run wrote. A file counts as an
audit's only by its whole name, run id included, so that nothing else is ever taken for one.
"""

import json
import re
import uuid
from datetime import UTC, datetime

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from transforms.write_parquet import TABLES

RUN_ID = r"\d{8}T\d{6}-[0-9a-f]{6}"
TABLE_FILE = re.compile(rf"({'|'.join(TABLES)})-{RUN_ID}-\d{{5}}-of-\d{{5}}\.parquet")
LISTING = re.compile(rf"manifest-{RUN_ID}\.jsonl")
RECORD = "run.json"


def new_run_id() -> str:
    """An id that sorts by time."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"


def listing_name(run_id: str) -> str:
    """File name of the manifest into which a run lists audio files."""
    return f"manifest-{run_id}.jsonl"


def is_run_file(address: str) -> bool:
    """Whether a file has the name of an audit's table or listing."""
    name = address.rpartition("/")[2]
    return bool(TABLE_FILE.fullmatch(name) or LISTING.fullmatch(name))


def _is_record(address: str) -> bool:
    with FileSystems.open(address, compression_type=CompressionTypes.UNCOMPRESSED) as file:
        try:
            return "run_id" in json.loads(file.read())
        except (ValueError, TypeError):
            return False


def earlier_files(output: str) -> list[str]:
    """Tables, listings and record of earlier audits in ``output``.

    Raises:
      ValueError: there is a ``run.json`` that no audit wrote.
    """
    patterns = [FileSystems.join(output, table, f"{table}-*.parquet") for table in TABLES]
    patterns += [FileSystems.join(output, "manifest-*.jsonl")]
    found = [one.path for match in FileSystems.match(patterns) for one in match.metadata_list]
    files = [path for path in found if is_run_file(path)]
    record = FileSystems.join(output, RECORD)
    if FileSystems.exists(record):
        if not _is_record(record):
            raise ValueError(f"{record} is not an audit's; choose another --output")
        files.append(record)
    return files
