"""``artifactnet report``: pages that a reviewer, or the artist, can act on.

Enters: a ``ReportRequest``. Leaves: ``index.html`` of the catalogue, ``tracks/*.html`` of tracks,
and the same facts as ``evidence/*.parquet``.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from artifactnet.models.whole_file import whole_file
from artifactnet.pipeline.audit.local_runner import usable_cores
from artifactnet.pipeline.audit.prepare import detector_options
from artifactnet.pipeline.evidence.catalogue import catalogue_facts
from artifactnet.pipeline.evidence.reference import Reference, load_reference
from artifactnet.pipeline.evidence.render import PageLink, catalogue_page, page_name, track_page
from artifactnet.pipeline.evidence.request import ReportRequest
from artifactnet.pipeline.evidence.tables import write_evidence
from artifactnet.pipeline.evidence.track import (
    TrackEvidence,
    UnheardTrackError,
    heard,
    track_evidence,
)
from artifactnet.pipeline.output.latest import read_audit
from artifactnet.pipeline.output.listing import Choice, chosen_of
from artifactnet.pipeline.output.run_record import versions
from artifactnet.transforms.detector.detector import DetectorOptions, detector_of
from artifactnet.transforms.elements.verdicts import AI, PARTIAL
from artifactnet.transforms.storage.files import absolute
from artifactnet.transforms.storage.object_store import s3_access

PROCESSES_FROM = 6
"""Fewer tracks are done before a second process has started."""


@dataclass(frozen=True)
class Report:
    """What was made.

    Attributes:
      index: page of the catalogue.
      pages: of tracks.
      missing: tracks whose sound can't be had any more, and why.
    """

    index: Path
    pages: tuple[Path, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class _Job:
    facts: Mapping[str, Any]
    audit: str
    detector: DetectorOptions
    page: Path
    contact: str
    with_audio: bool


@lru_cache(maxsize=1)
def _reference(weights: Path | None, model_id: str) -> Reference | None:
    return load_reference(weights, model_id)


def _make_page(job: _Job) -> TrackEvidence | str:
    """Write one page; returns its facts, or why there is none."""
    detector = detector_of(job.detector)
    reference = _reference(job.detector.weights, detector.model_id)
    try:
        decoded = heard(job.facts, job.audit, detector, job.detector.access)
        found, sound = track_evidence(job.facts, decoded, detector, reference)
    except UnheardTrackError as error:
        return str(error)
    page = track_page(
        found, sound, reference, detector.config.hop_length, versions(),
        contact=job.contact, index="../index.html", with_audio=job.with_audio,
    )  # fmt: skip
    with whole_file(job.page) as partial:
        partial.write_text(page, encoding="utf-8")
    return found


def _made(jobs: list[_Job], workers: int) -> Iterator[TrackEvidence | str]:
    count = min(workers or usable_cores(), len(jobs))
    if count < 2 or len(jobs) < PROCESSES_FROM:
        yield from map(_make_page, jobs)
        return
    with ProcessPoolExecutor(
        count, get_context("spawn"), torch.set_num_threads, (max(1, usable_cores() // count),)
    ) as pool:
        yield from pool.map(_make_page, jobs)


def _chosen(request: ReportRequest, tracks: pa.Table) -> list[dict[str, Any]]:
    if request.track:
        rows = {row["track_id"]: row for row in tracks.to_pylist()}
        if missing := [name for name in request.track if name not in rows]:
            raise ValueError(f"--track {missing[0]}: the audit has no such track with a verdict")
        return [rows[name] for name in request.track]
    if not (request.flagged or request.top):
        return []
    most = 0 if request.flagged else request.top
    return chosen_of(tracks, Choice((AI, PARTIAL), limit=most)).rows


def make_report(request: ReportRequest) -> Report:
    """Make the pages.

    Raises:
      ValueError: no audit is there, a track isn't in it, or pages are there already.
      WeightsError: the detector can't be used.
    """
    FileSystems.set_options(PipelineOptions(list(request.beam_options)))
    audit = absolute(request.audit)
    index = request.output / "index.html"
    if absolute(str(request.output)) == audit.rstrip("/"):
        raise ValueError(f"{request.output} holds the audit; -o names another folder for the pages")
    if index.exists() and not request.overwrite:
        raise ValueError(f"{index} is there; --overwrite replaces it, -o names another folder")
    access = s3_access(PipelineOptions(list(request.beam_options)))
    options = detector_options(request.weights, request.model, request.device, access)
    detector = detector_of(options)
    tables = read_audit(audit)
    alike = set(tables.tracks["model_id"].unique().to_pylist()) <= {detector.model_id}
    reference = _reference(options.weights, detector.model_id) if alike else None
    facts = catalogue_facts(audit, tables, reference, detector.config)
    chosen = _chosen(request, tables.tracks)
    if request.output.exists() and not request.output.is_dir():
        raise ValueError(f"{request.output} is a file; -o names a folder")
    pages = request.output / "tracks"
    pages.mkdir(parents=True, exist_ok=True)
    jobs = [
        _Job(
            row,
            audit,
            options,
            pages / page_name(row["track_id"]),
            request.contact,
            not request.no_audio,
        )
        for row in chosen
    ]
    found, missing, links = [], [], []
    for job, made in zip(jobs, _made(jobs, request.workers), strict=True):
        if isinstance(made, str):
            missing.append(made)
            links.append(PageLink(job.facts, ""))
        else:
            found.append(made)
            links.append(PageLink(job.facts, job.page.name))
    write_evidence(found, request.output / "evidence")
    with whole_file(index) as partial:
        partial.write_text(catalogue_page(facts, links, reference, versions()), encoding="utf-8")
    written = tuple(job.page for job, link in zip(jobs, links, strict=True) if link.page)
    return Report(index, written, tuple(missing))


def print_report(request: ReportRequest, as_json: bool) -> int:
    """Make the pages and say where they are.

    Returns:
      Exit code: 1 where a track that was asked for has no page.
    """
    done = make_report(request)
    if as_json:
        print(json.dumps(asdict(done), default=str))
    else:
        for line in done.missing:
            print(f"no page: {line}", file=sys.stderr)
        print(f"{done.index}: {len(done.pages)} pages of tracks")
    return 1 if request.track and done.missing else 0
