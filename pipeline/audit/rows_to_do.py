"""Which rows of a catalogue need an audit, before any worker is started.

Enters: the options of an audit. Leaves: rows, and whether an earlier audit has done them; or how
many it hasn't. Starting processes costs more than looking at a few thousand files. Where there is
something to do the pipeline looks at them again, and what it finds counts; their number says how
many shards and processes they are worth. Where there is nothing, no pipeline is started.
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from artifactnet.pipeline.audit.audit_options import AuditOptions
from artifactnet.pipeline.audit.catalogue import Manifests, readable
from artifactnet.transforms.elements.records import ManifestRow
from artifactnet.transforms.read_manifest import ParseManifestDoFn, line_key
from artifactnet.transforms.skip_unchanged import (
    EarlierResult,
    ReadEarlierDoFn,
    identified,
    latest_results,
    standing_result,
)

MOST_ROWS = 20_000
"""Of a catalogue that is looked at: this takes about as long as starting the workers."""


def to_do(
    options: AuditOptions, manifests: Sequence[str]
) -> Iterator[tuple[ManifestRow, EarlierResult | None]]:
    """Every row of ``manifests``, and the result of an earlier audit that still stands.

    Of rows with one ``track_id`` the pipeline keeps the first; here each is looked at by itself.
    """
    read = ReadEarlierDoFn(options.output.run)
    latest = latest_results(chain.from_iterable(map(read.results, options.earlier)))
    known = {key for key, _ in latest}
    parse = ParseManifestDoFn(options.output.layout, options.roots, options.sample)
    for row in chain.from_iterable(map(parse.rows, manifests)):
        key = line_key(row)
        if key in known and not row.failure:
            row = identified(row, options.decode.access, options.output.run.run_id)
        yield row, standing_result(row, key, latest)


class ToDo(NamedTuple):
    """What a look at the catalogue found.

    Attributes:
      rows: new or changed, or named twice; all of the catalogue, about, where nobody looked.
      unchanged: all rows, where none is to be done; ``None`` elsewhere.
      errors: of these, how many are errors.
    """

    rows: int
    unchanged: int | None = None
    errors: int = 0


def rows_to_do(options: AuditOptions, manifests: Manifests, catalogue: str, rows: int) -> ToDo:
    """Rows that are new or changed.

    Nobody looks where that would take long: at a large catalogue, or one in a bucket.

    Args:
      options: of the audit.
      manifests: of its catalogue.
      catalogue: as it was asked for.
      rows: of the catalogue, about.
    """
    remote = any("://" in address for address in (*options.manifests, *options.earlier))
    if not options.earlier or rows > MOST_ROWS or remote:
        return ToDo(rows)
    found, errors, seen = 0, 0, set[str]()
    with readable(manifests, catalogue) as addresses:
        for row, done in to_do(options, addresses):
            if "://" in row.uri:
                return ToDo(rows)
            key = line_key(row)
            found += not done or key in seen  # of a row named twice only the pipeline can tell
            errors += bool(done and done.failed)
            seen.add(key)
    return ToDo(found) if found else ToDo(0, len(seen), errors)
