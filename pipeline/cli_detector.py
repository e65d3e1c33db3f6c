"""Commands for those who make or judge detectors: bench, calibrate, train, export.

Enters: arguments. Leaves: what :mod:`pipeline.cli` registers as commands.
"""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli_options import (
    Codecs,
    OnnxModel,
    Overwrite,
    Segments,
    Weights,
    detector_file,
    segment_count,
    set_up_logging,
)
from transforms.codec_roundtrip import parse_codecs


def bench(
    manifest: Annotated[
        str,
        typer.Argument(
            help="Labelled manifest (label: ai or real); with --unseen-folds a training's TOML."
        ),
    ],
    output: Annotated[str, typer.Option("--output", "-o", help="Local folder for the report.")],
    unseen_folds: Annotated[
        int,
        typer.Option(min=0, help="Train this many detectors, each on what the others are judged."),
    ] = 0,
    only_fold: Annotated[
        list[int] | None, typer.Option(help="With --unseen-folds: do these folds, from 0.")
    ] = None,
    fpr: Annotated[
        float, typer.Option(min=1e-6, max=0.5, help="With --unseen-folds: claim of the thresholds.")
    ] = 0.02,
    segments: Segments = "7",
    codecs: Codecs = "wav,mp3:128k,aac:128k,opus:96k",
    weights: Weights = None,
    model: OnnxModel = None,
    overwrite: Overwrite = False,
) -> None:
    """Measure the detector, and three controls, on a labelled catalogue."""
    set_up_logging(False)
    if unseen_folds:
        if weights or model or overwrite:
            raise ValueError(
                "--unseen-folds trains its own detectors and goes on with what is in --output; it "
                "takes no --weights, --model or --overwrite"
            )
        _bench_unseen(manifest, output, segments, codecs, unseen_folds, only_fold or [], fpr)
        return
    if only_fold or manifest.endswith(".toml"):
        raise ValueError("a training's TOML and --only-fold go with --unseen-folds N")
    from pipeline.bench.report import markdown
    from pipeline.bench.run_bench import BenchRequest, run_bench

    request = BenchRequest(
        manifest=manifest,
        output=output,
        segments=segment_count(segments),
        codecs=parse_codecs(codecs),
        weights=detector_file(weights, model),
        overwrite=overwrite,
    )
    print(markdown(run_bench(request)))
    print(f"Report and plots: {output}")


def _bench_unseen(
    config: str, output: str, segments: str, codecs: str, folds: int, only: list[int], fpr: float
) -> None:
    from pipeline.bench.unseen_folds import UnseenRequest, run_unseen_folds
    from pipeline.bench.unseen_report import markdown
    from pipeline.training.training_config import read_training_config

    request = UnseenRequest(
        config=read_training_config(Path(config)),
        folds=folds,
        output=Path(output).absolute(),
        segments=segment_count(segments),
        codecs=parse_codecs(codecs),
        fpr=fpr,
        only=tuple(only),
    )
    results = run_unseen_folds(request)
    if results:
        print(markdown(results, request.config.unet))
    else:
        print(f"Done: folds {only}; the report needs all {folds}")
    print(f"Report and plots: {output}")


def calibrate(
    manifest: Annotated[
        str, typer.Argument(help="Genuine tracks (label: real) that training never saw.")
    ] = "",
    save: Annotated[Path, typer.Option(help="Weights file to write, thresholds replaced.")] = Path(
        "calibrated.safetensors"
    ),
    scores: Annotated[
        str, typer.Option(help="Instead of MANIFEST: Parquet with label and p_ai.")
    ] = "",
    output: Annotated[
        str, typer.Option("--output", "-o", help="Folder for the audit.")
    ] = "calibration",
    weights: Weights = None,
    model: OnnxModel = None,
    fpr: Annotated[
        float, typer.Option(min=1e-6, max=0.5, help="Share of genuine tracks called ai, at most.")
    ] = 0.01,
    miss_rate: Annotated[
        float,
        typer.Option(
            min=1e-6,
            max=0.9,
            help="Share of generated tracks called real, at most; without any, share of genuine "
            "tracks that are not called real.",
        ),
    ] = 0.1,
    confidence: Annotated[float, typer.Option(min=0.5, max=0.9999)] = 0.95,
    overwrite: Overwrite = False,
) -> None:
    """Set the thresholds for a false-positive rate that the tracks can prove."""
    set_up_logging(False)
    from pipeline.calibrate import CalibrateRequest, run_calibrate

    run_calibrate(
        CalibrateRequest(
            manifest=manifest,
            scores=scores,
            work=output,
            weights=detector_file(weights, model),
            save=save,
            fpr=fpr,
            miss_rate=miss_rate,
            confidence=confidence,
            overwrite=overwrite,
        )
    )


def train(config: Annotated[Path, typer.Argument(help="TOML file.")]) -> None:
    """Train the detector; an interrupted run goes on where it was."""
    from pipeline.training.train_detector import train as train_detector
    from pipeline.training.training_config import read_training_config

    set_up_logging(False)
    settings = read_training_config(config)
    print(f"{settings.output}: model id {train_detector(settings)}")


def export(
    onnx: Annotated[Path, typer.Option(help="ONNX file to write.")],
    weights: Weights = None,
    overwrite: Overwrite = False,
) -> None:
    """Write the detector as ONNX: batches of 4 s of audio at 44.1 kHz in, probabilities out."""
    set_up_logging(False)
    from models.artifactnet import SHIPPED_WEIGHTS, load_detector
    from models.onnx_export import export_onnx
    from models.safetensors_io import model_id

    if onnx.suffix.lower() != ".onnx":
        raise ValueError(f"{onnx}: the name of an ONNX file ends in .onnx")
    if onnx.parent.exists() and not onnx.parent.is_dir():
        raise ValueError(f"{onnx.parent} is not a folder")
    if onnx.exists() and not overwrite:
        raise ValueError(f"{onnx} is there already; replace it with --overwrite")
    export_onnx(load_detector(weights or SHIPPED_WEIGHTS).network, onnx)
    print(f"{onnx}: model id {model_id(onnx)}")
