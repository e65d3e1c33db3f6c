"""What ``artifactnet calibrate`` is asked to do.

Enters: fields, from the command line or another program. Leaves: a ``CalibrateRequest``.
"""

from dataclasses import dataclass
from pathlib import Path

from artifactnet.pipeline import options
from artifactnet.pipeline.options import argument, detector_address, option


@dataclass(frozen=True)
class CalibrateRequest:
    """What to calibrate.

    Attributes:
      manifest: labelled catalogue to audit; empty when ``scores`` is given.
      save: weights file to write.
      scores: Parquet file or folder with ``label`` and ``p_ai``, such as an audit's ``tracks``.
      work: folder for the audit.
      weights: detector; ``None`` for the shipped one.
      model: ONNX file in its place.
      fpr: share of real tracks that may be called ``ai``.
      short_fpr: the same of tracks of fewer than four segments; ``None`` for ``fpr``.
      miss_rate: share of generated tracks that may be called ``real``; without any, share of real
        tracks that may not be.
      confidence: of the claims.
      overwrite: replace the file ``save``; never an audit.
    """

    manifest: str = argument(default="", help="Real tracks (label: real) that training never saw.")
    save: Path = option(
        default=Path("calibrated.safetensors"), help="Weights file to write, thresholds replaced."
    )
    scores: str = option(default="", help="Instead of MANIFEST: Parquet with label and p_ai.")
    work: str = option("--output", "-o", default="calibration", help="Folder for the audit.")
    weights: Path | str | None = options.weights()
    model: Path | str | None = options.model()
    fpr: float = option(
        default=0.01, min=1e-6, max=0.5, help="Share of real tracks called ai, at most."
    )
    short_fpr: float | None = option(
        default=None, min=1e-6, max=0.5, help="The same of tracks of fewer than four segments."
    )
    miss_rate: float = option(
        default=0.1,
        min=1e-6,
        max=0.9,
        help="Share of generated tracks called real, at most; without any, share of real tracks "
        "that are not called real.",
    )
    confidence: float = option(default=0.95, min=0.5, max=0.9999, help="Of both claims.")
    overwrite: bool = option(default=False, help="Replace SAVE if it is there.")

    @property
    def detector(self) -> Path | None:
        """The file that is calibrated; ``None`` for the shipped one.

        Raises:
          ValueError: it lies in an object store.
        """
        path, source = detector_address(self.weights, self.model)
        if source:
            raise ValueError(f"{source}: name a file on this machine")
        return path
