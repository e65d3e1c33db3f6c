"""What a report is asked for.

Enters: fields, from the command line or another program. Leaves: a ``ReportRequest``.
"""

from dataclasses import dataclass
from pathlib import Path

from artifactnet.pipeline import options
from artifactnet.pipeline.options import argument, option

TOP = 20


@dataclass(frozen=True)
class ReportRequest:
    """What a report is asked for.

    Attributes:
      audit: output of an audit; may be in a bucket.
      output: folder for the pages; of this machine.
      track: ids of tracks that get a page; if none, the flagged ones.
      flagged: a page for every flagged track, however many there are.
      top: pages for so many flagged tracks, the highest scores first.
      no_audio: leave the excerpts out.
      contact: to whom an appeal goes.
      weights: detector that made the audit; ``None`` for the shipped one.
      model: ONNX file in its place.
      device: ``auto``, ``cpu``, ``cuda`` ...
      workers: processes; 0 for one per core.
      overwrite: replace pages that are there.
      beam_options: flags for Beam, for addresses in buckets.
    """

    audit: str = argument(help="Output of an audit (path, gs://, s3://).")
    output: Path = option(
        "--output", "-o", default=Path("report"), help="Folder for the pages and tables."
    )
    track: list[str] = option(default=(), help="track_id that gets a page. Repeat.")
    flagged: bool = option(default=False, help="A page for every flagged track.")
    top: int = option(default=TOP, min=0, help="Pages for so many flagged tracks, clearest first.")
    no_audio: bool = option("--no-audio", default=False, help="Leave the excerpts out.")
    contact: str = option(default="", help="To whom an appeal goes: an address, a form, a name.")
    weights: Path | str | None = options.weights()
    model: Path | str | None = options.model()
    device: str = options.device()
    workers: int = option(default=0, min=0, help="Processes; 0 for one per core.")
    overwrite: bool = option(default=False, help="Replace pages that are there.")
    beam_options: tuple[str, ...] = ()
