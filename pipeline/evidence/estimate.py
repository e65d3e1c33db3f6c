"""``artifactnet estimate``: how many tracks of a catalogue are generated, from a sample of it.

Enters: the output of an audit, whole or of a sample, and the known music beside the weights.
Leaves: the share with its interval, in words or as JSON.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from artifactnet.models.config import SHORT_SEGMENTS, ArtifactNetConfig
from artifactnet.pipeline.audit.prepare import detector_options
from artifactnet.pipeline.evaluation.intervals import FEWEST, Counted, counted_by_source
from artifactnet.pipeline.evaluation.prevalence import Prevalence, Stratum, prevalence
from artifactnet.pipeline.evidence.reference import Reference, load_reference, segments_apart
from artifactnet.pipeline.output.latest import read_audit
from artifactnet.pipeline.output.run_record import latest_record
from artifactnet.transforms.detector.detector import detector_of, other_model
from artifactnet.transforms.storage.object_store import S3Access


@dataclass(frozen=True)
class Estimate:
    """What may be said of a catalogue.

    Attributes:
      tracks: with a verdict.
      called: of them ai.
      errors: rows of the sample without a verdict, of which nothing is known.
      sample: share of the catalogue that was audited.
      generated: share of the catalogue's tracks.
      strata: what it was reckoned from.
    """

    tracks: int
    called: int
    errors: int
    sample: float
    generated: Prevalence
    strata: tuple[Stratum, ...]


def strata_of(
    segments: NDArray[np.int64],
    called: NDArray[np.bool_],
    reference: Reference,
    config: ArtifactNetConfig,
) -> tuple[Stratum, ...]:
    """Short clips and whole songs, whose rates differ.

    Args:
      segments: windows of each track.
      called: whether it is called ai.
      reference: known music; of generated songs the commercial ones, which catalogues meet.
      config: with the thresholds.

    Raises:
      ValueError: too little known music of a kind that the catalogue has.
    """
    known = reference.tracks
    short_known = known["segments"].to_numpy() < SHORT_SEGMENTS
    label = known["label"].to_numpy(zero_copy_only=False)
    generated = np.array(pc.equal(known["kind"], "ai")) & (label == "ai")
    commercial = known["commercial"].to_numpy(zero_copy_only=False).astype(bool)
    source = known["source"].to_numpy(zero_copy_only=False)
    flagged = reference.called_ai(config)
    found = []
    for name, here, there in (
        ("clips under four windows", segments < SHORT_SEGMENTS, short_known),
        ("whole songs", segments >= SHORT_SEGMENTS, ~short_known),
    ):
        if not here.any():
            continue
        made = generated & there & (commercial | short_known)
        human = (label == "real") & there
        if min(made.sum(), human.sum()) < FEWEST:
            raise ValueError(f"{name}: too few known tracks beside the weights to estimate from")
        found.append(
            Stratum(
                name,
                float(here.sum()),
                Counted(int((called & here).sum()), int(here.sum())),
                counted_by_source(flagged[made], source[made]),
                counted_by_source(flagged[human], source[human]),
            )
        )
    return tuple(found)


def estimate(output: str, weights: Path | None, access: S3Access) -> Estimate:
    """Estimate the share of generated tracks from the audit in ``output``.

    Raises:
      ValueError: no audit is there, it is of another detector, or nothing is known of this one.
      WeightsError: the detector can't be used.
    """
    options = detector_options(weights, None, "cpu", access)
    detector = detector_of(options)
    reference = load_reference(options.weights, detector.model_id)
    if reference is None:
        raise ValueError("there is no table of known music beside these weights")
    tables = read_audit(output)
    tracks = tables.tracks
    if not len(tracks):
        raise ValueError(f"{output}: no track has a verdict")
    if others := set(tracks["model_id"].unique().to_pylist()) - {detector.model_id}:
        raise ValueError(other_model(output, min(others), detector, "--weights"))
    called = np.array([verdict == "ai" for verdict in tracks["verdict"].to_pylist()], bool)
    strata = strata_of(segments_apart(tracks), called, reference, detector.config)
    record = latest_record(output)
    return Estimate(
        tracks=len(tracks),
        called=int(called.sum()),
        errors=len(tables.errors),
        sample=float(record["configuration"].get("sample", 1.0)),
        generated=prevalence(strata),
        strata=strata,
    )


def print_estimate(output: str, weights: Path | None, access: S3Access, as_json: bool) -> None:
    """Print the estimate.

    Raises:
      ValueError, WeightsError: see ``estimate``.
    """
    found = estimate(output, weights, access)
    if as_json:
        print(json.dumps({**asdict(found), "generated": found.generated._asdict()}))
        return
    share, low, high = found.generated
    print(f"{found.called} of {found.tracks} tracks are called ai.")
    print(
        f"Of the catalogue {share:.1%} are generated, between {low:.1%} and {high:.1%} at 95 % "
        "confidence, if its music is like the known music beside the weights."
    )
    if share in (0.0, 1.0):
        print("That is the end of the scale: what is called ai lies beyond what errors explain.")
    if found.sample < 1:
        size = found.tracks / found.sample
        few, most = size * low, size * high
        print(f"Of about {size:,.0f} tracks {size * share:,.0f}, from {few:,.0f} to {most:,.0f}.")
    for one in found.strata:
        print(
            f"  {one.name}: {one.called.seen} of {one.called.tracks} called ai; of known generated "
            f"{one.found.seen} of {one.found.tracks} are, of known human {one.mistaken.seen} of "
            f"{one.mistaken.tracks}"
        )
    if found.errors:
        print(f"{found.errors} rows have no verdict; nothing is known of them.")
