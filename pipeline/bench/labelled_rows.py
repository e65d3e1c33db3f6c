"""The rows of a labelled catalogue.

Enters: a manifest, or a folder of manifests. Leaves: ``ManifestRow`` items by track id, so that
audio inside a manifest is found again; and a check that there is something to measure by.
"""

import json
from typing import NamedTuple

from artifactnet.pipeline.audit.catalogue import find_files
from artifactnet.pipeline.evaluation.labels import known_label, words
from artifactnet.transforms.elements.errors import ManifestRowError
from artifactnet.transforms.elements.records import ManifestRow, RawRow
from artifactnet.transforms.manifests.columns import ManifestLayout, manifest_row
from artifactnet.transforms.manifests.formats import manifest_format, read_rows


def check_labels(manifest: str) -> None:
    """Fail before the work when a manifest has no label to measure by.

    Raises:
      ValueError: no row is labelled, naming the labels that were found.
    """
    found: set[str] = set()
    for address in find_files(manifest):
        if not manifest_format(address):
            continue
        for row in read_rows(address):
            if isinstance(row, RawRow):
                label = row.values.get("label")
                if known_label(label):
                    return
                found.add(str(label)[:40])
    labels = ", ".join(sorted(found)[:5]) or "none"
    raise ValueError(
        f"{manifest}: no row has a label that is understood ({words()}); its labels: {labels}"
    )


class CatalogueRows(NamedTuple):
    """Rows by track id, of those that share one the first; and how many lines are none of them."""

    by_id: dict[str, ManifestRow]
    left_out: int


def rows_by_id(catalogue: str) -> CatalogueRows:
    """Rows of the catalogue's manifests."""
    manifests = [address for address in find_files(catalogue) if manifest_format(address)]
    rows: dict[str, ManifestRow] = {}
    lines = 0
    for address in manifests:
        for raw in read_rows(address):
            lines += 1
            if isinstance(raw, RawRow):
                try:
                    row = manifest_row(raw, address, ManifestLayout())
                except ManifestRowError:
                    continue
                rows.setdefault(row.track_id, row)
    return CatalogueRows(rows, lines - len(rows))


def piece_of(row: ManifestRow) -> str:
    """The piece of music of which a row is a version: its column ``pair``, else itself."""
    others = json.loads(row.other_columns) if row.other_columns else {}
    return str(dict(row.carried).get("pair") or others.get("pair") or row.track_id)
