"""Commands about a detector: score, model, bench, dataset, calibrate, train; networks as ONNX.

Enters: arguments. Leaves: ``COMMANDS``, which ``artifactnet`` takes.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from artifactnet.pipeline.audit.request import ScoreRequest
from artifactnet.pipeline.bench.request import BenchRequest
from artifactnet.pipeline.cli.options import AsJson, set_up_logging
from artifactnet.pipeline.evaluation.request import CalibrateRequest
from artifactnet.pipeline.options import takes

Weights = Annotated[
    Path | None, typer.Option(help="Detector, a safetensors file; by default the shipped one.")
]


@takes(ScoreRequest)
def score(
    request: ScoreRequest,
    report: Annotated[
        Path | None, typer.Option(help="HTML page to write: the evidence on the one file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Score a few files, without Beam."""
    set_up_logging(False)
    if report is not None:
        from artifactnet.pipeline.evidence.one_file import print_page

        raise typer.Exit(print_page(request, report, as_json))
    from artifactnet.pipeline.audit.score import print_scores

    raise typer.Exit(print_scores(request, as_json))


def model(weights: Weights = None, as_json: AsJson = False) -> None:
    """Print the detector's size, cost and thresholds."""
    from artifactnet.pipeline.cli.model_report import print_model

    print_model(weights, as_json)


@takes(BenchRequest)
def bench(request: BenchRequest) -> None:
    """Measure the detector and three baselines, or several detectors, on a labelled catalogue."""
    set_up_logging(False)
    if request.unseen_folds:
        _bench_unseen(request)
        return
    if request.only_fold or request.manifest.endswith(".toml"):
        raise ValueError("a training's TOML and --only-fold go with --unseen-folds N")
    if request.detector:
        _bench_side_by_side(request)
        return
    from artifactnet.pipeline.bench.report import markdown
    from artifactnet.pipeline.bench.run_bench import run_bench

    print(markdown(run_bench(request)))
    print(f"Report and plots: {request.output}")


def _bench_side_by_side(request: BenchRequest) -> None:
    if request.weights or request.model:
        raise ValueError("with --detector name ours as artifactnet:FILE or onnx:FILE")
    if "://" in request.output:
        raise ValueError(f"{request.output}: the report goes to a local folder")
    from artifactnet.pipeline.bench.side_by_side import run_side_by_side
    from artifactnet.pipeline.bench.side_by_side_report import markdown

    print(markdown(run_side_by_side(request)))
    print(f"Report and plot: {request.output}")


def _bench_unseen(request: BenchRequest) -> None:
    if request.weights or request.model or request.overwrite:
        raise ValueError(
            "--unseen-folds trains its own detectors and goes on with what is in --output; it "
            "takes no --weights, --model or --overwrite"
        )
    from artifactnet.pipeline.experiments.unseen_folds import UnseenRequest, run_unseen_folds
    from artifactnet.pipeline.experiments.unseen_report import markdown
    from artifactnet.pipeline.training.config import read_training_config

    only = tuple(request.only_fold or ())
    unseen = UnseenRequest(
        config=read_training_config(Path(request.manifest)),
        folds=request.unseen_folds,
        output=Path(request.output).absolute(),
        segments=request.segments,
        codecs=request.codecs,
        fpr=request.fpr,
        only=only,
    )
    if results := run_unseen_folds(unseen):
        print(markdown(results, unseen.config.unet))
    else:
        print(f"Done: folds {list(only)}; the report needs all {unseen.folds}")
    print(f"Report and plots: {request.output}")


def dataset(
    name: Annotated[str, typer.Argument(help="artifactbench, sonics, fma, fakemusiccaps, aime.")],
    folder: Annotated[
        Path | None, typer.Argument(help="Where it lies; without, what to download.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Labelled JSONL manifest to write.")
    ] = None,
    sums: Annotated[
        Path | None, typer.Option(help="Check files by this list, as sha256sum writes it.")
    ] = None,
    save_sums: Annotated[bool, typer.Option(help="Write FOLDER/SHA256SUMS.")] = False,
) -> None:
    """List a public data set into a manifest for bench, or say what to download."""
    from artifactnet.pipeline.bench.datasets import make_manifest

    text, code = make_manifest(name, folder, output, sums, save_sums)
    print(text)
    raise typer.Exit(code)


@takes(CalibrateRequest)
def calibrate(request: CalibrateRequest) -> None:
    """Set the thresholds for a false-positive rate that the tracks can prove."""
    set_up_logging(False)
    from artifactnet.pipeline.evaluation.calibrate import run_calibrate

    run_calibrate(request)


def train(config: Annotated[Path, typer.Argument(help="TOML file.")]) -> None:
    """Train the detector; an interrupted run goes on where it was."""
    from artifactnet.pipeline.training.config import read_training_config
    from artifactnet.pipeline.training.train import train as train_detector

    set_up_logging(False)
    settings = read_training_config(config)
    print(f"{settings.output}: model id {train_detector(settings)}")


def write_onnx(file: Path, weights: Path | None, overwrite: bool) -> None:
    """Write the networks as ONNX: batches of 4 s of audio at 44.1 kHz in, probabilities out.

    A head on forensic statistics can't be written; calibrate the networks alone before use.

    Raises:
      ValueError: the file can't be written.
    """
    from artifactnet.models.artifactnet import load_detector
    from artifactnet.models.onnx_export import export_onnx
    from artifactnet.models.pooling import MEDIAN
    from artifactnet.models.weights.weights_file import SHIPPED_WEIGHTS, model_id

    if file.suffix.lower() != ".onnx":
        raise ValueError(f"{file}: the name of an ONNX file ends in .onnx")
    if file.parent.exists() and not file.parent.is_dir():
        raise ValueError(f"{file.parent} is not a folder")
    if file.exists() and not overwrite:
        raise ValueError(f"{file} is there already; replace it with --overwrite")
    network, _, head = load_detector(weights or SHIPPED_WEIGHTS)
    if head:  # nothing is called ai or real by thresholds that were set for other scores
        network.config = replace(
            network.config, threshold_real=0.0, threshold_ai=1.0, statistics="", pooling=MEDIAN
        )
    export_onnx(network, file)
    print(f"{file}: model id {model_id(file)}")
    if head:
        print(
            "these are the networks alone: the head on forensic statistics, which decides in the "
            f"weights, stays behind. They call nothing ai or real before: "
            f"artifactnet calibrate MANIFEST --model {file} --save FILE.onnx"
        )


COMMANDS = (score, model, bench, dataset, calibrate, train)
