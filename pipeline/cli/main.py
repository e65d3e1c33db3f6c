"""The command line: ``artifactnet COMMAND``.

Enters: arguments. Leaves: an exit code (0 done, 1 the job failed or a limit was passed, 2 the
request can't be carried out) and, for every error, one line that says what to do. Beam and torch
take seconds to import, so each command imports what it runs by itself, and ``--help`` is quick.
"""

import ctypes
import logging
import signal
import sys
from contextlib import suppress
from typing import Annotated

import typer

from artifactnet.pipeline.audit.request import AuditRequest
from artifactnet.pipeline.cli import detector_commands, output_commands
from artifactnet.pipeline.cli.options import AsJson, LogFormat, logs_json, set_up_logging
from artifactnet.pipeline.options import takes

BEAM_FLAGS = {"allow_extra_args": True, "ignore_unknown_options": True}
"""Commands that pass flags on to Beam."""

EXTRAS = {
    "onnx": ("onnx", "onnxruntime", "onnxscript"),
    "training": ("tensorboard",),
    "report": ("jinja2", "matplotlib"),
    "review": ("starlette", "uvicorn"),
    "bench": ("sklearn", "librosa", "pydantic"),
    "clam": ("transformers",),
    "gcp": ("google",),
    "aws": ("boto3", "botocore"),
    "dask": ("dask", "distributed"),
}
"""Which extra brings a package that a command may miss."""

app = typer.Typer(
    help="Find machine-generated music by the traces its neural decoder left.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"artifactnet {version('artifactnet')}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, help="Print the version.")
    ] = False,
) -> None:
    """Options before the command."""


@app.command(context_settings=BEAM_FLAGS)
@takes(AuditRequest)
def audit(
    context: typer.Context,
    request: AuditRequest,
    as_json: AsJson = False,
    profile: Annotated[bool, typer.Option("--profile", help="Print where the time went.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and how long it takes.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show Beam's log.")] = False,
    log_format: Annotated[
        LogFormat, typer.Option(help="json: a line for each shard and each failed track.")
    ] = LogFormat.TEXT,
) -> None:
    """Audit a catalogue; onto an earlier audit, only what is new or changed.

    Flags of Beam (--runner, --project ...) are passed on.
    """
    set_up_logging(verbose, log_format)
    if sys.stderr.isatty() and not as_json:  # Beam and torch take seconds to import
        print(f"auditing {request.catalogue}", file=sys.stderr, flush=True)
    from dataclasses import replace

    from artifactnet.pipeline.audit.report import audit_and_report
    from artifactnet.pipeline.cli.beam_flags import beam_flags_of

    request = replace(request, quiet=as_json, beam_options=beam_flags_of(context))
    if dry_run:
        from artifactnet.pipeline.audit.dry_run import print_dry_run

        print_dry_run(request, as_json)
        return
    raise typer.Exit(audit_and_report(request, as_json, profile))


@app.command()
def manifest(
    folder: Annotated[str, typer.Argument(help="Folder or glob of audio files.")],
    output: Annotated[str, typer.Option("--output", "-o", help="JSONL file to write.")],
    overwrite: Annotated[bool, typer.Option(help="Replace OUTPUT.")] = False,
) -> None:
    """List the audio files of a folder into a manifest."""
    from apache_beam.io.filesystems import FileSystems
    from apache_beam.options.pipeline_options import PipelineOptions

    from artifactnet.pipeline.audit.catalogue import write_manifest
    from artifactnet.transforms.storage.files import absolute

    FileSystems.set_options(PipelineOptions([]))  # S3 wants to be told its defaults
    count = write_manifest(folder, absolute(output), overwrite)
    print(f"{output}: {count} tracks")


for command in detector_commands.COMMANDS:
    app.command()(command)
for command in output_commands.COMMANDS:
    app.command(context_settings=BEAM_FLAGS)(command)


def _missing_package(error: ModuleNotFoundError) -> str:
    name = (error.name or "").partition(".")[0]
    extra = next((extra for extra, packages in EXTRAS.items() if name in packages), "")
    if not extra:
        raise error
    return f"this needs the package {name}: pip install 'artifactnet[{extra}]'"


def _print_error(message: str) -> None:
    """One line on standard error; where the log is JSON, one of its lines."""
    if logs_json():
        logging.getLogger("artifactnet").error(message)
    else:
        print(message, file=sys.stderr)


M_ARENA_MAX = -8
"""Of glibc's ``malloc.h``."""


def share_arenas() -> None:
    """Have the threads of this process share two arenas of memory, where glibc gives it out.

    What is shuffled passes through many threads of Beam's local runner. Each would have an arena of
    its own, which keeps what was freed in it: 70 MB more for a catalogue of 400,000 rows.
    """
    with suppress(OSError, AttributeError, TypeError):  # other systems have no such setting
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 2)


def main() -> None:
    """Entry point of the ``artifactnet`` command."""
    share_arenas()
    # Told to stop, a local audit must take its worker processes along.
    for name in ("SIGTERM", "SIGHUP"):  # Windows has no SIGHUP
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.default_int_handler)
    try:
        app()
    except ModuleNotFoundError as error:
        print(f"error: {_missing_package(error)}", file=sys.stderr)
        sys.exit(2)
    except (ValueError, OSError, RuntimeError) as error:
        # What a command raises on purpose is one of these, with a message for the user.
        if "--verbose" in sys.argv or "-v" in sys.argv:
            raise
        code = getattr(error, "exit_code", 2)
        if isinstance(error, OSError) and error.strerror:
            names = [str(name) for name in (error.filename, error.filename2) if name]
            error = OSError(f"{' to '.join(names)}: {error.strerror}" if names else error.strerror)
        _print_error(f"error: {error}" if code else str(error))
        sys.exit(code)


if __name__ == "__main__":
    main()
