"""Commands about the output of an audit: from compact to verify.

Enters: arguments. Leaves: ``COMMANDS``, which ``artifactnet`` takes; flags of Beam are passed on.
"""

from pathlib import Path
from typing import Annotated

import typer

from artifactnet.pipeline.cli.detector_commands import Weights, write_onnx
from artifactnet.pipeline.cli.options import AsJson, Overwrite, set_up_logging
from artifactnet.pipeline.evidence.request import ReportRequest
from artifactnet.pipeline.options import takes
from artifactnet.pipeline.review.request import ReviewRequest
from artifactnet.transforms.elements.verdicts import check_verdicts

RUN_HELP = "Output of an audit, or OUTPUT/runs/RUN.json for its state after that run."


def _open_storage(context: typer.Context) -> None:
    """Let Beam's filesystems know its flags, such as --s3_endpoint_url."""
    from apache_beam.io.filesystems import FileSystems
    from apache_beam.options.pipeline_options import PipelineOptions

    from artifactnet.pipeline.cli.beam_flags import beam_flags_of

    FileSystems.set_options(PipelineOptions(list(beam_flags_of(context))))


def compact(
    context: typer.Context,
    output: Annotated[str, typer.Argument(help="Output of an audit.")],
    rows_per_file: Annotated[
        int, typer.Option(min=1, help="Rows of a merged file, about.")
    ] = 250_000,
) -> None:
    """Merge the small files of an output; keep each track's latest result."""
    set_up_logging(False)
    _open_storage(context)
    from artifactnet.pipeline.output.compact import compact as compact_output
    from artifactnet.transforms.storage.files import absolute

    done = compact_output(absolute(output), rows_per_file)
    print(
        f"{output}: {done.files_before} files are now {done.files_after}; "
        f"{done.dropped} superseded rows dropped"
    )


def diff(
    context: typer.Context,
    run_a: Annotated[str, typer.Argument(help=RUN_HELP)],
    run_b: Annotated[str, typer.Argument(help=RUN_HELP)],
    as_json: AsJson = False,
) -> None:
    """Show which verdicts changed between two runs, by how much, and why."""
    set_up_logging(False)
    _open_storage(context)
    from artifactnet.pipeline.output.diff import print_difference

    print_difference(run_a, run_b, as_json)


def estimate(
    context: typer.Context,
    output: Annotated[str, typer.Argument(help="Output of an audit, whole or with --sample.")],
    weights: Annotated[Path | None, typer.Option(help="Detector that made it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Estimate how many tracks of a catalogue are generated, the detector's errors allowed for."""
    set_up_logging(False)
    _open_storage(context)
    from artifactnet.pipeline.evidence.estimate import print_estimate
    from artifactnet.transforms.storage.files import absolute
    from artifactnet.transforms.storage.object_store import s3_access

    print_estimate(absolute(output), weights, s3_access(), as_json)


def export(
    context: typer.Context,
    output: Annotated[str, typer.Argument(help="Output of an audit; none with --onnx.")] = "",
    as_duckdb: Annotated[Path | None, typer.Option("--duckdb", help="DuckDB file.")] = None,
    as_csv: Annotated[Path | None, typer.Option("--csv", help="Folder for CSV files.")] = None,
    as_jsonl: Annotated[Path | None, typer.Option("--jsonl", help="Folder for JSON lines.")] = None,
    bigquery: Annotated[
        str, typer.Option(help="PROJECT.DATASET; prints SQL for tables over the files.")
    ] = "",
    partition: Annotated[
        list[str] | None, typer.Option(help="Column to split CSV or JSON lines by. Repeat.")
    ] = None,
    onnx: Annotated[
        Path | None, typer.Option(help="ONNX file: the detector's networks, of no audit.")
    ] = None,
    weights: Weights = None,
    overwrite: Overwrite = False,
) -> None:
    """Write the latest rows of an output as DuckDB, CSV, JSON lines, SQL; or a detector as ONNX."""
    set_up_logging(False)
    forms = (as_duckdb, as_csv, as_jsonl, bigquery)
    if onnx:
        if output or any(forms):
            raise ValueError("--onnx writes a detector, not an audit: leave the others out")
        write_onnx(onnx, weights, overwrite)
        return
    if not output:
        raise ValueError("name the output of an audit, or --onnx FILE for a detector")
    _open_storage(context)
    from artifactnet.pipeline.output.export import ExportForm, bigquery_sql
    from artifactnet.pipeline.output.export import export as export_output
    from artifactnet.transforms.storage.files import absolute

    given = {
        form: target
        for form, target in zip(ExportForm, (as_duckdb, as_csv, as_jsonl), strict=True)
        if target
    }
    if len(given) + bool(bigquery) != 1:
        raise ValueError("name one of --duckdb FILE, --csv FOLDER, --jsonl FOLDER, --bigquery P.D")
    if bigquery:
        print(bigquery_sql(absolute(output), bigquery), end="")
        return
    ((form, target),) = given.items()
    done = export_output(absolute(output), target, form, tuple(partition or ()), overwrite)
    print(f"{target}: {done.tracks} tracks, {done.segments} segments, {done.errors} errors")


def finish(
    context: typer.Context,
    output: Annotated[str, typer.Argument(help="Output of an audit.")],
    release: Annotated[
        bool, typer.Option("--release", help="Free the output of a run that is dead for certain.")
    ] = False,
) -> None:
    """Write the record of a run that came to its end without one."""
    set_up_logging(False)
    _open_storage(context)
    from artifactnet.pipeline.output.status import finish_and_print
    from artifactnet.transforms.storage.files import absolute

    raise typer.Exit(finish_and_print(absolute(output), release))


def status(
    context: typer.Context,
    output: Annotated[str, typer.Argument(help="Output of an audit.")],
    metrics: Annotated[
        Path | None, typer.Option(help="Write FILE.prom for Prometheus' textfile collector.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say which runs of an output are complete, running or dead."""
    set_up_logging(False)
    _open_storage(context)
    from artifactnet.pipeline.output.status import print_statuses, run_statuses
    from artifactnet.transforms.storage.files import absolute

    runs = run_statuses(absolute(output))
    if metrics:
        from artifactnet.pipeline.output.gauges import write_gauges

        write_gauges(absolute(output), runs, metrics)
    raise typer.Exit(print_statuses(runs, as_json))


def verify(
    context: typer.Context,
    output: Annotated[str, typer.Argument(help="Output of an audit.")],
    sample: Annotated[int, typer.Option(min=0, help="Tracks to score again.")] = 0,
    weights: Annotated[Path | None, typer.Option(help="Detector that scored them.")] = None,
    model: Annotated[Path | None, typer.Option(help="ONNX file that did.")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare an output with the checksums that its runs recorded; score some tracks again."""
    set_up_logging(False)
    _open_storage(context)
    from artifactnet.pipeline.output.verify import print_verified, run_verify
    from artifactnet.transforms.storage.files import absolute
    from artifactnet.transforms.storage.object_store import s3_access

    found = run_verify(absolute(output), weights, model, sample, s3_access())
    raise typer.Exit(print_verified(found, as_json))


def list_(
    context: typer.Context,
    output: Annotated[str, typer.Argument(help="Output of an audit.")],
    verdict: Annotated[
        list[str] | None, typer.Option(help="Only ai, partial, uncertain or real. Repeat.")
    ] = None,
    where: Annotated[
        str, typer.Option(help="SQL on the columns of tracks/: \"label = 'X' AND p_ai > .9\".")
    ] = "",
    sort: Annotated[str, typer.Option(help="Column; of numbers the highest first.")] = "p_ai",
    limit: Annotated[
        int | None, typer.Option(min=0, help="Most rows; 0 for all.  [default: 100 in a table]")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, all columns.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
    as_m3u: Annotated[bool, typer.Option("--m3u", help="Print a playlist.")] = False,
) -> None:
    """List tracks of an output: the flagged ones, those of a label, a playlist to listen to."""
    set_up_logging(False)
    _open_storage(context)
    from artifactnet.pipeline.output.listing import MOST_ROWS, Choice, Form, list_tracks
    from artifactnet.transforms.storage.files import absolute

    if as_csv + as_json + as_m3u > 1:
        raise ValueError("--csv, --json and --m3u exclude each other")
    check_verdicts(verdict or ())
    form = Form.CSV if as_csv else Form.JSON if as_json else Form.M3U if as_m3u else Form.TABLE
    most = (MOST_ROWS if form is Form.TABLE else 0) if limit is None else limit
    list_tracks(absolute(output), Choice(tuple(verdict or ()), where, sort, most), form)


@takes(ReportRequest)
def report(context: typer.Context, request: ReportRequest, as_json: AsJson = False) -> None:
    """Make pages of an audit: the catalogue, and the evidence on flagged tracks."""
    set_up_logging(False)
    _open_storage(context)
    from dataclasses import replace

    from artifactnet.pipeline.cli.beam_flags import beam_flags_of
    from artifactnet.pipeline.evidence.report import print_report

    request = replace(request, beam_options=beam_flags_of(context))
    raise typer.Exit(print_report(request, as_json))


@takes(ReviewRequest)
def review(context: typer.Context, request: ReviewRequest) -> None:
    """Review flagged tracks on a page of this machine, or import decisions from a CSV."""
    set_up_logging(False)
    _open_storage(context)
    from dataclasses import replace

    from artifactnet.pipeline.cli.beam_flags import beam_flags_of
    from artifactnet.pipeline.review.review import run_review

    run_review(replace(request, beam_options=beam_flags_of(context)))


list_.__name__ = "list"
COMMANDS = (compact, diff, estimate, export, finish, list_, report, review, status, verify)
