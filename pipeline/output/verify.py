"""``artifactnet verify``: whether an output is what its runs wrote, and scores come out the same.

Enters: an output folder. Leaves: the files that are missing, cut short or changed, by the checksums
that each run recorded; and, of some of its tracks, the largest difference between the stored score
and a new one.
"""

import json
from collections import defaultdict
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from artifactnet.pipeline.audit.report import printable
from artifactnet.pipeline.audit.score import score_rows
from artifactnet.pipeline.output.damage import all_damage, recorded_checksums
from artifactnet.pipeline.output.latest import read_state, whole_output
from artifactnet.pipeline.output.run_record import segments_of_run
from artifactnet.transforms.audio.codec_spec import CodecSpec
from artifactnet.transforms.decode import DecodeOptions
from artifactnet.transforms.detector.detector import AnyDetector, other_model
from artifactnet.transforms.elements.records import ErrorRow, ManifestRow
from artifactnet.transforms.manifests.parquet import AUDIO_COLUMN
from artifactnet.transforms.reencode import ReencodeOptions
from artifactnet.transforms.storage.files import table_rows
from artifactnet.transforms.storage.fingerprint import embedded_place
from artifactnet.transforms.storage.object_store import S3Access

PROMISED = 1e-5
"""Largest difference between two scores of one file by one model on one kind of processor."""


@dataclass(frozen=True)
class Verified:
    """What was found.

    Attributes:
      files: tables that were read and compared.
      damaged: ``FILE: what is wrong`` of each that is missing, cut short or changed.
      unrecorded: tables with rows and without a checksum, of runs that were killed or of older
        versions.
      scored: tracks that were scored again.
      largest_difference: between the stored and the new P(AI); ``None`` where none was scored.
      largest_of: the track that it is of.
      not_scored: ``TRACK: why`` of those that could not be.
    """

    files: int
    damaged: tuple[str, ...]
    unrecorded: int
    scored: int = 0
    largest_difference: float | None = None
    largest_of: str | None = None
    not_scored: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether all is as it was."""
        differs = (self.largest_difference or 0.0) > PROMISED
        return not self.damaged and not differs and not self.not_scored


def verify_files(output: str) -> Verified:
    """Read every table of ``output`` and compare it with what was recorded.

    Raises:
      ValueError: no audit is there, or compacting was cut short.
    """
    files = whole_output(output)
    tables = {path for paths in files.tables.values() for path in paths}
    recorded = recorded_checksums(output, files).keys()
    damage = all_damage(output, files)
    # A table without rows, like that of the errors where there were none, has nothing to lose.
    unrecorded = sum(bool(table_rows(path)) for path in tables - recorded - damage.keys())
    damaged = tuple(f"{path}: {what}" for path, what in damage.items())
    return Verified(len(tables & recorded), damaged, unrecorded)


def verify_scores(
    output: str, found: Verified, detector: AnyDetector, sample: int, access: S3Access
) -> Verified:
    """Score ``sample`` tracks of ``output`` again, as they were scored.

    Raises:
      ValueError: they were scored by another model, or nothing is known of their run.
    """
    database = read_state(output).database
    rows = database.execute(
        "SELECT track_id, uri, p_ai, model_id, content_id, run_id FROM tracks "
        "ORDER BY hash(track_id || run_id) LIMIT ?",
        [sample],
    ).fetchall()
    if others := sorted({row[3] for row in rows} - {detector.model_id}):
        raise ValueError(other_model(output, others[0], detector))
    segments_of = {run_id: segments_of_run(output, run_id) for run_id in {row[-1] for row in rows}}
    by_segments = defaultdict(list)
    for row in rows:
        by_segments[segments_of[row[-1]]].append(row)
    differences: dict[str, float] = {}
    problems = []
    for segments, alike in by_segments.items():
        manifest = [
            ManifestRow(name, uri, "output", line, embedded_place(uri, content or "", AUDIO_COLUMN))
            for line, (name, uri, _, _, content, _) in enumerate(alike, 1)
        ]
        results = score_rows(
            manifest,
            detector,
            DecodeOptions(segments, access=access),
            ReencodeOptions((CodecSpec("wav"),)),
        )
        for (track_id, _, p_ai, *_), result in zip(alike, results, strict=True):
            if isinstance(result, ErrorRow):
                problems.append(f"{track_id}: {result.failure.message}")
                continue
            differences[track_id] = abs(result.verdict.p_ai - p_ai)
    largest = max(differences, key=differences.__getitem__, default=None)
    return replace(
        found,
        scored=len(differences),
        largest_difference=None if largest is None else differences[largest],
        largest_of=largest,
        not_scored=tuple(problems),
    )


def print_verified(found: Verified, as_json: bool) -> int:
    """Print what was found; exit code 1 where something is not as it was."""
    if as_json:
        print(json.dumps(asdict(found) | {"holds": found.holds}))
        return int(not found.holds)
    for line in (*found.damaged, *found.not_scored):
        print(line)
    unrecorded = f", {found.unrecorded} without a recorded checksum" if found.unrecorded else ""
    print(f"{found.files} files compared{unrecorded}, {len(found.damaged)} damaged")
    if found.damaged:
        print("artifactnet audit ... --repair audits the tracks of damaged shards again")
    if found.largest_difference is not None:
        worst = f": {printable(str(found.largest_of))}" if found.largest_difference else ""
        print(
            f"{found.scored} tracks scored again, largest difference "
            f"{found.largest_difference:.1e} (promised {PROMISED:.0e}){worst}"
        )
    return int(not found.holds)


def run_verify(
    output: str, weights: Path | None, model: Path | None, sample: int, access: S3Access
) -> Verified:
    """Verify files, and ``sample`` scores where that is more than none.

    Raises:
      ValueError, WeightsError, OutputError: it can't be verified.
    """
    found = verify_files(output)
    if not sample or found.damaged:
        return found
    from artifactnet.pipeline.audit.prepare import detector_options
    from artifactnet.transforms.detector.detector import detector_of

    options = detector_options(weights, model, "cpu", access)
    return verify_scores(output, found, detector_of(options), sample, access)
