"""One detector on every track of a bench, in a process of its own.

Enters: what to score by whom. Leaves: a file of JSON lines, first the settings, then a line a
track, at last what the process took. A detector that crashes takes nothing else along, its memory
is its own, and a bench that was broken off goes on with the next track.
"""

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
DONE = "done"


@dataclass(frozen=True)
class BenchSettings:
    """What must be alike for scores to be compared.

    Attributes:
      detector: as it was asked for.
      segments: windows a track; ``None`` for all.
      window_seconds: length of a window.
      codecs: that every track goes through.
    """

    detector: str
    segments: int | None
    window_seconds: float
    codecs: tuple[str, ...]


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
        p_ai = {UNPROCESSED: score}
        others = [one for one in codecs if one.name != UNPROCESSED]
        if others:
            plain = own if detector.sample_rate == CODEC_RATE else windows(CODEC_RATE)
        for codec in others:
            coded = reencode(plain.windows, CODEC_RATE, codec, PYAV)
            p_ai[str(codec)] = track_score(detector, coded, plain.starts, CODEC_RATE)
    except Exception as error:  # one bad track must not end a bench
        return TrackScores(row.track_id, {}, False, 0.0, f"{type(error).__name__}: {error}"[:300])
    return TrackScores(row.track_id, p_ai, score >= detector.threshold(apart), seconds)


def peak_bytes() -> int:
    """Most memory that this process ever held; 0 where the platform does not say.

    ``getrusage`` would count what the parent held when it started this process.
    """
    status = Path("/proc/self/status")
    for line in status.read_text().splitlines() if status.exists() else ():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def stored(path: Path) -> tuple[dict[str, Any], list[TrackScores], dict[str, Any]]:
    """Settings, scores and end of a file of scores, as far as it has come."""
    settings: dict[str, Any] = {}
    end: dict[str, Any] = {}
    scores: list[TrackScores] = []
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            found = json.loads(line)
        except json.JSONDecodeError:
            continue  # the last line of a bench that was killed
        if "track_id" in found:
            scores.append(TrackScores(**found))
        elif DONE in found:
            end = found
        else:
            settings = found
    return settings, scores, end


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
    known = {one.track_id for one in stored(path)[1]}
    try:
        detector = open_detector(settings.detector)
    except (DetectorError, ModuleNotFoundError) as error:
        answer.send(error)
        return
    embedded = EmbeddedAudioReader()
    with path.open("a") as file:
        if not known:
            file.write(json.dumps(asdict(settings) | {"name": detector.name}) + "\n")
        for row in rows:
            if row.track_id in known:
                continue
            scored = scores_of(detector, row, settings, codecs, embedded, options)
            file.write(json.dumps(scored._asdict()) + "\n")
            file.flush()
            answer.send(row.track_id)
        file.write(json.dumps({DONE: True, "peak_bytes": peak_bytes()}) + "\n")


def score_catalogue(
    settings: BenchSettings, rows: list[ManifestRow], codecs: tuple[CodecSpec, ...], path: Path
) -> Iterator[str]:
    """Score every row that ``path`` does not hold yet; yields the id of each as it is done.

    Raises:
      DetectorError: the detector can't be loaded, or its process died.
      ModuleNotFoundError: a package is missing.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(
        target=_score_all, args=(settings, rows, codecs, path, theirs), daemon=False
    )
    process.start()
    theirs.close()
    try:
        while True:
            try:
                found = ours.recv()
            except EOFError:
                break
            if isinstance(found, Exception):
                raise found
            yield found
        process.join()
    finally:
        if process.is_alive():
            process.terminate()
        process.join()
    if process.exitcode:
        code = process.exitcode
        why = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        raise DetectorError(
            f"--detector {settings.detector}: its process ended with {why}; the same command goes "
            "on after the last track that it scored"
        )


def settings_differ(path: Path, settings: BenchSettings) -> bool:
    """Whether ``path`` holds scores that were made in another way."""
    found, _, _ = stored(path)
    wanted = json.loads(json.dumps(asdict(settings)))
    return bool(found) and {key: found.get(key) for key in wanted} != wanted


def mean_seconds(scores: list[TrackScores]) -> float:
    """Of scoring a track, after decoding; NaN without any."""
    found = [one.seconds for one in scores if not one.error]
    return float(np.mean(found)) if found else float("nan")
