"""``artifactnet review``: serve the queue on this machine, or take decisions from a spreadsheet.

Enters: a ``ReviewRequest``. Leaves: decisions beside the audit.
"""

import contextlib
import json
import secrets
import socket
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from artifactnet.models.whole_file import whole_file
from artifactnet.pipeline.audit.prepare import detector_options
from artifactnet.pipeline.evidence.reference import load_reference
from artifactnet.pipeline.evidence.render import list_page, missing_page, track_page
from artifactnet.pipeline.evidence.track import UnheardTrackError, heard, track_evidence
from artifactnet.pipeline.output.latest import read_audit
from artifactnet.pipeline.output.run_record import versions
from artifactnet.pipeline.review.decisions import (
    append,
    decisions_of_csv,
    labelled_rows,
    latest_decisions,
)
from artifactnet.pipeline.review.queue import Asked, Queue
from artifactnet.pipeline.review.request import ReviewRequest
from artifactnet.pipeline.review.server import ReviewBar, review_app
from artifactnet.transforms.detector.detector import detector_of
from artifactnet.transforms.storage.files import absolute
from artifactnet.transforms.storage.object_store import s3_access

KEPT_PAGES = 32
"""Tracks whose evidence is kept, so that going back costs nothing."""


def import_decisions(request: ReviewRequest) -> int:
    """Take the decisions of ``request.import_``; returns how many.

    Raises:
      ValueError: naming the file and the line that can't be used; nothing is taken then.
    """
    assert request.import_ is not None
    output = absolute(request.audit)
    rows = read_audit(output).tracks.to_pylist()
    try:
        with request.import_.open(newline="", encoding="utf-8-sig") as lines:
            made = decisions_of_csv(lines, rows, request.reviewer)
    except (ValueError, UnicodeDecodeError) as error:
        raise ValueError(f"{request.import_}: {error}") from error
    append(output, made)
    return len(made)


def export_decisions(request: ReviewRequest) -> Counter[str]:
    """Write the manifest ``request.export`` of what was decided; returns how many of each label.

    Raises:
      ValueError: the file is there already, or nothing was decided.
    """
    assert request.export is not None
    output = absolute(request.audit)
    if request.export.exists():
        raise ValueError(f"{request.export} is there already; remove it, or name another file")
    rows = read_audit(output).tracks.to_pylist()
    labelled = list(labelled_rows(rows, latest_decisions(output)))
    if not labelled:
        raise ValueError(f"{request.audit}: nobody has decided ai or real on any of its tracks")
    with whole_file(request.export) as partial:
        partial.write_text("".join(json.dumps(row) + "\n" for row in labelled))
    return Counter(row["label"] for row in labelled)


def _pages(request: ReviewRequest):  # type: ignore[no-untyped-def]
    access = s3_access(PipelineOptions(list(request.beam_options)))
    output = absolute(request.audit)
    options = detector_options(request.weights, request.model, "auto", access)
    detector = detector_of(options)
    reference = load_reference(options.weights, detector.model_id)
    rows: dict[str, Mapping[str, Any]] = {}

    @lru_cache(KEPT_PAGES)
    def evidence(name: str):  # type: ignore[no-untyped-def]
        decoded = heard(rows[name], output, detector, access)
        return track_evidence(rows[name], decoded, detector, reference)

    def page(asked: Asked, bar: ReviewBar) -> str:
        rows[asked.fingerprint] = asked.row
        try:
            found, sound = evidence(asked.fingerprint)
        except UnheardTrackError as error:
            return missing_page(asked.row, str(error), bar)
        hop_length = detector.config.hop_length
        return track_page(found, sound, reference, hop_length, versions(), review=bar)

    return page


def serve(request: ReviewRequest) -> None:
    """Serve the queue until Ctrl-C.

    Raises:
      ValueError: no audit is there, or there is nothing to review.
    """
    import uvicorn

    output = absolute(request.audit)
    rows = read_audit(output).tracks.to_pylist()
    queue = Queue(rows, latest_decisions(output), tuple(request.verdict))
    if not len(queue):
        raise ValueError(f"{request.audit}: no track is {' or '.join(request.verdict)}")
    token = secrets.token_urlsafe(16)
    app = review_app(
        queue, token, request.reviewer, _pages(request), list_page,
        lambda decision: append(output, [decision]),
    )  # fmt: skip
    with listening(request.port) as door:
        address = f"http://127.0.0.1:{door.getsockname()[1]}/{token}/"
        left = len(queue) - queue.decided
        print(f"{left} of {len(queue)} different files to review: {address}", flush=True)
        print("Ctrl-C ends it; every decision is kept at once.", flush=True)
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", access_log=False))
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[door])
    print(f"{queue.decided} of {len(queue)} decided: {output}/decisions/")


def listening(port: int) -> socket.socket:
    """A socket of this machine only.

    Raises:
      ValueError: the port is taken.
    """
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError as error:
        raise ValueError(
            f"--port {port}: {error.strerror or error}; another number, or none, takes a free one"
        ) from error


def run_review(request: ReviewRequest) -> None:
    """Import, export, or serve.

    Raises:
      ValueError: see ``import_decisions``, ``export_decisions`` and ``serve``.
    """
    FileSystems.set_options(PipelineOptions(list(request.beam_options)))
    if request.export:
        made = export_decisions(request)
        print(f"{request.export}: {made['ai']} tracks decided ai, {made['real']} real")
        return
    if request.import_ is None:
        serve(request)
        return
    count = import_decisions(request)
    print(f"{request.import_}: {count} decisions by {request.reviewer}")
