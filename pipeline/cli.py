"""The command line: ``artifactnet COMMAND``.

Enters: arguments. Leaves: an exit code (0 done, 1 the job failed or a limit was passed, 2
the request can't be carried out) and, for every error, one line that says what to do.
Beam and torch take seconds to import, so each command imports what it runs by itself, and
``--help`` is quick.
"""

import logging
import re
import signal
import sys
import threading
import warnings
from pathlib import Path
from typing import Annotated

import typer

from transforms.codec_roundtrip import BACKENDS, parse_codecs

app = typer.Typer(
    help="Find machine-generated music by the traces its neural decoder left.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _segments(text: str) -> str:
    if text != "all" and not re.fullmatch(r"0*[1-9]\d{0,5}", text, re.ASCII):
        raise typer.BadParameter("use a number of windows per track, or 'all'")
    return text


def _codecs(text: str) -> str:
    try:
        parse_codecs(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    return text


def _backend(text: str) -> str:
    if text not in BACKENDS:
        raise typer.BadParameter(f"use one of {', '.join(BACKENDS)}")
    return text


Segments = Annotated[
    str, typer.Option(callback=_segments, help="Windows of 4 s per track, or 'all'.")
]
Codecs = Annotated[
    str,
    typer.Option(
        callback=_codecs,
        help="Score each track through these codecs too, e.g. wav,mp3:128k,aac:128k,opus:96k.",
    ),
]
Backend = Annotated[
    str, typer.Option(callback=_backend, help="Who encodes: pyav (in process), pydub (ffmpeg).")
]
Weights = Annotated[
    Path | None, typer.Option(help="Detector, a safetensors file; by default the shipped one.")
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 ...")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def _segment_count(text: str) -> int | None:
    return None if text == "all" else int(text)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
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
    weights: Weights = None,
    device: Device = "auto",
    workers: Annotated[
        int, typer.Option(min=0, help="Processes of a local run; 0 for one per core.")
    ] = 0,
    overwrite: Annotated[bool, typer.Option(help="Replace an audit in OUTPUT.")] = False,
    fail_on_errors: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Exit with 1 if a larger share of the rows are errors."),
    ] = None,
    as_json: AsJson = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show Beam's log.")] = False,
) -> None:
    """Audit a catalogue. Flags of Beam (--runner, --project ...) are passed on."""
    _set_up_logging(verbose)
    from pipeline.audit import AuditRequest
    from pipeline.audit_report import audit_and_report
    from pipeline.beam_flags import beam_flags

    own = [name for parameter in context.command.params for name in parameter.opts]
    request = AuditRequest(
        catalogue=catalogue,
        output=output,
        segments=_segment_count(segments),
        codecs=parse_codecs(codecs),
        codec_backend=codec_backend,
        weights=weights,
        device=device,
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
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Score a few files, without Beam."""
    _set_up_logging(False)
    from pipeline.score import ScoreRequest, print_scores

    request = ScoreRequest(
        files=tuple(files),
        segments=_segment_count(segments),
        codecs=parse_codecs(codecs),
        codec_backend=codec_backend,
        weights=weights,
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


@app.command()
def bench(
    manifest: Annotated[str, typer.Argument(help="Labelled manifest (label: ai or real).")],
    output: Annotated[str, typer.Option("--output", "-o", help="Local folder for the report.")],
    segments: Segments = "7",
    codecs: Codecs = "wav,mp3:128k,aac:128k,opus:96k",
    weights: Weights = None,
    overwrite: Annotated[bool, typer.Option(help="Replace a run in OUTPUT.")] = False,
) -> None:
    """Measure the detector, and three controls, on a labelled catalogue."""
    _set_up_logging(False)
    from pipeline.bench.report import markdown
    from pipeline.bench.run_bench import BenchRequest, run_bench

    request = BenchRequest(
        manifest=manifest,
        output=output,
        segments=_segment_count(segments),
        codecs=parse_codecs(codecs),
        weights=weights,
        overwrite=overwrite,
    )
    print(markdown(run_bench(request)))
    print(f"Report and plots: {output}")


@app.command()
def train(config: Annotated[Path, typer.Argument(help="TOML file.")]) -> None:
    """Train the detector; an interrupted run goes on where it was."""
    from pipeline.training.train_detector import read_training_config
    from pipeline.training.train_detector import train as train_detector

    _set_up_logging(False)
    settings = read_training_config(config)
    print(f"{settings.output}: model id {train_detector(settings)}")


def _set_up_logging(verbose: bool) -> None:
    level = logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s", force=True)
    logging.getLogger("pipeline").setLevel(logging.INFO)
    if not verbose:
        # Beam warns of matters of its own on every run, e.g. that a worker has no folder for
        # types which nobody registers; and what makes a job fail is said at the end, in a line.
        logging.getLogger("apache_beam").setLevel(logging.CRITICAL)
        warnings.filterwarnings("ignore", module="apache_beam")
        threading.excepthook = _log_thread_failure


def _log_thread_failure(failure: threading.ExceptHookArgs) -> None:
    """Beam's threads that die with a job are part of its log, not of ours."""
    logging.getLogger("apache_beam").error("%s", failure.exc_value)


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
        print(f"error: {error}", file=sys.stderr)
        sys.exit(getattr(error, "exit_code", 2))


if __name__ == "__main__":
    main()
