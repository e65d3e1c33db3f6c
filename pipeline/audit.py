"""Run an audit from catalogue to run record.

Enters: :class:`AuditRequest`, what the command line asks for. Leaves: the tables and
``run.json`` under the output. Whatever is wrong with the request as a whole is found before
any work starts.
"""

import shutil
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.io.filesystem import BeamIOError
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.runners.runner import PipelineResult, PipelineState, create_runner

from models.device import pick_device
from pipeline.audit_graph import AuditOptions, build_audit
from pipeline.catalogue import GLOB_CHARACTERS, absolute, find_files, manifests_of
from pipeline.local_runner import (
    LOCAL_RUNNERS,
    default_workers,
    local_options,
    local_runner,
    usable_cores,
)
from pipeline.progress import watched_ticks
from pipeline.run_files import LISTING, earlier_files, listing_name, new_run_id
from pipeline.run_record import (
    RunRecord,
    count_rows,
    metrics_of,
    versions,
    write_run_record,
)
from transforms.codec import CodecOptions
from transforms.codec_roundtrip import BACKENDS, CodecSpec, check_codecs
from transforms.decode import DecodeOptions
from transforms.detector_stages import DetectorOptions, detector_of
from transforms.manifest_layout import inspect_manifests
from transforms.write_parquet import OutputOptions


class AuditInterruptedError(RuntimeError):
    """Somebody stopped the audit."""

    exit_code = 130


class AuditFailedError(RuntimeError):
    """The job as a whole failed, or its counts don't add up."""

    exit_code = 1


@dataclass(frozen=True)
class AuditRequest:
    """What an audit is asked to do.

    Attributes:
      catalogue: manifest, folder or glob.
      output: folder for the results.
      segments: windows a track, ``None`` for all.
      codecs: the unprocessed audio, then re-encodings.
      codec_backend: ``pyav`` or ``pydub``.
      weights: safetensors or ONNX file of the detector; ``None`` for the shipped one.
      device: ``auto``, ``cpu``, ``cuda`` ...
      workers: processes of a local run; 0 for one per core.
      overwrite: replace an earlier audit in ``output``.
      quiet: no progress.
      beam_options: flags for Beam.
    """

    catalogue: str
    output: str
    segments: int | None = 7
    codecs: tuple[CodecSpec, ...] = (CodecSpec("wav"),)
    codec_backend: str = "pyav"
    weights: Path | None = None
    device: str = "auto"
    workers: int = 0
    overwrite: bool = False
    quiet: bool = False
    beam_options: tuple[str, ...] = ()


class OutputError(ValueError):
    """The output can't be used; the message says what to do."""


def check_output(output: str, overwrite: bool) -> list[str]:
    """Make sure that results of two audits never lie side by side.

    Returns:
      Files of an earlier audit that this one replaces.

    Raises:
      OutputError: ``output`` holds an audit and ``overwrite`` is off, or can't be used.
    """
    if GLOB_CHARACTERS & set(output):
        raise OutputError(f"{output}: an output folder can't have * ? or [ in its name")
    try:
        earlier = earlier_files(output)
    except (OSError, BeamIOError, ValueError) as error:
        raise OutputError(f"{output}: can't be used ({error})") from error
    if not overwrite and any(not LISTING.search(path) for path in earlier):
        raise OutputError(
            f"{output} already holds an audit: choose another --output, or replace it "
            "with --overwrite"
        )
    return earlier


def _make_output(output: str) -> None:
    """Create the folder and try to write there.

    Raises:
      OutputError: it can't be written.
    """
    if "://" in output:
        return
    try:
        Path(output).mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=output).close()
    except OSError as error:
        raise OutputError(f"{output}: can't be written ({error})") from error


def _without_secrets(flags: tuple[str, ...]) -> list[str]:
    """Beam flags as they may be written down."""
    kept, hide = [], False
    for flag in flags:
        name, separator, _ = flag.partition("=")
        secret = any(word in name for word in ("key", "secret", "token", "password"))
        kept.append("***" if hide else f"{name}=***" if secret and separator else flag)
        hide = secret and not separator and flag.startswith("--")
    return kept


def _configuration(request: AuditRequest, manifests: tuple[str, ...]) -> dict[str, Any]:
    return {
        **asdict(request),
        "codecs": [str(spec) for spec in request.codecs],
        "beam_options": _without_secrets(request.beam_options),
        "manifests": manifests,
    }


def _remove_partial(output: str, run_id: str) -> None:
    """Remove what Beam had begun to write on this machine under temporary names."""
    if "://" not in output:
        for folder in Path(output).glob(f"*/beam-temp-*-{run_id}-*"):
            shutil.rmtree(folder, ignore_errors=True)
        (Path(output) / listing_name(run_id)).unlink(missing_ok=True)


def _is_local(beam_options: PipelineOptions) -> bool:
    return (beam_options.view_as(StandardOptions).runner or "") in LOCAL_RUNNERS


def _finished(pipeline: beam.Pipeline, options: AuditOptions) -> PipelineResult:
    build_audit(pipeline, options)
    result = pipeline.run()
    result.wait_until_finish()
    return result


def _execute(
    options: AuditOptions,
    request: AuditRequest,
    beam_options: PipelineOptions,
    rows: int | None,
) -> PipelineResult:
    if not _is_local(beam_options):
        return _finished(beam.Pipeline(options=beam_options), options)
    on_gpu = pick_device(request.device).type == "cuda"
    workers = request.workers or default_workers(rows, on_gpu)
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
    """Audit a catalogue.

    Raises:
      ManifestError, OutputError, WeightsError, CodecError, ValueError: the request can't be
        carried out; nothing was started.
      AuditFailedError: the job failed or lost count.
      AuditInterruptedError: it was told to stop.
    """
    beam_options = PipelineOptions(list(request.beam_options))
    FileSystems.set_options(beam_options)  # credentials and endpoints, before the first look
    if not request.output:
        raise OutputError("the output's name is empty")
    output = absolute(request.output)
    weights = request.weights.absolute() if request.weights else None
    detector = detector_of(DetectorOptions(weights, device="cpu"))
    if _is_local(beam_options):
        _check_machine(request)
    else:
        _check_runner(beam_options)
    earlier = check_output(output, request.overwrite)
    files = find_files(request.catalogue)  # before a folder is made for what isn't there
    _make_output(output)
    run_id = new_run_id()
    listing = FileSystems.join(output, listing_name(run_id))
    manifests = manifests_of(request.catalogue, files, listing)
    if doomed := sorted(set(manifests) & set(earlier)):
        raise OutputError(f"{doomed[0]} is to be read and replaced: choose another --output")
    seen = inspect_manifests(manifests)
    options = AuditOptions(
        manifests=manifests,
        output=OutputOptions(
            folder=output,
            run_id=run_id,
            layout=seen.layout,
            model_id=detector.model_id,
            threshold_real=detector.config.threshold_real,
            threshold_ai=detector.config.threshold_ai,
        ),
        detector=DetectorOptions(weights, detector.model_id, request.device),
        decode=DecodeOptions(request.segments),
        codecs=CodecOptions(request.codecs, request.codec_backend),
    )
    started, began = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
    try:
        result = _execute(options, request, beam_options, seen.rows)
    except (Exception, KeyboardInterrupt) as error:
        _remove_partial(output, run_id)
        if "KeyboardInterrupt" in repr(error):  # Beam wraps what a worker in this process raises
            raise AuditInterruptedError("interrupted; nothing was written") from None
        # Beam's message is the worker's whole traceback; its last line says what happened.
        lines = [line for line in str(error).splitlines() if line.strip()] or [repr(error)]
        raise AuditFailedError(
            f"the job failed: {lines[-1].strip()[:500]} (--verbose shows all of it)"
        ) from error
    if result.state != PipelineState.DONE:
        raise AuditFailedError(f"the job ended in state {result.state}")
    metrics = metrics_of(result)
    record = RunRecord(
        run_id=run_id,
        model_id=detector.model_id,
        started=started,
        seconds=round(time.monotonic() - began, 2),
        counts=count_rows(output, run_id, metrics),
        configuration=_configuration(request, manifests),
        versions=versions(),
        metrics=metrics,
    )
    if not record.counts.add_up:
        raise AuditFailedError(f"the counts don't add up: {record.counts}")
    # The new audit is complete; only now does the one it replaces go.
    FileSystems.delete(earlier)
    write_run_record(record, output)
    return record
