"""One detector on every track of a bench, in a process of its own.

Enters: what to score by whom. Leaves: a file of JSON lines, first the settings, then a line a
track, at last what the process took. A detector that crashes takes nothing else along, its memory
is its own, and a bench that was broken off goes on with the next track.
"""

import hashlib
import json
import multiprocessing
import signal
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from artifactnet.models.weights.weights_file import SHIPPED_WEIGHTS
from artifactnet.pipeline.detectors.protocol import Detector, DetectorError, track_score
from artifactnet.pipeline.detectors.registry import open_detector
from artifactnet.transforms.audio.codec_spec import PYAV, UNPROCESSED, CodecSpec
from artifactnet.transforms.audio.windows import DecodedAudio, windows_apart
from artifactnet.transforms.decode import DecodeOptions, decode_row
from artifactnet.transforms.elements.records import ManifestRow, StageFailure
from artifactnet.transforms.manifests.parquet import EmbeddedAudioReader
from artifactnet.transforms.reencode import reencode
from artifactnet.transforms.storage.object_store import s3_access

CODEC_RATE = 44_100
"""Hz at which sound goes through a codec, whatever the detector takes."""
DONE, BEGUN, ENDED = "done", "begun", "ended"


@dataclass(frozen=True)
class BenchSettings:
    """What must be alike for scores to be compared.

    Attributes:
      detector: as it was asked for.
      segments: windows a track; ``None`` for all.
      window_seconds: length of a window.
      codecs: that every track goes through.
      content: SHA-256 of the detector's files, as far as it names any.
    """

    detector: str
    segments: int | None
    window_seconds: float
    codecs: tuple[str, ...]
    content: str = ""


class Windows(NamedTuple):
    """Shape of the windows at a rate, as ``decode_row`` wants it."""

    sample_rate: int
    segment_samples: int
    half_steps: bool = True


class TrackScores(NamedTuple):
    """What a detector said of a track.

    Attributes:
      track_id: of it.
      p_ai: by codec.
      called_ai: of the unprocessed sound.
      seconds: that it took to score the unprocessed sound, after decoding.
      error: why there are no scores; empty where there are.
    """

    track_id: str
    p_ai: dict[str, float]
    called_ai: bool
    seconds: float
    error: str = ""


def scores_of(
    detector: Detector, row: ManifestRow, settings: BenchSettings, codecs: tuple[CodecSpec, ...],
    embedded: EmbeddedAudioReader, options: DecodeOptions,
) -> TrackScores:  # fmt: skip
    """Score one track; what goes wrong is in the result."""

    def windows(rate: int) -> DecodedAudio:
        shape = Windows(rate, round(settings.window_seconds * rate))
        found = decode_row(row, shape, options, embedded).audio
        if isinstance(found, StageFailure):
            raise ValueError(found.message)
        return found

    try:
        own = windows(detector.sample_rate)
        begin = time.perf_counter()
        score = track_score(detector, own.windows, own.starts, detector.sample_rate)
        seconds = time.perf_counter() - begin
        apart = windows_apart(list(own.starts), settings.window_seconds)
        called_ai = bool(score >= detector.threshold(apart))
        p_ai = {UNPROCESSED: score}
        others = [one for one in codecs if one.name != UNPROCESSED]
        if others:
            plain = own if detector.sample_rate == CODEC_RATE else windows(CODEC_RATE)
        for codec in others:
            coded = reencode(plain.windows, CODEC_RATE, codec, PYAV)
            p_ai[str(codec)] = track_score(detector, coded, plain.starts, CODEC_RATE)
    except Exception as error:  # one bad track must not end a bench
        return TrackScores(row.track_id, {}, False, 0.0, f"{type(error).__name__}: {error}"[:300])
    return TrackScores(row.track_id, p_ai, called_ai, seconds)


def peak_bytes() -> int:
    """Most memory that this process ever held; 0 where the platform does not say.

    ``getrusage`` would count what the parent held when it started this process.
    """
    status = Path("/proc/self/status")
    for line in status.read_text().splitlines() if status.exists() else ():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


CRASHED = "crashed: "
"""Begins the error of a track that ended a detector's process; it is not tried again."""


class Stored(NamedTuple):
    """What a file of scores holds so far.

    Attributes:
      settings: of its first line.
      scores: by track; of one that was tried again the last.
      peak_bytes: most memory of any of its processes.
    """

    settings: dict[str, Any]
    scores: dict[str, TrackScores]
    peak_bytes: int

    def is_done(self, track_id: str) -> bool:
        """Whether a track needs no further try: errors may have passed."""
        found = self.scores.get(track_id)
        return found is not None and (not found.error or found.error.startswith(CRASHED))


def content_of(asked: str) -> str:
    """SHA-256 of the files that a detector names; empty where it names none."""
    path = Path(asked.partition(":")[2] or ".")
    if asked == "artifactnet":
        path = SHIPPED_WEIGHTS
    elif ":" not in asked or not path.exists():
        return ""
    beside = path.parent.glob("*.onnx*") if path.suffix == ".toml" else ()
    inside = path.rglob("*") if path.is_dir() else ()
    digest = hashlib.sha256()
    for one in sorted({path, *beside, *inside}):
        if one.is_file():
            with one.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def without_torn_line(path: Path) -> None:
    """Cut off what a bench that was killed left of its last line."""
    if path.exists():
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            path.write_bytes(whole)


def stored(path: Path) -> Stored:
    """What ``path`` holds."""
    settings: dict[str, Any] = {}
    peak = 0
    scores: dict[str, TrackScores] = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            found = json.loads(line)
        except json.JSONDecodeError:
            continue  # the last line of a bench that was killed
        if "track_id" in found:
            scores[found["track_id"]] = TrackScores(**found)
        elif DONE in found:
            peak = max(peak, int(found["peak_bytes"]))
        else:
            settings = found
    return Stored(settings, scores, peak)


def _score_all(
    settings: BenchSettings,
    rows: list[ManifestRow],
    codecs: tuple[CodecSpec, ...],
    path: Path,
    answer: Any,
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process
    FileSystems.set_options(PipelineOptions([]))  # S3 wants to be told its defaults
    options = DecodeOptions(settings.segments, access=s3_access(PipelineOptions([])))
    known = stored(path)
    try:
        detector = open_detector(settings.detector)
    except (DetectorError, ModuleNotFoundError) as error:
        answer.send(error)
        return
    embedded = EmbeddedAudioReader()
    with path.open("a") as file:
        if not known.settings:
            file.write(json.dumps(asdict(settings) | {"name": detector.name}) + "\n")
        for row in rows:
            if known.is_done(row.track_id):
                continue
            answer.send((BEGUN, row.track_id))
            scored = scores_of(detector, row, settings, codecs, embedded, options)
            file.write(json.dumps(scored._asdict()) + "\n")
            file.flush()
            answer.send((ENDED, row.track_id))
        file.write(json.dumps({DONE: True, "peak_bytes": peak_bytes()}) + "\n")


def score_catalogue(
    settings: BenchSettings, rows: list[ManifestRow], codecs: tuple[CodecSpec, ...], path: Path
) -> Iterator[str]:
    """Score every row that ``path`` does not hold yet; yields the id of each as it is done.

    Raises:
      DetectorError: the detector can't be loaded, or its process died.
      ModuleNotFoundError: a package is missing.
    """
    without_torn_line(path)
    known = stored(path)
    if known.settings and all(known.is_done(row.track_id) for row in rows):
        return
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(
        target=_score_all, args=(settings, rows, codecs, path, theirs), daemon=False
    )
    process.start()
    theirs.close()
    begun = ""
    try:
        while True:
            try:
                found = ours.recv()
            except EOFError:
                break
            if isinstance(found, Exception):
                raise found
            begun = found[1] if found[0] == BEGUN else ""
            if found[0] == ENDED:
                yield found[1]
        process.join()
    finally:
        if process.is_alive():
            process.terminate()
        process.join()
    if process.exitcode:
        code = process.exitcode
        why = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        if begun:
            without_torn_line(path)
            with path.open("a") as file:
                lost = TrackScores(begun, {}, False, 0.0, f"{CRASHED}{why}")
                file.write(json.dumps(lost._asdict()) + "\n")
        raise DetectorError(
            f"--detector {settings.detector}: its process ended with {why}"
            f"{f' on track {begun}' if begun else ''}; the same command goes on after that"
        )


def settings_differ(path: Path, settings: BenchSettings) -> bool:
    """Whether ``path`` holds scores that were made in another way."""
    found = stored(path).settings
    wanted = json.loads(json.dumps(asdict(settings)))
    return bool(found) and {key: found.get(key) for key in wanted} != wanted


def mean_seconds(scores: list[TrackScores]) -> float:
    """Of scoring a track, after decoding; NaN without any."""
    found = [one.seconds for one in scores if not one.error]
    return float(np.mean(found)) if found else float("nan")
