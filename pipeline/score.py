"""Score a few files without a Beam job.

Enters: paths. Leaves: the results that the audit would give, by the same functions in the
same order, on standard output.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions
from rich.console import Console

from pipeline.catalogue import absolute
from pipeline.verdict_table import VerdictLine, print_verdicts, summary
from transforms.codec import CodecOptions, batches_of, recode
from transforms.codec_roundtrip import BACKENDS, CodecBackend, CodecSpec, check_codecs
from transforms.decode import DecodeOptions, decode_row
from transforms.detector_stages import DetectorOptions, detector_of, segment_stages
from transforms.embedded_audio import EmbeddedAudioReader
from transforms.object_store import s3_access
from transforms.records import AuditedTrack, ErrorRow, ManifestRow, SegmentBatch
from transforms.stage import StageMetrics, run_stage
from transforms.verdict import audit_result


def score_rows(
    rows: Iterable[ManifestRow],
    detector: Any,
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
    stages = segment_stages(detector)
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
        row = result.row
        return {"verdict": "error", "track_id": row.track_id, "uri": row.uri} | asdict(
            result.failure
        )
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
        note = f"{result.failure.stage}: {result.failure.message}"
        return VerdictLine(result.row.track_id, "error", note=note)
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


def print_scores(request: ScoreRequest, as_json: bool) -> int:
    """Score files and print a table, or one JSON object a line.

    Returns:
      Exit code: 1 when not one file could be scored.

    Raises:
      WeightsError, CodecError, ValueError: the request can't be carried out.
    """
    FileSystems.set_options(PipelineOptions([]))  # S3 wants to be told its defaults
    weights = request.weights.absolute() if request.weights else None
    check_codecs(request.codecs, BACKENDS[request.codec_backend]())
    results = score_rows(
        [
            ManifestRow(path, absolute(path), "arguments", number)
            for number, path in enumerate(request.files, start=1)
        ],
        detector_of(DetectorOptions(weights, device=request.device)),
        DecodeOptions(request.segments, access=s3_access(PipelineOptions([]))),
        CodecOptions(request.codecs, request.codec_backend),
    )
    verdicts: Counter[str] = Counter()
    lines = []
    for result in results:
        line = _line(result)
        verdicts[line.verdict] += 1
        if as_json:
            print(json.dumps(_json(result)), flush=True)
        else:
            lines.append(line)
    if not as_json:
        console = Console(highlight=False, soft_wrap=True, emoji=False)
        print_verdicts(lines, len(lines), console, len(lines))
        console.print(f"\n{summary(verdicts)}")
    return 1 if verdicts["error"] == len(request.files) else 0
