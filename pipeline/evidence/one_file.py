"""``artifactnet score FILE --report page.html``: the evidence on one file, without an audit.

Enters: a ``ScoreRequest`` of one file. Leaves: its page, and its result on standard output.
"""

import json
from pathlib import Path
from typing import Any

from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from artifactnet.models.whole_file import whole_file
from artifactnet.pipeline.audit.prepare import detector_options
from artifactnet.pipeline.audit.report import print_verdicts, result_line, results_console
from artifactnet.pipeline.audit.request import ScoreRequest
from artifactnet.pipeline.audit.score import score_track
from artifactnet.pipeline.evidence.reference import load_reference
from artifactnet.pipeline.evidence.render import track_page
from artifactnet.pipeline.evidence.tables import evidence_fields
from artifactnet.pipeline.evidence.track import track_evidence
from artifactnet.pipeline.output.run_record import versions
from artifactnet.transforms.decode import DecodeOptions, decode_row
from artifactnet.transforms.detector.detector import detector_of
from artifactnet.transforms.elements.output_schema import RunFacts, track_record
from artifactnet.transforms.elements.records import ErrorRow, ManifestRow
from artifactnet.transforms.manifests.parquet import EmbeddedAudioReader
from artifactnet.transforms.storage.files import absolute
from artifactnet.transforms.storage.object_store import s3_access


def print_page(request: ScoreRequest, page: Path, as_json: bool) -> int:
    """Write the page of the one file of ``request`` and print its result.

    Returns:
      Exit code: 1 where the file can't be scored.

    Raises:
      ValueError: more than one file, or the request can't be carried out.
      WeightsError: the detector can't be used.
    """
    if len(request.files) != 1:
        raise ValueError("--report makes the page of one file; artifactnet report, of an audit")
    FileSystems.set_options(PipelineOptions([]))  # S3 wants to be told its defaults
    access = s3_access(PipelineOptions([]))
    options = detector_options(request.weights, request.model, request.device, access)
    detector = detector_of(options)
    (path,) = request.files
    row = ManifestRow(path, absolute(path), "arguments", 1)
    decode = DecodeOptions(request.segments, access=access)
    decoded = decode_row(row, detector.config, decode, EmbeddedAudioReader())
    result = score_track(decoded, detector, request.codecs, request.codec_backend)
    if isinstance(result, ErrorRow):
        print_verdicts([result_line(result)], 1, results_console())
        return 1
    run = RunFacts("-", detector.model_id, "-", detector.config.threshold_real)
    facts: dict[str, Any] = track_record(result, {}, run)
    facts |= {"run_id": None, "config_id": None}
    reference = load_reference(options.weights, detector.model_id)
    found, sound = track_evidence(facts, decoded, detector, reference)
    with whole_file(page) as partial:
        text = track_page(found, sound, reference, detector.config.hop_length, versions())
        partial.write_text(text, encoding="utf-8")
    if as_json:
        print(json.dumps(evidence_fields(found)))
    else:
        console = results_console()
        print_verdicts([result_line(result)], 1, console)
        console.print(f"\n{found.claim}\nPage: {page}")
    return 0
