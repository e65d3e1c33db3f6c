"""Several detectors on the same windows of the same tracks, through the same codecs.

Enters: ``BenchRequest`` with detectors. Leaves: ``scores/*.jsonl``, one a detector,
``scores.parquet``, and the report of ``side_by_side_report.py``. Each detector runs by itself
(``one_detector.py``), so that its time and its memory are its own; a bench that was broken off goes
on.
"""

import re
import shlex
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track as progress

from artifactnet.pipeline.bench.labelled_rows import check_labels, piece_of, rows_by_id
from artifactnet.pipeline.bench.one_detector import (
    BenchSettings,
    TrackScores,
    content_of,
    mean_seconds,
    score_catalogue,
    settings_differ,
    stored,
)
from artifactnet.pipeline.bench.published_layout import is_published_layout, read_published_layout
from artifactnet.pipeline.bench.request import BenchRequest
from artifactnet.pipeline.bench.side_by_side_report import (
    Compared,
    DetectorResult,
    SideBySide,
    write_side_by_side,
)
from artifactnet.pipeline.detectors.registry import open_detector
from artifactnet.pipeline.evaluation.intervals import FEWEST
from artifactnet.pipeline.evaluation.labels import AI, known_label
from artifactnet.pipeline.evaluation.metrics import ScoredTracks, measure
from artifactnet.pipeline.evaluation.paired import (
    adjusted,
    paired_auc,
    paired_verdicts,
    scored_by_all,
)
from artifactnet.pipeline.output.folder import OutputError
from artifactnet.transforms.audio.codec_spec import UNPROCESSED
from artifactnet.transforms.elements.records import ManifestRow

SCORES = "scores"
WHOLE = "all"
"""Name of the split that holds every track."""


@dataclass(frozen=True)
class ScoredBy:
    """What one detector said of the tracks, parallel to them.

    Attributes:
      name: of the detector.
      p_ai: ``[tracks]``, NaN where it could not score one.
      called_ai: bool ``[tracks]``.
      drift: largest change by a codec, ``[tracks]``, NaN without codecs.
      seconds: that a track took, on average.
      peak_bytes: most memory of its process.
      errors: tracks that it could not score.
      first_error: of them, with its track.
    """

    name: str
    p_ai: NDArray[np.float64]
    called_ai: NDArray[np.bool_]
    drift: NDArray[np.float64]
    seconds: float
    peak_bytes: int
    errors: int
    first_error: str = ""


@dataclass(frozen=True)
class LabelledTracks:
    """Parallel arrays: ids, labels, sources, splits and pieces of the tracks of a bench."""

    track_id: NDArray[np.str_]
    is_ai: NDArray[np.bool_]
    source: NDArray[np.str_]
    bench_origin: NDArray[np.str_]
    group: NDArray[np.str_]


def labelled(rows: dict[str, ManifestRow], label: str | None) -> list[tuple[ManifestRow, str]]:
    """Rows that can be measured, sorted by id, with their label.

    Args:
      rows: of the catalogue.
      label: of those that have none; ``None`` leaves them out.
    """
    found = ((row, known_label(row.label) or label) for _, row in sorted(rows.items()))
    return [(row, known) for row, known in found if known]


def tracks_of(rows: Sequence[tuple[ManifestRow, str]]) -> LabelledTracks:
    """What is known of the tracks."""

    def source(row: ManifestRow, label: str) -> str:
        names = (row.generator, row.source) if label == AI else (row.source, row.generator)
        return next((name for name in names if name), "(none)")

    return LabelledTracks(
        np.array([row.track_id for row, _ in rows]),
        np.array([label == AI for _, label in rows]),
        np.array([source(row, label) for row, label in rows]),
        np.array([row.bench_origin or "(none)" for row, _ in rows]),
        np.array([piece_of(row) for row, _ in rows]),
    )


def file_of(folder: Path, number: int, asked: str) -> Path:
    """Where the scores of the detector ``asked`` lie."""
    return folder / f"{number:02d}-{re.sub(r'[^A-Za-z0-9]+', '-', asked)[:60].strip('-')}.jsonl"


def scored_by(path: Path, tracks: LabelledTracks) -> ScoredBy:
    """Scores in ``path``, brought into the order of ``tracks``."""
    found = stored(path)
    unknown = TrackScores("", {}, False, 0.0, "no score is stored")
    known = [found.scores.get(str(name), unknown) for name in tracks.track_id]
    p_ai = [one.p_ai.get(UNPROCESSED, np.nan) for one in known]
    drift = [
        max((abs(p - one.p_ai[UNPROCESSED]) for name, p in one.p_ai.items() if name != UNPROCESSED),
            default=np.nan)
        for one in known
    ]  # fmt: skip
    return ScoredBy(
        str(found.settings["name"]),
        np.array(p_ai, np.float64),
        np.array([one.called_ai for one in known]),
        np.array(drift, np.float64),
        mean_seconds(list(found.scores.values())),
        found.peak_bytes,
        sum(bool(one.error) for one in known),
        next((f"{one.track_id}: {one.error}" for one in known if one.error), ""),
    )


def results_of(tracks: LabelledTracks, by: Sequence[ScoredBy]) -> list[DetectorResult]:
    """Figures of each detector on each split, of the tracks that all of them scored."""
    shared = scored_by_all(one.p_ai for one in by)
    origins = [str(one) for one in np.unique(tracks.bench_origin[shared])]
    splits = {WHOLE: shared}
    if len(origins) > 1:
        splits |= {name: shared & (tracks.bench_origin == name) for name in origins}
    results = []
    for split, chosen in splits.items():
        for one in by:
            scored = ScoredTracks(
                tracks.is_ai[chosen], one.p_ai[chosen], one.called_ai[chosen], tracks.group[chosen]
            )
            drift = one.drift[chosen & np.isfinite(one.drift)]
            results.append(
                DetectorResult(
                    split, one.name, measure(scored),
                    float(drift.mean()) if len(drift) else float("nan"),
                    float(np.percentile(drift, 95)) if len(drift) else float("nan"),
                    one.seconds, one.peak_bytes, one.errors,
                )
            )  # fmt: skip
    return results


def compared(tracks: LabelledTracks, by: Sequence[ScoredBy]) -> list[Compared]:
    """The first detector against each of the others, on the tracks that all of them scored.

    Nothing where a class has too few tracks to speak of a difference.
    """
    shared = scored_by_all(one.p_ai for one in by)
    is_ai, group = tracks.is_ai[shared], tracks.group[shared]
    if min(is_ai.sum(), (~is_ai).sum()) < FEWEST:
        return []
    first, *others = by
    aucs = [paired_auc(first.p_ai[shared], one.p_ai[shared], is_ai, group) for one in others]
    right = [one.called_ai[shared] == is_ai for one in by]
    verdicts = [paired_verdicts(right[0], one) for one in right[1:]]
    corrected = adjusted([one.p_value for one in (*aucs, *verdicts)])
    return [
        Compared(first.name, one.name, auc, corrected[n], verdict, corrected[len(others) + n])
        for n, (one, auc, verdict) in enumerate(zip(others, aucs, verdicts, strict=True))
    ]


def by_source(tracks: LabelledTracks, by: Sequence[ScoredBy]) -> list[list[str]]:
    """Share called ``ai`` by each detector, a row a source."""
    shared = scored_by_all(one.p_ai for one in by)
    rows = []
    order = np.lexsort((tracks.source, ~tracks.is_ai))
    keyed = ((bool(tracks.is_ai[i]), str(tracks.source[i]), int(i)) for i in order if shared[i])
    for (is_ai, source), some in groupby(keyed, key=lambda one: one[:2]):
        index = [one[2] for one in some]
        shares = [f"{one.called_ai[index].mean():.2f}" for one in by]
        rows.append([source, "ai" if is_ai else "real", str(len(index)), *shares])
    return rows


def command_of(request: BenchRequest) -> str:
    """What makes the report again."""
    words = ["artifactnet", "bench", request.manifest, "--output", request.output]
    for asked in request.detector or ():
        words += ["--detector", asked]
    words += ["--segments", str(request.segments or "all")]
    words += ["--codecs", ",".join(map(str, request.codecs))]
    words += ["--window-seconds", f"{request.window_seconds:g}"]
    return shlex.join(words)


def write_scores(tracks: LabelledTracks, by: Sequence[ScoredBy], path: Path) -> None:
    """One row a track and detector."""
    count = len(tracks.track_id)
    table = pa.table(
        {
            "detector": np.repeat([one.name for one in by], count),
            "track_id": np.tile(tracks.track_id, len(by)),
            "label": np.tile(np.where(tracks.is_ai, "ai", "real"), len(by)),
            "source": np.tile(tracks.source, len(by)),
            "bench_origin": np.tile(tracks.bench_origin, len(by)),
            "p_ai": np.concatenate([one.p_ai for one in by]),
            "called_ai": np.concatenate([one.called_ai for one in by]),
            "codec_drift": np.concatenate([one.drift for one in by]),
        }
    )
    pq.write_table(table, path, compression="zstd")


def _named_apart(by: Sequence[ScoredBy], asked: Sequence[str]) -> list[ScoredBy]:
    """``by``, with what was asked for behind a name that two of them have."""
    names = Counter(one.name for one in by)
    return [
        replace(one, name=f"{one.name} [{text}]") if names[one.name] > 1 else one
        for one, text in zip(by, asked, strict=True)
    ]


def run_side_by_side(request: BenchRequest) -> SideBySide:
    """Score, measure, compare, write; goes on where an earlier run of the same request stopped.

    Raises:
      DetectorError: a detector can't be loaded, or its process died.
      OutputError: the output holds a bench with other settings.
      ValueError: no track is labelled.
    """
    FileSystems.set_options(PipelineOptions([]))  # S3 wants to be told its defaults
    asked = list(dict.fromkeys(request.detector or ()))
    output = Path(request.output)
    folder = output / SCORES
    for one in asked:  # before the first of them runs for hours
        open_detector(one)
    catalogue, absent = request.manifest, tuple[str, ...]()
    if published := is_published_layout(request.manifest):
        catalogue, absent = read_published_layout(request.manifest, output / "manifests")
    else:
        check_labels(catalogue)
    if request.overwrite:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    all_rows = rows_by_id(catalogue)
    rows = labelled(all_rows.by_id, AI if published else None)
    left_out = all_rows.left_out + len(all_rows.by_id) - len(rows)
    tracks = tracks_of(rows)
    codecs = tuple(str(one) for one in request.codecs)
    jobs = [
        (
            BenchSettings(one, request.segments, request.window_seconds, codecs, content_of(one)),
            file_of(folder, number, one),
        )
        for number, one in enumerate(asked)
    ]
    for settings, path in jobs:
        if settings_differ(path, settings):
            raise OutputError(
                f"{path} holds scores of other weights or settings: replace them with --overwrite"
            )
    console = Console(stderr=True)
    plain = [row for row, _ in rows]
    for settings, path in jobs:
        known = stored(path)
        missing = sum(not known.is_done(row.track_id) for row in plain)
        done = score_catalogue(settings, plain, request.codecs, path)
        for _ in progress(
            done, settings.detector, missing, console=console, disable=not console.is_terminal
        ):
            pass
    every = _named_apart([scored_by(path, tracks) for _, path in jobs], asked)
    by = [one for one in every if np.isfinite(one.p_ai).any()]
    failed = tuple(
        f"{one.name}: {one.first_error}" for one in every if not np.isfinite(one.p_ai).any()
    )
    if not by:
        raise ValueError(f"no detector could score a track; {failed[0]}")
    shared = int(scored_by_all(one.p_ai for one in by).sum())
    if not shared:
        worst = max(by, key=lambda one: one.errors)
        raise ValueError(
            f"no track was scored by every detector; {worst.name} could not score {worst.errors}, "
            f"{worst.first_error}"
        )
    write_scores(tracks, by, output / "scores.parquet")
    report = SideBySide(
        command_of(request),
        len(rows),
        shared,
        tuple(results_of(tracks, by)),
        tuple(compared(tracks, by)),
        tuple(map(tuple, by_source(tracks, by))),
        tuple(absent),
        left_out,
        failed,
    )
    curves = {one.name: one.p_ai for one in by}
    write_side_by_side(report, tracks.is_ai, curves, output)
    return report
