"""The command line: ``artifactnet COMMAND``.

Enters: arguments. Leaves: an exit code (0 done, 1 the job failed or a limit was passed, 2
the request can't be carried out) and, for every error, one line that says what to do.
Beam and torch take seconds to import, so each command imports what it runs by itself, and
``--help`` is quick.
"""

import signal
import sys
from typing import Annotated

import typer

from pipeline import cli_detector, cli_operations
from pipeline.cli_options import (
    AsJson,
    Backend,
    Codecs,
    Device,
    OnnxAddress,
    OnnxModel,
    Segments,
    Weights,
    WeightsAddress,
    detector_address,
    detector_file,
    segment_count,
    set_up_logging,
)
from transforms.codec_roundtrip import parse_codecs

OPERATIONS = (cli_operations.compact, cli_operations.diff)
BEAM_FLAGS = {"allow_extra_args": True, "ignore_unknown_options": True}
"""Commands that pass flags on to Beam."""

app = typer.Typer(
    help="Find machine-generated music by the traces its neural decoder left.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command(context_settings=BEAM_FLAGS)
def audit(
    context: typer.Context,
    catalogue: Annotated[
        str,
        typer.Argument(help="Manifest (JSONL, CSV, Parquet), folder or glob; local, gs://, s3://."),
    ],
    output: Annotated[str, typer.Option("--output", "-o", help="Folder for the results.")],
    segments: Segments = "7",
    codecs: Codecs = "wav",
    codec_backend: Backend = "pyav",
    weights: WeightsAddress = "",
    onnx_model: OnnxAddress = "",
    device: Device = "auto",
    accelerator: Annotated[
        str,
        typer.Option(help="GPU of remote workers: type:nvidia-l4;count:1;install-nvidia-driver."),
    ] = "",
    worker_ram: Annotated[str, typer.Option(help="Memory of remote workers, e.g. 8GB.")] = "",
    workers: Annotated[
        int, typer.Option(min=0, help="Processes of a local run; 0 for one per core.")
    ] = 0,
    overwrite: Annotated[
        bool, typer.Option(help="Audit everything again and replace what OUTPUT holds.")
    ] = False,
    fail_on_errors: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Exit with 1 if a larger share of the rows are errors."),
    ] = None,
    as_json: AsJson = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show Beam's log.")] = False,
) -> None:
    """Audit a catalogue; onto an earlier audit, only what is new or changed.

    Flags of Beam (--runner, --project ...) are passed on.
    """
    set_up_logging(verbose)
    from pipeline.audit_report import audit_and_report
    from pipeline.audit_request import AuditRequest
    from pipeline.beam_flags import beam_flags

    own = [name for parameter in context.command.params for name in parameter.opts]
    path, source = detector_address(weights, onnx_model)
    request = AuditRequest(
        catalogue=catalogue,
        output=output,
        segments=segment_count(segments),
        codecs=parse_codecs(codecs),
        codec_backend=codec_backend,
        weights=path,
        weights_source=source,
        device=device,
        accelerator=accelerator,
        worker_ram=worker_ram,
        workers=workers,
        overwrite=overwrite,
        quiet=as_json,
        beam_options=beam_flags(context.args, own),
    )
    raise typer.Exit(audit_and_report(request, fail_on_errors, as_json))


@app.command()
def score(
    files: Annotated[list[str], typer.Argument(help="Audio files.")],
    segments: Segments = "7",
    codecs: Codecs = "wav",
    codec_backend: Backend = "pyav",
    weights: Weights = None,
    onnx_model: OnnxModel = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Score a few files, without Beam."""
    set_up_logging(False)
    from pipeline.score import ScoreRequest, print_scores

    request = ScoreRequest(
        files=tuple(files),
        segments=segment_count(segments),
        codecs=parse_codecs(codecs),
        codec_backend=codec_backend,
        weights=detector_file(weights, onnx_model),
        device=device,
    )
    raise typer.Exit(print_scores(request, as_json))


@app.command()
def manifest(
    folder: Annotated[str, typer.Argument(help="Folder or glob of audio files.")],
    output: Annotated[str, typer.Option("--output", "-o", help="JSONL file to write.")],
    overwrite: Annotated[bool, typer.Option(help="Replace OUTPUT.")] = False,
) -> None:
    """List the audio files of a folder into a manifest."""
    from apache_beam.io.filesystems import FileSystems
    from apache_beam.options.pipeline_options import PipelineOptions

    from pipeline.catalogue import absolute, write_manifest

    FileSystems.set_options(PipelineOptions([]))  # S3 wants to be told its defaults
    count = write_manifest(folder, absolute(output), overwrite)
    print(f"{output}: {count} tracks")


@app.command()
def model(weights: Weights = None, as_json: AsJson = False) -> None:
    """Print the detector's size, cost and thresholds."""
    from pipeline.model_report import print_model

    print_model(weights, as_json)


for command in (
    cli_detector.bench,
    cli_detector.calibrate,
    cli_detector.train,
    cli_detector.export,
    *OPERATIONS,
):
    app.command(context_settings=BEAM_FLAGS if command in OPERATIONS else None)(command)


def main() -> None:
    """Entry point of the ``artifactnet`` command."""
    # Told to stop, a local audit must take its worker processes along.
    for signalled in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signalled, signal.default_int_handler)
    try:
        app()
    except (ValueError, OSError, RuntimeError) as error:
        # What a command raises on purpose is one of these, with a message for the user.
        if "--verbose" in sys.argv or "-v" in sys.argv:
            raise
        code = getattr(error, "exit_code", 2)
        print(f"error: {error}" if code else str(error), file=sys.stderr)
        sys.exit(code)


if __name__ == "__main__":
    main()
