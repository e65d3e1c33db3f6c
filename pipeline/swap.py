"""Replace files of an output by others, all or nothing.

Enters: a journal that names new and old files. Leaves: the new ones under their names, the
old ones gone, and no journal. Whoever opens the output next finishes what a kill cut short.
"""

import json
from typing import NamedTuple

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from pipeline.run_files import RUNS

SUFFIX = ".compact.json"


class Swap(NamedTuple):
    """Files to bring in (they lie under the name with ``.new``), and files to remove."""

    new: tuple[str, ...]
    old: tuple[str, ...]


def journal_address(output: str, run_id: str) -> str:
    """Where the journal of a swap lies."""
    return FileSystems.join(output, RUNS, f"{run_id}{SUFFIX}")


def _carry_through(swap: Swap) -> None:
    # Old files go first: a reader may miss rows for a moment, but never sees one twice.
    FileSystems.delete([path for path in swap.old if FileSystems.exists(path)])
    for path in swap.new:
        if FileSystems.exists(f"{path}.new"):
            FileSystems.rename([f"{path}.new"], [path])


def finish_swaps(output: str) -> None:
    """Carry through every swap whose journal lies in ``output``."""
    pattern = FileSystems.join(output, RUNS, f"*{SUFFIX}")
    for found in FileSystems.match([pattern])[0].metadata_list:
        with FileSystems.open(found.path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
            journal = json.loads(file.read())
        _carry_through(Swap(tuple(journal["new"]), tuple(journal["old"])))
        FileSystems.delete([found.path])
