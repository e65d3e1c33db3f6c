"""What is said of a catalogue: coverage, verdicts, expected mistakes, confounds, changes.

Enters: the tables and records of an output, and the reference. Leaves: ``CatalogueFacts``.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from artifactnet.models.config import SHORT_SEGMENTS, ArtifactNetConfig
from artifactnet.pipeline.evaluation.intervals import FEWEST, auc_interval
from artifactnet.pipeline.evidence.reference import Rate, Reference, rate, segments_apart
from artifactnet.pipeline.output.diff import Difference, compare
from artifactnet.pipeline.output.latest import RECORD_ADDRESS, AuditTables
from artifactnet.pipeline.output.layout import output_files
from artifactnet.pipeline.output.run_record import latest_record
from artifactnet.pipeline.review.decisions import fingerprint, latest_decisions
from artifactnet.transforms.elements.output_schema import TRACK_FIELDS

CONFOUNDS = (
    *("sample_rate", "channels", "duration", "bit_rate", "bandwidth_hz", "level_db", "crest_db"),
    *("at_peak", "channel_correlation"),
)
"""Columns that know nothing of a generator; a verdict that follows one of them is suspect."""
SUSPECT = 0.25
"""Distance of an AUC from one half from which a confound is pointed out."""
MOST_VALUES = 12
"""Of a column by which a catalogue is broken down."""
MOST_ERRORS = 12


class Share(NamedTuple):
    """A part of the catalogue.

    Attributes:
      value: of the column.
      tracks: that have it.
      ai: rate of those called ai.
      uncertain: how many are uncertain.
    """

    value: str
    tracks: int
    ai: Rate
    uncertain: int


class Confound(NamedTuple):
    """A property of the sound, and how well it alone tells the verdicts apart.

    Attributes:
      name: of it.
      auc: of tracks called ai against the others; ``None`` with too few of either.
      lower: bound at 95 % confidence, DeLong's.
      upper: the same.
    """

    name: str
    auc: float | None
    lower: float
    upper: float

    @property
    def suspect(self) -> bool:
        """Whether the verdict follows it."""
        return self.auc is not None and abs(self.auc - 0.5) >= SUSPECT


class Expected(NamedTuple):
    """False accusations among so many human tracks.

    Attributes:
      seen: as many as the known ones had.
      most: exact bound, 95 % confidence.
      known: human tracks of like length that this is reckoned from.
    """

    seen: float
    most: float
    known: int


@dataclass(frozen=True)
class CatalogueFacts:
    """What the page shows.

    ``reviewed`` is how many tracks people decided on, and how often they overruled the detector.
    """

    output: str
    tracks: int
    minutes: float
    verdicts: dict[str, int]
    reasons: dict[str, int]
    errors: tuple[tuple[str, int], ...]
    skipped: int
    expected: Expected | None
    p_ai: NDArray[np.float64]
    drift: tuple[int, float, float] | None
    parts: tuple[tuple[str, tuple[Share, ...]], ...]
    confounds: tuple[Confound, ...]
    changed: Difference | None
    reviewed: tuple[int, int]
    record: dict[str, Any]


def _column(tracks: pa.Table, name: str) -> NDArray[np.float64]:
    if name == "bit_rate":
        return 8 * _column(tracks, "file_bytes") / _column(tracks, "duration") / 1000
    if name not in tracks.column_names:
        return np.full(len(tracks), np.nan)
    return np.array([np.nan if v is None else float(v) for v in tracks[name].to_pylist()])


def confounds(tracks: pa.Table) -> tuple[Confound, ...]:
    """How well each property of the sound alone tells the tracks called ai from the others."""
    flagged = np.array([verdict == "ai" for verdict in tracks["verdict"].to_pylist()], bool)
    found = []
    for name in CONFOUNDS:
        values = _column(tracks, name)
        known = np.isfinite(values)
        positive, negative = values[known & flagged], values[known & ~flagged]
        if min(len(positive), len(negative)) < FEWEST:
            found.append(Confound(name, None, 0.0, 1.0))
        else:
            found.append(Confound(name, *auc_interval(positive, negative)))
    return tuple(found)


def expected_false(tracks: pa.Table, reference: Reference, config: ArtifactNetConfig) -> Expected:
    """False accusations to expect if all tracks were human."""
    human = reference.tracks["label"].to_numpy(zero_copy_only=False) == "real"
    short_known = reference.tracks["segments"].to_numpy() < SHORT_SEGMENTS
    short = segments_apart(tracks) < SHORT_SEGMENTS
    called = reference.called_ai(config)
    seen = most = 0.0
    tracks_known = 0
    for known, here in ((short_known, short), (~short_known, ~short)):
        found = rate(int((called & human & known).sum()), int((human & known).sum()))
        if found.tracks:
            seen += here.sum() * found.seen / found.tracks
            most += here.sum() * found.upper
            tracks_known += found.tracks if here.any() else 0
    return Expected(float(seen), float(most), tracks_known)


def broken_down(tracks: pa.Table) -> tuple[tuple[str, tuple[Share, ...]], ...]:
    """Shares called ai by value of each column that parts ``tracks`` into groups."""
    fixed = {field.name for field in TRACK_FIELDS}
    carried = [name for name in tracks.column_names if name not in fixed]
    verdicts = tracks["verdict"].to_pylist()
    found = []
    for name in ("label", "source", "generator", "container", "codec", "sample_rate", *carried):
        values = ["-" if v is None else str(v) for v in tracks[name].to_pylist()]
        counts = Counter(values)
        if len(counts) < 2 or len(counts) > 20 * MOST_VALUES:
            continue
        if name in carried and 2 * len(counts) > len(values):
            continue  # ids and titles: hardly two tracks are alike in them
        shares = []
        for value, count in counts.most_common(MOST_VALUES):
            own = [verdict for verdict, v in zip(verdicts, values, strict=True) if v == value]
            shares.append(Share(value, count, rate(own.count("ai"), count), own.count("uncertain")))
        found.append((name, tuple(shares)))
    return tuple(found)


def _reviewed(output: str, tracks: pa.Table) -> tuple[int, int]:
    """Tracks that people decided on, and those of them on which they overruled the detector."""
    decisions = latest_decisions(output)
    found = [decisions.get(fingerprint(row)) for row in tracks.to_pylist()]
    return sum(one is not None for one in found), sum(bool(one and one.overrules) for one in found)


def _runs(output: str) -> Sequence[str]:
    notes = output_files(output).notes
    return sorted(one for one in notes if RECORD_ADDRESS.fullmatch(one))


def catalogue_facts(
    output: str, tables: AuditTables, reference: Reference | None, config: ArtifactNetConfig
) -> CatalogueFacts:
    """Everything that is said of the catalogue whose audit lies in ``output``.

    Args:
      output: of the audit.
      tables: in it.
      reference: known music, if there is any.
      config: of the detector.

    Raises:
      ValueError: a file is damaged.
    """
    tracks = tables.tracks
    record = latest_record(output)
    stages = Counter(f"{row['stage']}: {row['error_class']}" for row in tables.errors.to_pylist())
    drift = _column(tracks, "codec_drift")
    drift = drift[np.isfinite(drift)]
    runs = _runs(output)
    return CatalogueFacts(
        output=output,
        tracks=len(tracks),
        minutes=float(_column(tracks, "duration").sum() / 60),
        verdicts=dict(Counter(tracks["verdict"].to_pylist())),
        reasons=dict(Counter(r for r in tracks["reason"].to_pylist() if r)),
        errors=tuple(stages.most_common(MOST_ERRORS)),
        skipped=int(record["counts"]["skipped"]),
        expected=expected_false(tracks, reference, config) if reference else None,
        p_ai=_column(tracks, "p_ai"),
        drift=(len(drift), float(drift.mean()), float(np.quantile(drift, 0.95)))
        if len(drift)
        else None,
        parts=broken_down(tracks),
        confounds=confounds(tracks),
        reviewed=_reviewed(output, tracks),
        changed=compare(runs[-2], runs[-1]) if len(runs) > 1 else None,
        record=record,
    )
