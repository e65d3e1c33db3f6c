"""What ``artifactnet bench`` is asked to measure.

Enters: fields, from the command line or another program. Leaves: a ``BenchRequest``.
"""

from dataclasses import dataclass
from pathlib import Path

from artifactnet.pipeline import options
from artifactnet.pipeline.options import argument, option
from artifactnet.transforms.audio.codec_spec import CodecSpec

CODECS = "wav,mp3:128k,aac:128k,opus:96k"


@dataclass(frozen=True)
class BenchRequest:
    """What to measure.

    Attributes:
      manifest: labelled catalogue; rows of one ``pair`` are one piece of music. With
        ``unseen_folds`` a training's TOML.
      output: folder for everything.
      segments: windows a track, ``None`` for all.
      codecs: the unprocessed audio, then those that drift is measured over.
      weights: detector; ``None`` for the shipped one.
      model: ONNX file in its place.
      detector: detectors to measure side by side, see ``pipeline/detectors/registry.py``; ``None``
        for ours alone, by an audit.
      window_seconds: of a window, where detectors are measured side by side.
      overwrite: replace an earlier run.
      unseen_folds: how many detectors to train, each without what it is evaluated on; 0 for none.
      only_fold: of these, the ones to train now; ``None`` for all.
      fpr: with ``unseen_folds``, claimed of the thresholds.
    """

    manifest: str = argument(
        help="Labelled manifest (label: ai or real); with --unseen-folds a training's TOML."
    )
    output: str = option("--output", "-o", help="Local folder for the report.")
    segments: int | None = options.segments()
    codecs: tuple[CodecSpec, ...] = options.codecs(CODECS)
    weights: Path | str | None = options.weights()
    model: Path | str | None = options.model()
    detector: list[str] | None = option(
        default=None,
        help="Measure these side by side (repeat it): artifactnet, artifactnet:FILE, onnx:FILE, "
        "spectttra:PATH, clam:FOLDER, fakeprint:FILE, a plugin's name, package.module:factory.",
    )
    window_seconds: float = option(
        default=4.0, min=1.0, max=30.0, help="With --detector: length of a window."
    )
    overwrite: bool = option(default=False, help="Replace what is there.")
    unseen_folds: int = option(
        default=0,
        min=0,
        help="Train this many detectors, each without what it is evaluated on.",
    )
    only_fold: list[int] | None = option(
        default=None, help="With --unseen-folds: do these folds, from 0."
    )
    fpr: float = option(
        default=0.02, min=1e-6, max=0.5, help="With --unseen-folds: claim of the thresholds."
    )
