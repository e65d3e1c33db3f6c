"""Read the manifests of a catalogue.

Enters: nothing (the addresses are arguments). Leaves: ``rows``, one
:class:`~transforms.records.ManifestRow` per usable line with a ``track_id`` of its own, and
``errors``, one :class:`~transforms.records.ErrorRow` per line that is malformed or repeats a
``track_id`` (the first line keeps it). Lines go in; no line is lost.
"""

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple, TypeAlias

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.typehints.decorators import no_annotations

from transforms.audio_errors import DuplicateTrackError, ManifestRowError
from transforms.manifest_format import read_rows
from transforms.manifest_layout import ManifestLayout, manifest_row
from transforms.records import ErrorRow, ManifestRow, RawRow
from transforms.stage import NAMESPACE, StageMetrics

ERRORS = "errors"
STAGE = "manifest"
ManifestErrorOutput: TypeAlias = beam.pvalue.TaggedOutput[Literal["errors"], ErrorRow]


class ManifestRows(NamedTuple):
    """The two outputs of :class:`ReadManifest`."""

    rows: beam.PCollection[ManifestRow]
    errors: beam.PCollection[ErrorRow]


class ParseManifestDoFn(beam.DoFn):
    """Reads one manifest from start to end."""

    def __init__(self, layout: ManifestLayout) -> None:
        self._layout = layout
        self._rows = Metrics.counter(NAMESPACE, "rows_in")
        self._metrics = StageMetrics(STAGE)

    def process(self, address: str) -> Iterator[ManifestRow | ManifestErrorOutput]:
        """Yield the rows, and an error row for each line that isn't one."""
        rows = read_rows(address)
        while True:
            try:
                raw = next(rows, None)
            except ValueError as error:
                # The file ends early: what was read is good, what follows is one error.
                raw = ManifestRowError(str(error))
                rows = iter(())
            if raw is None:
                return
            self._rows.inc()
            with self._metrics.timed():
                result = self._row(raw, address)
            yield result

    def _row(
        self, raw: RawRow | ManifestRowError, address: str
    ) -> ManifestRow | ManifestErrorOutput:
        if isinstance(raw, ManifestRowError):
            self._metrics.failures.inc()
            text = str(raw)
            return _error(None, None, raw, text if address in text else f"{address} {text}")
        try:
            return manifest_row(raw, address, self._layout)
        except ManifestRowError as error:
            self._metrics.failures.inc()
            named = (raw.values.get(name) for name in ("track_id", "uri"))
            track_id, uri = (None if value is None else str(value) for value in named)
            return _error(track_id, uri, error, f"{address} line {raw.line}: {error}")


def _error(
    track_id: str | None, uri: str | None, error: Exception, message: str
) -> ManifestErrorOutput:
    row = ErrorRow(track_id, uri, STAGE, type(error).__name__, message)
    return beam.pvalue.TaggedOutput(ERRORS, row)


class KeepFirstDoFn(beam.DoFn):
    """Of the rows that share a ``track_id``, the first line stays."""

    def __init__(self) -> None:
        self._metrics = StageMetrics("deduplicate")

    def process(
        self, group: tuple[str, Iterable[ManifestRow]]
    ) -> Iterator[ManifestRow | ManifestErrorOutput]:
        """Yield the first row, and an error row for each other; the group is only streamed."""
        with self._metrics.timed():
            first = min(group[1], key=_place)
        yield first
        for row in group[1]:
            if _place(row) != _place(first):
                self._metrics.failures.inc()
                message = (
                    f"{row.manifest} line {row.line}: track_id {row.track_id!r} is taken by "
                    f"{first.manifest} line {first.line}"
                )
                yield _error(row.track_id, row.uri, DuplicateTrackError(), message)


def _place(row: ManifestRow) -> tuple[str, int]:
    return row.manifest, row.line


class ReadManifest(beam.PTransform):
    """Rows of every manifest, each ``track_id`` once."""

    def __init__(self, addresses: Iterable[str], layout: ManifestLayout) -> None:
        super().__init__()
        self._addresses = sorted(addresses)
        self._layout = layout

    @no_annotations  # of transforms with two outputs, Beam knows no type
    def expand(self, begin: beam.pvalue.PBegin) -> ManifestRows:
        """Read, then settle duplicates."""
        parsed = (
            begin
            | "Manifests" >> beam.Create(self._addresses)
            | "Parse"
            >> beam.ParDo(ParseManifestDoFn(self._layout)).with_outputs(ERRORS, main="rows")
        )
        unique = (
            parsed.rows
            | "KeyByTrackId"
            >> beam.WithKeys(lambda row: row.track_id).with_output_types(tuple[str, ManifestRow])
            | "GroupByTrackId" >> beam.GroupByKey()
            | "KeepFirst" >> beam.ParDo(KeepFirstDoFn()).with_outputs(ERRORS, main="rows")
        )
        errors = (parsed[ERRORS], unique[ERRORS]) | "ManifestErrors" >> beam.Flatten()
        return ManifestRows(unique.rows, errors)
