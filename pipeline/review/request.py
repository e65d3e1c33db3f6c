"""What a review is asked for.

Enters: fields, from the command line or another program. Leaves: a ``ReviewRequest``.
"""

import getpass
from dataclasses import dataclass
from pathlib import Path

from artifactnet.pipeline import options
from artifactnet.pipeline.options import argument, option
from artifactnet.transforms.elements.verdicts import AI, PARTIAL, check_verdicts


@dataclass(frozen=True)
class ReviewRequest:
    """What a review is asked for.

    Attributes:
      audit: output of an audit; may be in a bucket.
      who: reviews.
      verdict: which verdicts are reviewed.
      export: manifest of decided tracks to write, in place of a page.
      import_: CSV with decisions, in place of a page.
      port: of the page; 0 for any free one.
      weights: detector that made the audit; ``None`` for the shipped one.
      model: ONNX file in its place.
      beam_options: flags for Beam, for addresses in buckets.
    """

    audit: str = argument(help="Output of an audit (path, gs://, s3://).")
    who: str = option(default="", help="Who reviews.  [default: the name of this account]")
    verdict: list[str] = option(
        default=(AI, PARTIAL),
        help="Which verdicts are reviewed: ai, partial, uncertain, real. Repeat.",
    )
    import_: Path | None = option(
        "--import", default=None, help="CSV with track_id, decision, note, in place of a page."
    )
    export: Path | None = option(
        default=None,
        help="JSONL to write: a manifest of what was decided, for calibrate and train.",
    )
    port: int = option(default=0, min=0, max=65_535, help="Port of the page; 0 for any free one.")
    weights: Path | str | None = options.weights()
    model: Path | str | None = options.model()
    beam_options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check.

        Raises:
          ValueError: no such verdict.
        """
        check_verdicts(self.verdict)

    @property
    def reviewer(self) -> str:
        """Who reviews."""
        return self.who or getpass.getuser()
