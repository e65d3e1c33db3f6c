"""Run an audit from catalogue to run record.

Enters: :class:`AuditRequest`, what the command line asks for. Leaves: the tables and
``run.json`` under the output. Whatever is wrong with the request as a whole is found before
any work starts.
"""

import time
import uuid
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.io.filesystem import BeamIOError
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.runners.runner import PipelineState

from models.artifactnet import SHIPPED_WEIGHTS
from pipeline.audit_graph import AuditOptions, build_audit
from pipeline.catalogue import absolute, manifests_of
from pipeline.local_runner import LOCAL_RUNNERS, local_options, local_runner, usable_cores
from pipeline.progress import watched_ticks
from pipeline.run_record import (
    RunRecord,
    count_rows,
    metrics_of,
    versions,
    write_run_record,
)
from transforms.codec import CodecOptions
from transforms.codec_roundtrip import BACKENDS, CodecSpec
from transforms.decode import DecodeOptions
from transforms.detector_stages import DetectorOptions, detector_of
from transforms.manifest_layout import inspect_manifests
from transforms.write_parquet import TABLES, OutputOptions


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
      weights: safetensors file of the detector; ``None`` for the shipped one.
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
      Addresses of an earlier audit that is to be replaced.

    Raises:
      OutputError: ``output`` holds an audit and ``overwrite`` is off, or can't be written.
    """
    held = [FileSystems.join(output, name) for name in (*TABLES, "run.json")]
    try:
        if "://" not in output:
            Path(output).mkdir(parents=True, exist_ok=True)
        there = [address for address in held if FileSystems.exists(address)]
    except (OSError, BeamIOError) as error:
        raise OutputError(f"{output}: can't be written ({error})") from error
    if there and not overwrite:
        raise OutputError(
            f"{output} already holds an audit: choose another --output, or replace it "
            "with --overwrite"
        )
    return there


def _configuration(request: AuditRequest, manifests: tuple[str, ...]) -> dict[str, Any]:
    codecs = [str(spec) for spec in request.codecs]
    return {**asdict(request), "codecs": codecs, "manifests": manifests}


def _execute(
    options: AuditOptions, request: AuditRequest, rows: int | None
) -> beam.runners.runner.PipelineResult:
    beam_options = PipelineOptions(list(request.beam_options))
    name = beam_options.view_as(StandardOptions).runner or ""
    if name not in LOCAL_RUNNERS:
        pipeline = beam.Pipeline(options=beam_options)
        build_audit(pipeline, options)
        result = pipeline.run()
        result.wait_until_finish()
        return result
    workers = request.workers or usable_cores()
    threads = max(1, usable_cores() // workers)
    with watched_ticks(rows, request.quiet) as ticks:
        detector = replace(options.detector, threads=threads)
        pipeline = beam.Pipeline(local_runner(), options=local_options(beam_options, workers))
        build_audit(pipeline, replace(options, detector=detector, ticks=ticks))
        result = pipeline.run()
        result.wait_until_finish()
        return result


def run_audit(request: AuditRequest) -> RunRecord:
    """Audit a catalogue.

    Raises:
      ManifestError, OutputError, WeightsError, CodecError, ValueError: the request can't be
        carried out; nothing was started.
      AuditFailedError: the job failed or lost count.
    """
    output = absolute(request.output)
    detector_options = DetectorOptions(
        (request.weights or SHIPPED_WEIGHTS).absolute(), request.device
    )
    detector = detector_of(detector_options)
    BACKENDS[request.codec_backend]()
    earlier = check_output(output, request.overwrite)
    manifests = manifests_of(request.catalogue, FileSystems.join(output, "manifest.jsonl"))
    seen = inspect_manifests(manifests)
    if earlier:
        FileSystems.delete(earlier)
    run_id = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"
    config = detector.config
    options = AuditOptions(
        manifests=manifests,
        output=OutputOptions(
            folder=output,
            run_id=run_id,
            layout=seen.layout,
            model_id=detector.model_id,
            threshold_real=config.threshold_real,
            threshold_ai=config.threshold_ai,
        ),
        detector=detector_options,
        decode=DecodeOptions(request.segments),
        codecs=CodecOptions(request.codecs, request.codec_backend),
    )
    started, began = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
    try:
        result = _execute(options, request, seen.rows)
    except Exception as error:
        raise AuditFailedError(f"the job failed: {str(error).strip()[-2000:]}") from error
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
    write_run_record(record, output)
    if not record.counts.add_up:
        raise AuditFailedError(f"the counts don't add up: {record.counts}")
    return record
