"""Decide everything about an audit before anything is started or written.

Enters: an ``AuditRequest``. Leaves: a ``Plan``: request and machine checked, weights loaded once,
manifests found and looked at, shards counted, and what lies in the output seen.
"""

import hashlib
import json
import logging
import math
from dataclasses import dataclass, replace
from pathlib import Path

from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import (
    GoogleCloudOptions,
    PipelineOptions,
    SetupOptions,
    StandardOptions,
)
from apache_beam.runners.runner import create_runner

from artifactnet.models.first_line import first_line
from artifactnet.pipeline.audit.audit_options import AuditOptions
from artifactnet.pipeline.audit.catalogue import Manifests, find_files, find_manifests
from artifactnet.pipeline.audit.dask_engine import DASK_RUNNER, on_dask, set_partitions
from artifactnet.pipeline.audit.local_runner import (
    LOCAL_RUNNERS,
    default_workers,
    shard_count,
)
from artifactnet.pipeline.audit.request import AuditRequest
from artifactnet.pipeline.audit.rows_to_do import ToDo, rows_to_do
from artifactnet.pipeline.options import detector_address
from artifactnet.pipeline.output.damage import all_damage, damaged_files, without_damaged
from artifactnet.pipeline.output.folder import OutputError, check_name, check_output
from artifactnet.pipeline.output.layout import (
    OutputFiles,
    checksums_address,
    counts_address,
    listing_name,
    new_run_id,
)
from artifactnet.transforms.audio.lossy_codec import BACKENDS, check_codecs
from artifactnet.transforms.decode import DecodeOptions
from artifactnet.transforms.detector.detector import (
    DetectorOptions,
    detector_of,
    id_of,
    local_model,
)
from artifactnet.transforms.detector.evidence import NONE
from artifactnet.transforms.elements.output_schema import RunFacts
from artifactnet.transforms.manifests.columns import Inspection, ManifestLayout, inspect_manifests
from artifactnet.transforms.manifests.roots import AllowedRoots
from artifactnet.transforms.manifests.sample import RowSample
from artifactnet.transforms.reencode import ReencodeOptions
from artifactnet.transforms.storage.files import absolute
from artifactnet.transforms.storage.object_store import S3Access, s3_access
from artifactnet.transforms.write_shards import OutputOptions, owner_of_workers

logger = logging.getLogger(__name__)
RUNNERS = {"DaskRunner": DASK_RUNNER}
"""Runners that Beam knows by their whole name only."""

REMOTE_WORKERS = 64
"""Shards of a remote job are cut as for this many workers; a runner with more balances them."""

SCORING_VERSION = "0.4.0"
"""Part of ``config_id``: raised when the same model would give the same file another score."""


@dataclass(frozen=True)
class Plan:
    """An audit that can be carried out.

    Attributes:
      request: what was asked for.
      output: address of the output.
      files: what lies there already.
      manifests: of the catalogue, and audio files that are to be listed into one.
      rows: that are to be audited, about.
      options: of the pipeline.
      beam_options: for the runner.
      workers: processes of a local run; 0 for a job on another engine.
      template: where the job is only described, for a launcher to submit; or empty.
      unchanged: rows of the catalogue, where an earlier audit has done all of them; ``None`` where
        there is something to do, or nobody looked.
      unchanged_errors: of these, how many are errors.
    """

    request: AuditRequest
    output: str
    files: OutputFiles
    manifests: Manifests
    rows: int
    options: AuditOptions
    beam_options: PipelineOptions
    workers: int
    template: str
    unchanged: int | None = None
    unchanged_errors: int = 0

    @property
    def run(self) -> RunFacts:
        """Facts of the run."""
        return self.options.output.run


def prepare(request: AuditRequest) -> Plan:
    """Check a request and decide how it is carried out.

    Raises:
      ManifestError, OutputError, WeightsError, CodecError, ValueError: it can't be carried out.
    """
    beam_options = _beam_options(request)
    if not request.output:
        raise OutputError("the output's name is empty")
    output = absolute(request.output)
    access = s3_access(beam_options)
    detector = detector_options(
        request.weights, request.model, request.device, access, request.evidence
    )
    local = (beam_options.view_as(StandardOptions).runner or "") in LOCAL_RUNNERS
    if local:
        check_codecs(request.codecs, BACKENDS[request.codec_backend]())
    else:
        _check_runner(beam_options)
    check_name(output)
    files = _usable(check_output(output), request)
    run_id = new_run_id(files.run_ids())
    manifests = find_manifests(
        request.catalogue,
        find_files(request.catalogue),
        FileSystems.join(output, listing_name(run_id)),
    )
    if doomed := sorted(set(manifests.addresses) & set(files.all)):
        raise OutputError(f"{doomed[0]} is to be read and replaced: choose another --output")
    seen = _inspect(manifests)
    sample = RowSample(request.sample, request.seed)
    rows = math.ceil(seen.rows * sample.share)
    decode = DecodeOptions(request.segments, access=access)
    run = _run_facts(request, run_id, detector, decode)
    options = AuditOptions(
        manifests=manifests.addresses,
        output=OutputOptions(output, seen.layout, run, owner_of_workers() if local else 0),
        counts=counts_address(output, run_id),
        checksums=checksums_address(output, run_id),
        roots=AllowedRoots(tuple(absolute(root) for root in request.allow_root)),
        sample=sample,
        earlier=() if request.overwrite else files.tables["tracks"] + files.tables["errors"],
        detector=detector,
        decode=decode,
        codecs=ReencodeOptions(request.codecs, request.codec_backend),
        accelerator=request.accelerator,
        worker_ram=request.worker_ram,
        fused=on_dask(beam_options),
        partitions=set_partitions(beam_options) if on_dask(beam_options) else 1,
    )
    to_do, workers = ToDo(rows), 0
    if local:
        to_do = rows_to_do(options, manifests, request.catalogue, rows)
        workers = request.workers or default_workers(to_do.rows, on_gpu=False)
    if to_do.unchanged is None:  # else an earlier audit has loaded this very model
        options = _with_threshold(options)
        if local and not request.workers and _device_of(request) == "cuda":
            workers = default_workers(to_do.rows, on_gpu=True)
        options = replace(options, shards=shard_count(to_do.rows, workers or REMOTE_WORKERS))
    template = beam_options.view_as(GoogleCloudOptions).template_location or ""
    return Plan(
        request,
        output,
        files,
        manifests,
        to_do.rows,
        options,
        beam_options,
        workers,
        template,
        to_do.unchanged,
        to_do.errors,
    )


def _usable(files: OutputFiles, request: AuditRequest) -> OutputFiles:
    """``files`` without damaged shards where they are to be repaired; else damage is told.

    Raises:
      OutputError: tracks or errors are damaged, so that nobody knows what was audited.
    """
    if request.overwrite:
        return files
    if request.repair:
        return without_damaged(files, tuple(all_damage(absolute(request.output), files)))
    damaged = damaged_files(files)
    if not damaged:
        return files
    named = ", ".join(damaged[:3]) + (f" and {len(damaged) - 3} more" if damaged[3:] else "")
    remedy = "--repair audits its tracks again"
    if set(damaged) & {*files.tables["tracks"], *files.tables["errors"]}:
        raise OutputError(f"{named}: missing or cut short; {remedy}")
    logger.warning("%s: missing or cut short; %s", named, remedy)
    return files


def _beam_options(request: AuditRequest) -> PipelineOptions:
    options = PipelineOptions(list(request.beam_options))
    # Workers import this package; nothing of the process that launches a job goes to them.
    options.view_as(SetupOptions).save_main_session = False
    standard = options.view_as(StandardOptions)
    standard.runner = RUNNERS.get(standard.runner, standard.runner)
    FileSystems.set_options(options)  # credentials and endpoints, before the first look
    return options


def detector_options(
    weights: Path | str | None,
    model: Path | str | None,
    device: str,
    access: S3Access,
    evidence: str = NONE,
) -> DetectorOptions:
    """The detector that ``--weights`` or ``--model`` names; its file is here, but not loaded.

    Raises:
      WeightsError: there is no such file.
    """
    path, source = detector_address(weights, model)
    path = local_model(source, access) if source else path and path.absolute()
    return DetectorOptions(path, source, access, id_of(path), device, evidence=evidence)


def _device_of(request: AuditRequest) -> str:
    """Kind of the device, where this machine does the work; fails early if it isn't here.

    Raises:
      ValueError: it can't be used.
    """
    from artifactnet.models.device import pick_device  # and torch, which takes seconds

    return pick_device(request.device).type


def _with_threshold(options: AuditOptions) -> AuditOptions:
    """``options`` with what only the detector knows.

    Raises:
      WeightsError: it can't be used.
    """
    config = detector_of(DetectorOptions(options.detector.weights, device="cpu")).config
    run = replace(options.output.run, threshold_real=config.threshold_real)
    return replace(options, output=replace(options.output, run=run))


def _check_runner(beam_options: PipelineOptions) -> None:
    name = beam_options.view_as(StandardOptions).runner
    try:
        create_runner(name)
    except Exception as error:  # Beam raises what importing the runner raises
        raise ValueError(f"--runner {name}: {first_line(error)}") from error


def _inspect(manifests: Manifests) -> Inspection:
    if manifests.to_list:  # a listing has no columns of its own
        return Inspection(ManifestLayout(), len(manifests.to_list))
    return inspect_manifests(manifests.addresses)


def _run_facts(
    request: AuditRequest, run_id: str, detector: DetectorOptions, decode: DecodeOptions
) -> RunFacts:
    return RunFacts(
        run_id=run_id,
        model_id=detector.model_id,
        config_id=config_id(request, decode),
        threshold_real=math.nan,  # known once the detector is loaded
    )


def config_id(request: AuditRequest, decode: DecodeOptions) -> str:
    """Identity of all that decides a score beside the model and the audio."""
    deciding = {
        "segments": request.segments,
        "codecs": [str(spec) for spec in request.codecs],
        "codec_backend": request.codec_backend,
        "max_segments": decode.limits.max_segments,
        "evidence": request.evidence,
        "version": SCORING_VERSION,
    }
    return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()[:12]
