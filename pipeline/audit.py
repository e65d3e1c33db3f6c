"""Run an audit from catalogue to run record.

Enters: :class:`AuditRequest`, what the command line asks for. Leaves: the tables and
``run.json`` under the output. Whatever is wrong with the request as a whole is found before
any work starts.
"""

import os
import time
from dataclasses import replace
from datetime import UTC, datetime

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import (
    GoogleCloudOptions,
    PipelineOptions,
    SetupOptions,
    StandardOptions,
)
from apache_beam.runners.runner import PipelineResult, PipelineState, create_runner

from models.device import pick_device
from pipeline.audit_graph import AuditOptions, build_audit
from pipeline.audit_request import AuditRequest, config_id, configuration
from pipeline.catalogue import absolute, find_files, manifests_of
from pipeline.local_runner import (
    LOCAL_RUNNERS,
    default_workers,
    local_options,
    local_runner,
    shard_count,
    usable_cores,
)
from pipeline.output_folder import (
    OutputError,
    check_name,
    check_output,
    clear_orphans,
    complete_tables,
    make_output,
    sole_writer,
)
from pipeline.progress import watched_ticks
from pipeline.run_files import OutputFiles, counts_address, listing_name, new_run_id
from pipeline.run_record import (
    RunRecord,
    count_rows,
    metrics_of,
    versions,
    write_run_record,
)
from pipeline.swap import finish_swaps
from transforms.codec import CodecOptions
from transforms.codec_roundtrip import BACKENDS, check_codecs
from transforms.commit_shards import OutputOptions
from transforms.decode import DecodeOptions
from transforms.detector_stages import DetectorOptions, detector_of
from transforms.manifest_layout import inspect_manifests
from transforms.model_file import local_model
from transforms.object_store import s3_access
from transforms.output_schema import RunFacts

RUNNERS = {"DaskRunner": "apache_beam.runners.dask.dask_runner.DaskRunner"}
"""Runners that Beam knows by their whole name only."""

REMOTE_WORKERS = 64
"""Shards of a remote job are cut as for this many workers; a runner with more balances them."""


class AuditInterruptedError(RuntimeError):
    """Somebody stopped the audit."""

    exit_code = 130


class HandedOverError(RuntimeError):
    """The job goes to a template launcher; nothing was run."""

    exit_code = 0


class AuditFailedError(RuntimeError):
    """The job as a whole failed, or its counts don't add up."""

    exit_code = 1


def _is_local(beam_options: PipelineOptions) -> bool:
    return (beam_options.view_as(StandardOptions).runner or "") in LOCAL_RUNNERS


def _finished(pipeline: beam.Pipeline, options: AuditOptions) -> PipelineResult | None:
    build_audit(pipeline, options)
    result = pipeline.run()
    if _handed_over(pipeline.options):
        return None
    result.wait_until_finish()
    return result


def _handed_over(beam_options: PipelineOptions) -> bool:
    """Whether the job is only described here, for a template launcher to submit."""
    return bool(beam_options.view_as(GoogleCloudOptions).template_location)


def _workers(request: AuditRequest, rows: int | None) -> int:
    on_gpu = pick_device(request.device).type == "cuda"
    return request.workers or default_workers(rows, on_gpu)


def _execute(
    options: AuditOptions,
    request: AuditRequest,
    beam_options: PipelineOptions,
    rows: int | None,
) -> PipelineResult | None:
    if not _is_local(beam_options):
        return _finished(beam.Pipeline(options=beam_options), options)
    workers = _workers(request, rows)
    threads = max(1, usable_cores() // workers)
    with watched_ticks(rows, request.quiet) as ticks:
        detector = replace(options.detector, threads=threads)
        pipeline = beam.Pipeline(local_runner(), options=local_options(beam_options, workers))
        return _finished(pipeline, replace(options, detector=detector, ticks=ticks))


def _check_runner(beam_options: PipelineOptions) -> None:
    name = beam_options.view_as(StandardOptions).runner
    try:
        create_runner(name)
    except Exception as error:  # Beam raises what importing the runner raises
        raise ValueError(f"--runner {name}: {str(error).splitlines()[0]}") from error


def _check_machine(request: AuditRequest) -> None:
    """Fail early where this machine does the work: device and encoders must be here."""
    pick_device(request.device)
    check_codecs(request.codecs, BACKENDS[request.codec_backend]())


def run_audit(request: AuditRequest) -> RunRecord:
    """Audit a catalogue, or what is new or changed in it since the last audit in the output.

    Raises:
      HandedOverError: the job was not run but described, for a template launcher.
      ManifestError, OutputError, WeightsError, CodecError, ValueError: the request can't be
        carried out; nothing was started.
      AuditFailedError: the job failed or lost count.
      AuditInterruptedError: it was told to stop.
    """
    beam_options = PipelineOptions(list(request.beam_options))
    # Workers import these packages; nothing of the process that launches a job goes to them.
    beam_options.view_as(SetupOptions).save_main_session = False
    standard = beam_options.view_as(StandardOptions)
    standard.runner = RUNNERS.get(standard.runner, standard.runner)
    FileSystems.set_options(beam_options)  # credentials and endpoints, before the first look
    if not request.output:
        raise OutputError("the output's name is empty")
    output = absolute(request.output)
    weights = request.weights.absolute() if request.weights else None
    if request.weights_source:
        weights = local_model(request.weights_source, s3_access(beam_options))
    detector_of(DetectorOptions(weights, device="cpu"))  # fails early
    if _is_local(beam_options):
        _check_machine(request)
    else:
        _check_runner(beam_options)
    check_name(output)
    catalogue = find_files(request.catalogue)  # before a folder is made for what isn't there
    make_output(output)
    with sole_writer(output):
        finish_swaps(output)
        files = check_output(output)
        request = replace(request, output=output, weights=weights)
        record = _audit(request, catalogue, files, beam_options)
    if record is None:
        address = beam_options.view_as(GoogleCloudOptions).template_location
        raise HandedOverError(f"the job is described in {address}")
    return record


def _plan(
    request: AuditRequest, run_id: str, catalogue: list[str], files: OutputFiles,
    beam_options: PipelineOptions,
) -> tuple[AuditOptions, int | None]:  # fmt: skip
    """The pipeline's options, and the rows of the catalogue if somebody knows."""
    listing = FileSystems.join(request.output, listing_name(run_id))
    manifests = manifests_of(request.catalogue, catalogue, listing)
    if doomed := sorted(set(manifests) & set(files.all)):
        raise OutputError(f"{doomed[0]} is to be read and replaced: choose another --output")
    seen = inspect_manifests(manifests)
    detector = detector_of(DetectorOptions(request.weights, device="cpu"))
    access = s3_access(beam_options)
    decode = DecodeOptions(request.segments, access=access)
    local = _is_local(beam_options)
    run = RunFacts(
        run_id=run_id,
        model_id=detector.model_id,
        config_id=config_id(request, decode),
        threshold_real=detector.config.threshold_real,
        threshold_ai=detector.config.threshold_ai,
    )
    earlier = () if request.overwrite else files.tables["tracks"] + files.tables["errors"]
    options = AuditOptions(
        manifests=manifests,
        output=OutputOptions(request.output, seen.layout, run, os.getpid() if local else 0),
        counts=counts_address(request.output, run_id),
        earlier=earlier,
        shards=shard_count(seen.rows, _workers(request, seen.rows) if local else REMOTE_WORKERS),
        detector=DetectorOptions(
            request.weights, request.weights_source, access, detector.model_id, request.device
        ),
        decode=decode,
        codecs=CodecOptions(request.codecs, request.codec_backend),
        accelerator=request.accelerator,
        worker_ram=request.worker_ram,
    )
    return options, seen.rows


def _audit(
    request: AuditRequest, catalogue: list[str], files: OutputFiles, beam_options: PipelineOptions
) -> RunRecord | None:
    run_id = new_run_id()
    options, rows = _plan(request, run_id, catalogue, files, beam_options)
    clear_orphans(files, request.output)
    run = options.output.run
    started, began = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
    try:
        result = _execute(options, request, beam_options, rows)
    except (Exception, KeyboardInterrupt) as error:
        if "KeyboardInterrupt" in repr(error):  # Beam wraps what a worker in this process raises
            raise AuditInterruptedError(
                "interrupted; what was finished is kept, and the same command goes on from there"
            ) from None
        # Beam's message is the worker's whole traceback; its last line says what happened.
        lines = [line for line in str(error).splitlines() if line.strip()] or [repr(error)]
        raise AuditFailedError(
            f"the job failed: {lines[-1].strip()[:500]} (--verbose shows all of it)"
        ) from error
    if result is None:
        return None
    if result.state != PipelineState.DONE:
        raise AuditFailedError(f"the job ended in state {result.state}")
    seconds = time.monotonic() - began
    metrics = metrics_of(result)
    counts = count_rows(request.output, run_id)
    record = RunRecord(
        run_id=run_id,
        model_id=run.model_id,
        config_id=run.config_id,
        started=started,
        seconds=round(seconds, 2),
        counts=counts,
        continued=_without_record(files),
        configuration=configuration(request, options.manifests),
        versions=versions(),
        metrics=metrics,
        rates={
            "tracks_per_second": round(counts.tracks / seconds, 3),
            "audio_seconds_per_second": round(
                metrics["counters"].get("audio_seconds", 0) / seconds, 3
            ),
        },
    )
    if not record.counts.add_up:
        raise AuditFailedError(f"the counts don't add up: {record.counts}")
    if request.overwrite:  # the new audit is complete; only now does the one it replaces go
        FileSystems.delete(files.kept)
    complete_tables(request.output, run_id, options.output.layout)
    write_run_record(record, request.output)
    return record


def _without_record(files: OutputFiles) -> dict[str, int]:
    """Earlier runs that were killed, and how many shards each had committed."""
    names = (note.rpartition("/")[2] for note in files.notes)
    # A job that was handed to a launcher leaves its counts when it is done, and no record.
    ended = {name.removesuffix(".json").removesuffix(".counts") for name in names}
    return {run: shards for run, shards in sorted(files.runs().items()) if run not in ended}
