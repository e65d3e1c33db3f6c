"""Score a few files without a Beam job.

Enters: paths. Leaves: the results that the audit would give, by the same functions in the same
order, on standard output.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from artifactnet.pipeline.audit.prepare import detector_options
from artifactnet.pipeline.audit.report import print_verdicts, result_line, results_console, summary
from artifactnet.pipeline.audit.request import ScoreRequest
from artifactnet.transforms.audio.codec_spec import CodecSpec
from artifactnet.transforms.audio.lossy_codec import BACKENDS, check_codecs
from artifactnet.transforms.decode import DecodeOptions, decode_blocks
from artifactnet.transforms.detector.chain import chain_of
from artifactnet.transforms.detector.detector import AnyDetector, detector_of
from artifactnet.transforms.elements.records import (
    AuditedTrack,
    DecodedTrack,
    ErrorRow,
    ManifestRow,
    SegmentBatch,
)
from artifactnet.transforms.elements.stage import StageMetrics, run_stage
from artifactnet.transforms.manifests.parquet import EmbeddedAudioReader
from artifactnet.transforms.reencode import ReencodeOptions, batches_of, reencode
from artifactnet.transforms.storage.files import absolute
from artifactnet.transforms.storage.object_store import s3_access
from artifactnet.transforms.verdict import audit_result


def score_track(
    track: DecodedTrack | Iterable[DecodedTrack],
    detector: AnyDetector,
    codecs: tuple[CodecSpec, ...],
    backend: str,
) -> AuditedTrack | ErrorRow:
    """The result of one track, decoded at once or in pieces, by every stage from there on."""
    config = detector.config
    done: list[SegmentBatch] = []
    for piece in [track] if isinstance(track, DecodedTrack) else track:
        for spec, batch in batches_of(piece, codecs, detector.segments_per_batch, len(done)):
            through = partial(reencode, sample_rate=config.sample_rate, spec=spec, backend=backend)
            scored: SegmentBatch = run_stage(StageMetrics("codec"), batch, through)
            for stage in chain_of(detector):
                compute = partial(stage.compute, detector)
                scored = run_stage(StageMetrics(stage.name), scored, compute)
            done.append(scored)
    return audit_result(done, config)


def score_rows(
    rows: Iterable[ManifestRow],
    detector: AnyDetector,
    decode: DecodeOptions,
    codecs: ReencodeOptions,
) -> Iterator[AuditedTrack | ErrorRow]:
    """One result per row, in order."""
    embedded = EmbeddedAudioReader()
    for row in rows:
        pieces = decode_blocks(row, detector.config, decode, embedded)
        yield score_track(pieces, detector, codecs.codecs, codecs.backend)


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


def print_scores(request: ScoreRequest, as_json: bool) -> int:
    """Score files and print a table, or one JSON object a line.

    Returns:
      Exit code: 1 when not one file could be scored.

    Raises:
      WeightsError, CodecError, ValueError: the request can't be carried out.
    """
    for name in request.files:
        if Path(name).is_dir():
            raise ValueError(f"{name} is a folder: artifactnet audit {name} -o OUTPUT")
    FileSystems.set_options(PipelineOptions([]))  # S3 wants to be told its defaults
    access = s3_access(PipelineOptions([]))
    detector = detector_options(request.weights, request.model, request.device, access)
    check_codecs(request.codecs, BACKENDS[request.codec_backend]())
    results = score_rows(
        [
            ManifestRow(path, absolute(path), "arguments", number)
            for number, path in enumerate(request.files, start=1)
        ],
        detector_of(detector),
        DecodeOptions(request.segments, access=access),
        ReencodeOptions(request.codecs, request.codec_backend),
    )
    verdicts: Counter[str] = Counter()
    lines = []
    for result in results:
        line = result_line(result)
        verdicts[line.verdict] += 1
        if as_json:
            print(json.dumps(_json(result)), flush=True)
        else:
            lines.append(line)
    if not as_json:
        console = results_console()
        print_verdicts(lines, len(lines), console, len(lines))
        console.print(f"\n{summary(verdicts)}")
    return 1 if verdicts["error"] == len(request.files) else 0
