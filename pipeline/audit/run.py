"""Run an audit: prepare, execute, add what only the launcher knows to the record.

Enters: an ``AuditRequest``. Leaves: the tables and ``run.json`` under the output. Whatever is wrong
with the request as a whole is found before any work starts. The job itself counts its rows and
writes its record; see ``pipeline/output/finish.py``.
"""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import apache_beam as beam
from apache_beam.runners.runner import PipelineResult, PipelineState

from artifactnet.pipeline.audit.catalogue import write_listing
from artifactnet.pipeline.audit.dask_engine import on_dask, set_up_dask
from artifactnet.pipeline.audit.local_runner import (
    local_options,
    local_runner,
    usable_cores,
    watched_rows,
)
from artifactnet.pipeline.audit.prepare import Plan, prepare
from artifactnet.pipeline.audit.request import AuditRequest, configuration
from artifactnet.pipeline.output.compact import finish_swaps
from artifactnet.pipeline.output.damage import forget_checksums
from artifactnet.pipeline.output.finish import FinishRun, RunStart, announce, now, rates_of
from artifactnet.pipeline.output.folder import (
    check_output,
    clear_orphans,
    make_output,
    sole_writer,
)
from artifactnet.pipeline.output.lease import release_lease, renewed_lease, take_lease
from artifactnet.pipeline.output.run_record import (
    RunRecord,
    metrics_of,
    read_run_record,
    write_run_record,
)
from artifactnet.transforms.count_rows import end_run

EXCEPTION = re.compile(r"^(?:(?:[\w.]*Error): |\[Errno \d+\] )+")
"""What Python says before it comes to the point."""


class AuditInterruptedError(RuntimeError):
    """Somebody stopped the audit."""

    exit_code = 130


class HandedOverError(RuntimeError):
    """The job goes to a template launcher; nothing was run."""

    exit_code = 0


class AuditFailedError(RuntimeError):
    """The job as a whole failed, or its counts don't add up."""

    exit_code = 1


@dataclass(frozen=True)
class Executed:
    """An audit that has run to its end.

    Attributes:
      result: Beam's; ``None`` where there was nothing to do, and no pipeline.
      seconds: of wall time.
    """

    result: PipelineResult | None
    seconds: float


def run_audit(request: AuditRequest) -> RunRecord:
    """Audit a catalogue, or what is new or changed in it since the last audit in the output.

    Raises:
      HandedOverError: the job was not run but described, for a template launcher.
      ManifestError, OutputError, WeightsError, CodecError, ValueError: the request can't be
        carried out; nothing was started.
      AuditFailedError: the job failed or lost count.
      AuditInterruptedError: it was told to stop.
    """
    with _output_locked(prepare(request)) as plan:
        return record(plan, execute(plan))


@contextmanager
def _output_locked(plan: Plan) -> Iterator[Plan]:
    """Keep others out of the output; plan again if it changed between the look and the lock."""
    make_output(plan.output)
    with sole_writer(plan.output):
        finish_swaps(plan.output)
        yield plan if check_output(plan.output) == plan.files else prepare(plan.request)


def execute(plan: Plan) -> Executed:
    """Carry the plan out, up to the record; the caller holds the lock of the output.

    Raises:
      OutputError: another run holds the output.
      HandedOverError, AuditFailedError, AuditInterruptedError: see :func:`run_audit`.
    """
    if plan.workers:
        with renewed_lease(plan.output, plan.run.run_id):
            return _executed(plan)
    take_lease(plan.output, plan.run.run_id, plan.request.lease_minutes)
    try:
        return _executed(plan)
    except AuditFailedError:
        release_lease(plan.output, plan.run.run_id)
        raise  # of all other errors the job may know nothing, and go on


def _executed(plan: Plan) -> Executed:
    clear_orphans(plan.files, plan.output)
    if plan.request.repair:
        forget_checksums(plan.output, plan.files)
    if plan.manifests.to_list:
        (listing,) = plan.manifests.addresses
        write_listing(plan.manifests.to_list, plan.request.catalogue, listing)
    start = _start(plan)
    announce(plan.output, start)
    began = time.monotonic()
    try:
        result = _run_pipeline(plan, start)
    except HandedOverError:
        raise
    except (Exception, KeyboardInterrupt) as error:
        if "KeyboardInterrupt" in repr(error):  # Beam wraps what a worker in this process raises
            raise AuditInterruptedError(
                "interrupted; what was finished is kept, and the same command goes on from there"
            ) from None
        # Beam's message is the worker's whole traceback; its last line says what happened.
        lines = [line for line in str(error).splitlines() if line.strip()] or [repr(error)]
        said = EXCEPTION.sub("", lines[-1].strip())[:500]
        if "Channel closed" in said:
            said = "a worker process died, as one does that the system kills for want of memory"
        raise AuditFailedError(f"the job failed: {said} (--verbose shows all of it)") from error
    if result is not None and result.state != PipelineState.DONE:
        raise AuditFailedError(f"the job ended in state {result.state}")
    return Executed(result, time.monotonic() - began)


def _start(plan: Plan) -> RunStart:
    detector = plan.options.detector
    where = {  # that means something outside the folder in which it was asked for
        "output": plan.output,
        "weights": detector.weights and str(detector.weights),
        "weights_source": detector.source,
    }
    return RunStart(
        run_id=plan.run.run_id,
        model_id=plan.run.model_id,
        config_id=plan.run.config_id,
        started=now(),
        continued=plan.files.without_record(),
        configuration=configuration(plan.request, plan.manifests.addresses) | where,
        left_out=dict(plan.manifests.left_out),
        workers=plan.workers,
        # The audit that is replaced goes once the new one is complete.
        replaced=tuple(plan.files.kept) if plan.request.overwrite else (),
    )


def _run_pipeline(plan: Plan, start: RunStart) -> PipelineResult | None:
    finish = FinishRun(
        plan.output,
        start,
        plan.options.output.layout,
        most_errors=plan.request.fail_on_errors,
        fails=bool(plan.template),
    )
    if plan.unchanged is not None:
        counts = {
            "rows_in": plan.unchanged,
            "skipped": plan.unchanged,
            "skipped_errors": plan.unchanged_errors,
        }
        end_run(counts, plan.options.counts, plan.options.checksums, finish)
        return None
    from artifactnet.pipeline.audit.graph import build_audit  # and torch, which takes seconds

    if not plan.workers:
        # Engines start a process a core: more threads would wait for each other.
        detector = replace(plan.options.detector, threads=1)
        if on_dask(plan.beam_options):
            set_up_dask()
        pipeline = beam.Pipeline(options=plan.beam_options)
        build_audit(pipeline, replace(plan.options, detector=detector), finish)
        result = pipeline.run()
        if plan.template:
            raise HandedOverError(f"the job is described in {plan.template}")
        result.wait_until_finish()
        return result
    threads = max(1, usable_cores() // plan.workers)
    detector = replace(plan.options.detector, threads=threads)
    pipeline = beam.Pipeline(local_runner(), options=local_options(plan.beam_options, plan.workers))
    build_audit(pipeline, replace(plan.options, detector=detector), finish)
    with watched_rows(plan.output, plan.run.run_id, plan.rows, plan.request.quiet):
        result = pipeline.run()
        result.wait_until_finish()
    return result


def record(plan: Plan, executed: Executed) -> RunRecord:
    """Add what the job doesn't know of itself to the record that it wrote: metrics, wall time.

    Raises:
      AuditFailedError: the job wrote no record.
    """
    try:
        written = read_run_record(plan.output, plan.run.run_id)
    except (OSError, ValueError) as error:
        raise AuditFailedError(f"the job ended and left no record: {error}") from error
    metrics = metrics_of(executed.result) if executed.result else dict(written.metrics)
    audio_seconds = metrics["counters"].get("audio_seconds", 0)
    done = replace(
        written,
        seconds=round(executed.seconds, 2),
        metrics=metrics,
        rates=rates_of(written.counts, executed.seconds, audio_seconds),
    )
    write_run_record(done, plan.output)
    return done
