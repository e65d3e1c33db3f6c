"""``artifactnet audit --dry-run``: what an audit would read, skip and write, and how long it takes.

Enters: an ``AuditRequest``. Leaves: counts of rows, and time and space from a probe of some tracks
that are decoded and scored here. Nothing is written.
"""

import json
import math
import time
from collections import Counter
from dataclasses import asdict, dataclass

import numpy as np
import pyarrow as pa

from artifactnet.pipeline.audit.catalogue import readable
from artifactnet.pipeline.audit.local_runner import usable_cores
from artifactnet.pipeline.audit.prepare import Plan, prepare
from artifactnet.pipeline.audit.request import AuditRequest
from artifactnet.pipeline.audit.rows_to_do import to_do
from artifactnet.pipeline.audit.score import score_rows
from artifactnet.transforms.detector.detector import detector_of
from artifactnet.transforms.elements.output_schema import (
    SEGMENT_SCHEMA,
    carried_names,
    segment_records,
    track_record,
    track_schema,
)
from artifactnet.transforms.elements.records import AuditedTrack, ManifestRow
from artifactnet.transforms.storage.files import parquet_bytes

PROBE = 50
PROBE_SECONDS = 60.0
"""After which the probe ends, however few tracks it has done."""
START_SECONDS = 15.0
"""Of a local run, until its workers score: they import torch and Beam."""


@dataclass(frozen=True)
class DryRun:
    """What an audit would do.

    Attributes:
      rows: of the catalogue, or of the sample.
      to_audit: that are new or changed.
      unchanged: that an earlier audit has done.
      unusable: lines that would become error rows at once.
      left_out: files that are no audio by their name, by suffix.
      probed: tracks that were decoded and scored.
      probe_errors: of them, by class.
      seconds_per_track: of one core, mean and standard error.
      bytes_per_track: of the three tables.
      workers: processes of this machine.
      hours: wall time with them, the lower and the upper end at 95 % confidence.
      output_bytes: about.
    """

    rows: int
    to_audit: int
    unchanged: int
    unusable: int
    left_out: dict[str, int]
    probed: int
    probe_errors: dict[str, int]
    seconds_per_track: tuple[float, float]
    bytes_per_track: float
    workers: int
    hours: tuple[float, float]
    output_bytes: int


def _probe(plan: Plan, rows: list[ManifestRow]) -> tuple[list[float], Counter[str], list[int]]:
    options = plan.options
    detector = detector_of(options.detector)
    names = carried_names(options.output.layout)
    schema = track_schema(options.output.layout)
    seconds: list[float] = []
    errors: Counter[str] = Counter()
    sizes: list[int] = []
    began = last = time.monotonic()
    for result in score_rows(rows, detector, options.decode, options.codecs):
        seconds.append(time.monotonic() - last)
        if isinstance(result, AuditedTrack):
            tables = (
                ([track_record(result, names, plan.run)], schema),
                (list(segment_records(result, plan.run)), SEGMENT_SCHEMA),
            )
            sizes.append(
                sum(len(parquet_bytes(pa.Table.from_pylist(rows, kind))) for rows, kind in tables)
            )
        else:
            errors[result.failure.error_class] += 1
        last = time.monotonic()  # what the probe itself does is no track's time
        if last - began > PROBE_SECONDS:
            break
    return seconds, errors, sizes


def dry_run(request: AuditRequest) -> DryRun:
    """Look, and probe.

    Raises:
      ManifestError, OutputError, WeightsError, CodecError, ValueError: the request can't be
        carried out.
    """
    plan = prepare(request)
    rows = unchanged = unusable = 0
    chosen: list[ManifestRow] = []
    rng = np.random.default_rng(request.seed)
    wanted = 0
    with readable(plan.manifests, request.catalogue) as addresses:
        for row, done in to_do(plan.options, addresses):
            rows += 1
            unchanged += done is not None
            if done:
                continue
            if row.failure:
                unusable += 1
                continue
            wanted += 1  # a uniform draw of PROBE rows, whatever their number (Vitter 1985)
            if len(chosen) < PROBE:
                chosen.append(row)
            elif (place := int(rng.integers(wanted))) < PROBE:
                chosen[place] = row
    seconds, errors, sizes = _probe(plan, chosen)
    # The first track pays for what is loaded once.
    each = np.array(seconds[1:] or seconds or [0.0])
    mean = float(each.mean())
    spread = float(each.std(ddof=1)) / math.sqrt(len(each)) if len(each) > 1 else mean
    workers = plan.workers or request.workers or usable_cores()
    share = wanted / max(1, workers) / 3600
    low, high = (max(0.0, mean + sign * 2 * spread) * share for sign in (-1, 1))
    start = START_SECONDS / 3600
    per_track = float(np.mean(sizes)) if sizes else 0.0
    return DryRun(
        rows=rows,
        to_audit=wanted,
        unchanged=unchanged,
        unusable=unusable,
        left_out=dict(plan.manifests.left_out),
        probed=len(seconds),
        probe_errors=dict(errors),
        seconds_per_track=(mean, spread),
        bytes_per_track=per_track,
        workers=workers,
        hours=(low + start, high + start),
        output_bytes=round(per_track * wanted),
    )


def _duration(hours: float) -> str:
    if hours < 1 / 60:
        return f"{3600 * hours:.0f} s"
    return f"{60 * hours:.0f} min" if hours < 2 else f"{hours:,.1f} h"


def print_dry_run(request: AuditRequest, as_json: bool) -> None:
    """Print what would be done."""
    found = dry_run(request)
    if as_json:
        print(json.dumps(asdict(found)))
        return
    print(
        f"{found.rows} rows: {found.to_audit} to audit, {found.unchanged} unchanged, "
        f"{found.unusable} unusable lines"
    )
    if found.left_out:
        kinds = ", ".join(f"{count} {suffix}" for suffix, count in found.left_out.items())
        print(f"{sum(found.left_out.values())} files left out: {kinds}")
    if found.probed:
        mean, spread = found.seconds_per_track
        print(
            f"a probe of {found.probed} tracks: {mean:.2f} s of one core each (standard error "
            f"{spread:.2f}), {found.bytes_per_track / 1000:.1f} kB of output before compaction"
        )
        for name, count in found.probe_errors.items():
            print(f"  {count} of them would be errors: {name}")
        low, high = found.hours
        print(
            f"with {found.workers} process{'es' * (found.workers > 1)} here: {_duration(low)} to "
            f"{_duration(high)}; output about {found.output_bytes / 1e6:,.1f} MB"
        )
    print("nothing was written")
