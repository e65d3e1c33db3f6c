"""Read the manifests of a catalogue.

Enters: nothing (the addresses are arguments). Leaves: one ``ManifestRow`` per line, in packs by
the bucket of its key. A line that is malformed is a row too, with the reason in ``failure``, and
becomes an error row in the end. Lines go in; no line is lost.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import apache_beam as beam

from artifactnet.transforms.elements.errors import ManifestRowError
from artifactnet.transforms.elements.packs import Pack, packed
from artifactnet.transforms.elements.records import ManifestRow, RawRow, StageFailure
from artifactnet.transforms.elements.row_key import (
    MANIFEST_STAGE,
    bucket_of,
    digest_of,
    is_listing,
    place_key,
)
from artifactnet.transforms.elements.stage import StageMetrics
from artifactnet.transforms.manifests.columns import ManifestLayout, manifest_row
from artifactnet.transforms.manifests.formats import read_rows
from artifactnet.transforms.manifests.roots import AllowedRoots
from artifactnet.transforms.manifests.sample import RowSample

NO_MANIFEST = ""


def failed_row(row: ManifestRow, error: Exception, message: str) -> ManifestRow:
    """``row`` as one that can't be audited; its identity is that of the message.

    In a listing neither its name nor the line says anything of the file.
    """
    listed = bool(row.track_id) and is_listing(row.manifest)
    told = digest_of(str(error) if listed else message).hex()[:16]
    place = "listed" if listed else f"line {row.line}"
    return replace(
        row,
        failure=StageFailure(MANIFEST_STAGE, type(error).__name__, message),
        content_id=f"{place} {told}",
    )


def line_key(row: ManifestRow) -> str:
    """What tells a line from all others: its ``track_id``, or its place if it has none."""
    return place_key(row.manifest, row.line, row.track_id) if row.failure else row.track_id


class ParseManifestDoFn(beam.DoFn):
    """Reads one manifest from start to end.

    Args:
      layout: of its columns.
      roots: where tracks may lie.
      sample: which of the rows.
      buckets: how many there are.
    """

    def __init__(
        self,
        layout: ManifestLayout,
        roots: AllowedRoots = AllowedRoots(),  # noqa: B008 (frozen)
        sample: RowSample = RowSample(),  # noqa: B008 (frozen)
        buckets: int = 1,
    ) -> None:
        self._layout = layout
        self._roots = roots
        self._sample = sample
        self._buckets = buckets
        self._metrics = StageMetrics(MANIFEST_STAGE)

    def process(self, address: str) -> Iterator[tuple[int, Pack]]:
        """Yield the rows in packs, each with its bucket."""
        return packed((bucket_of(line_key(row), self._buckets), row) for row in self.rows(address))

    def rows(self, address: str) -> Iterator[ManifestRow]:
        """Yield a row per line that belongs to the sample."""
        if address == NO_MANIFEST:
            return
        rows = read_rows(address)
        line = 0
        while True:
            try:
                raw = next(rows, None)
            except ValueError as error:
                # The file ends early: what was read is good, what follows is one error.
                raw = ManifestRowError(str(error))
                rows = iter(())
            if raw is None:
                return
            # Two rows never share a place, so what stands on no line gets the next.
            line = max(raw.line, line + 1)
            with self._metrics.timed():
                row = self._row(raw, address, line)
            if not self._sample.holds(line_key(row)):
                continue
            if row.failure:
                self._metrics.failures.inc()
            yield row

    def _row(self, raw: RawRow | ManifestRowError, address: str, line: int) -> ManifestRow:
        if isinstance(raw, ManifestRowError):
            text = str(raw)
            named = text if address in text else f"{address} {text}"
            return failed_row(ManifestRow("", "", address, line), raw, named)
        try:
            row = manifest_row(raw, address, self._layout)
            if row.embedded is None:
                self._roots.check(row.uri)
            return row
        except ManifestRowError as error:
            track_id, uri = (str(raw.values.get(name) or "") for name in ("track_id", "uri"))
            row = ManifestRow(track_id, uri, address, line)
            return failed_row(row, error, f"{address} line {raw.line}: {error}")


class ReadManifest(beam.PTransform):
    """A row per line of every manifest, or per line of a sample; in packs by bucket.

    Args:
      addresses: of the manifests.
      layout: of their columns.
      roots: where tracks may lie.
      sample: which of the rows.
      buckets: how many there are.
      parts: a multiple of so many elements to begin with, for an engine that cuts them into as many
        partitions and leaves it at that.
    """

    def __init__(
        self,
        addresses: Iterable[str],
        layout: ManifestLayout,
        roots: AllowedRoots = AllowedRoots(),  # noqa: B008 (frozen)
        sample: RowSample = RowSample(),  # noqa: B008 (frozen)
        buckets: int = 1,
        parts: int = 1,
    ) -> None:
        super().__init__()
        found = sorted(addresses)
        self._addresses = found + [NO_MANIFEST] * (-len(found) % parts)
        self._parse = ParseManifestDoFn(layout, roots, sample, buckets)

    def expand(self, begin: beam.pvalue.PBegin) -> beam.PCollection[tuple[int, Pack]]:
        """Read."""
        return (
            begin
            | "Manifests" >> beam.Create(self._addresses)
            | "Parse" >> beam.ParDo(self._parse).with_output_types(tuple[int, Pack])
        )
