"""What ``artifactnet audit`` tells when it is done.

Enters: an :class:`~pipeline.audit.AuditRequest`. Leaves: the verdict table (or JSON) on
standard output and the exit code.
"""

import json
import sys
from dataclasses import asdict

from rich.console import Console

from pipeline.audit import run_audit
from pipeline.audit_request import AuditRequest
from pipeline.audit_results import read_results
from pipeline.catalogue import absolute
from pipeline.run_record import RunRecord
from pipeline.verdict_table import print_verdicts, summary


def _print_record(record: RunRecord, folder: str) -> None:
    console = Console(highlight=False, soft_wrap=True, emoji=False)
    results = read_results(folder, record.run_id)
    counts = record.counts
    print_verdicts(results.lines, counts.tracks + counts.errors, console)
    rate = record.rates["tracks_per_second"]
    console.print(f"\n{summary(results.verdicts)}")
    if counts.skipped:
        console.print(f"{counts.skipped} audited before and unchanged")
    if counts.repeated_shards:
        console.print(f"{counts.repeated_shards} shards were done again after a worker was lost")
    console.print(f"{counts.rows_in} rows in {record.seconds:.0f} s ({rate:.1f} tracks/s)")
    console.print(f"Parquet: {folder}/{{tracks,segments,errors}}/*.parquet")
    console.print(f"Record:  {folder}/run.json")


def audit_and_report(request: AuditRequest, fail_on_errors: float | None, as_json: bool) -> int:
    """Run an audit and print what came of it.

    Args:
      request: what to audit.
      fail_on_errors: largest share of rows that may be errors; ``None`` for any.
      as_json: print the run record as JSON.

    Returns:
      Exit code: 1 when too many rows were errors, else 0.
    """
    record = run_audit(request)
    folder = absolute(request.output)
    if as_json:
        print(json.dumps({**asdict(record), "output": folder}, indent=2, default=str))
    else:
        _print_record(record, folder)
    share = record.counts.errors / max(1, record.counts.rows_in)
    if fail_on_errors is not None and share > fail_on_errors:
        print(
            f"error: {share:.1%} of the rows are errors, more than {fail_on_errors:.1%}; "
            f"see {folder}/errors/",
            file=sys.stderr,
        )
        return 1
    return 0
