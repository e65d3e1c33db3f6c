"""Options that several commands share, and how they log.

Enters: text of the command line. Leaves: typer's types, each with its check.
"""

import logging
import os
import re
import threading
import warnings
from pathlib import Path
from typing import Annotated

import typer

from transforms.codec_roundtrip import BACKENDS, parse_codecs


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
OnnxModel = Annotated[
    Path | None,
    typer.Option(
        "--model",
        help="Any detector as an ONNX file (audio [batch, samples] to probability) in its place.",
    ),
]
WeightsAddress = Annotated[
    str,
    typer.Option("--weights", help="Detector, a safetensors file (path, gs://, s3://)."),
]
OnnxAddress = Annotated[
    str,
    typer.Option("--model", help="Any detector as an ONNX file in its place (path, gs://, s3://)."),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 ...")]
Overwrite = Annotated[bool, typer.Option(help="Replace what is there.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def segment_count(text: str) -> int | None:
    """Windows a track; ``None`` for all."""
    return None if text == "all" else int(text)


def set_up_logging(verbose: bool) -> None:
    """Our own log on standard error; Beam's as well when ``verbose``."""
    level = logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s", force=True)
    logging.getLogger("pipeline").setLevel(logging.INFO)
    if not verbose:
        # Beam warns of matters of its own on every run, e.g. that a worker has no folder for
        # types which nobody registers; and what makes a job fail is said at the end, in a line.
        logging.getLogger("apache_beam").setLevel(logging.CRITICAL)
        os.environ.setdefault("DASK_LOGGING__DISTRIBUTED", "critical")
        warnings.filterwarnings("ignore", module="apache_beam")
        threading.excepthook = _log_thread_failure


def _log_thread_failure(failure: threading.ExceptHookArgs) -> None:
    """Beam's threads that die with a job are part of its log, not of ours."""
    logging.getLogger("apache_beam").error("%s", failure.exc_value)


def detector_file(weights: Path | None, onnx_model: Path | None) -> Path | None:
    """The one file that ``--weights`` or ``--model`` names."""
    if weights and onnx_model:
        raise typer.BadParameter("--weights and --model name two detectors; use one of them")
    if onnx_model and onnx_model.suffix.lower() != ".onnx":
        raise typer.BadParameter(f"--model {onnx_model}: the name of an ONNX file ends in .onnx")
    return weights or onnx_model


def detector_address(weights: str, onnx_model: str) -> tuple[Path | None, str]:
    """The detector that an audit's ``--weights`` or ``--model`` names: its path, or its address."""
    given = detector_file(
        Path(weights) if weights else None, Path(onnx_model) if onnx_model else None
    )
    address = weights or onnx_model
    return (None, address) if "://" in address else (given, "")
