"""Score a few files without a Beam job.

Enters: paths. Leaves: the results that the audit would give, by the same functions in the
same order, on standard output.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from models.artifactnet import SHIPPED_WEIGHTS
from pipeline.catalogue import absolute
from pipeline.verdict_table import VerdictLine, print_verdicts, summary
from transforms.codec import CodecOptions, batches_of, recode
from transforms.codec_roundtrip import BACKENDS, CodecBackend, CodecSpec
from transforms.decode import DecodeOptions, decode_row
from transforms.detector_stages import Detector, DetectorOptions, detector_of
from transforms.embedded_audio import EmbeddedAudioReader
from transforms.records import AuditedTrack, ErrorRow, ManifestRow, SegmentBatch
from transforms.stage import StageMetrics, run_stage
from transforms.verdict import audit_result


def score_rows(
    rows: Iterable[ManifestRow],
    detector: Detector,
    decode: DecodeOptions,
    codecs: CodecOptions,
) -> Iterator[AuditedTrack | ErrorRow]:
    """One result per row, in order.

    Raises:
      CodecError: the codec backend is not installed.
    """
    config = detector.config
    backend: CodecBackend = BACKENDS[codecs.backend]()
    embedded = EmbeddedAudioReader()
    stages: tuple[tuple[str, Callable[[Any], Any]], ...] = (
        ("stft", detector.magnitude),
        ("residual", detector.residual),
        ("hpss", detector.separate),
        ("features", detector.channels),
        ("classify", detector.scores),
    )
    for row in rows:
        track = decode_row(row, config, decode, embedded)
        done: list[SegmentBatch] = []
        for spec, batch in batches_of(track, codecs.codecs, detector.segments_per_batch):
            through = partial(recode, sample_rate=config.sample_rate, spec=spec, backend=backend)
            scored: SegmentBatch = run_stage(StageMetrics("codec"), batch, through)
            for stage, compute in stages:
                scored = run_stage(StageMetrics(stage), scored, compute)
            done.append(scored)
        yield audit_result(done, config.threshold_real, config.threshold_ai)


@dataclass(frozen=True)
class ScoreRequest:
    """Which files to score and how; fields as in :class:`pipeline.audit.AuditRequest`."""

    files: tuple[str, ...]
    segments: int | None
    codecs: tuple[CodecSpec, ...]
    codec_backend: str
    weights: Path | None
    device: str


def _json(result: AuditedTrack | ErrorRow) -> dict[str, Any]:
    if isinstance(result, ErrorRow):
        return {"verdict": "error", **asdict(result)}
    return {
        "track_id": result.track.row.track_id,
        "uri": result.track.row.uri,
        **asdict(result.verdict),
        "codec_scores": dict(result.verdict.codec_scores),
        "segments": [{"codec": s.codec, "start": s.start, "p_ai": s.p_ai} for s in result.segments],
        "notes": list(result.track.notes),
    }


def _line(result: AuditedTrack | ErrorRow) -> VerdictLine:
    if isinstance(result, ErrorRow):
        note = f"{result.stage}: {result.message}"
        return VerdictLine(result.track_id or "", "error", note=note)
    verdict = result.verdict
    return VerdictLine(
        result.track.row.track_id,
        verdict.verdict,
        verdict.p_ai,
        verdict.p_ai_spread,
        verdict.codec_drift,
        len(result.segments) // len(verdict.codec_scores),
        "; ".join(result.track.notes),
    )


def print_scores(request: ScoreRequest, as_json: bool) -> None:
    """Score files and print a table, or one JSON object a line.

    Raises:
      WeightsError, CodecError, ValueError: the request can't be carried out.
    """
    weights = (request.weights or SHIPPED_WEIGHTS).absolute()
    results = score_rows(
        [
            ManifestRow(path, absolute(path), "arguments", number)
            for number, path in enumerate(request.files, start=1)
        ],
        detector_of(DetectorOptions(weights, request.device)),
        DecodeOptions(request.segments),
        CodecOptions(request.codecs, request.codec_backend),
    )
    if as_json:
        for result in results:
            print(json.dumps(_json(result)), flush=True)
        return
    lines = [_line(result) for result in results]
    console = Console(highlight=False, soft_wrap=True)
    print_verdicts(lines, len(lines), console)
    console.print(f"\n{summary(Counter(line.verdict for line in lines))}")
