"""What people decided of flagged tracks: a table that only grows, beside the audit.

Enters: decisions, one by one or as CSV. Leaves: ``OUTPUT/decisions/*.parquet``, one file a writing,
none ever rewritten. A decision is on the content of a file (its SHA-256, else its identity), so it
outlives runs, renamed tracks and ``compact``; of several the latest counts, and the others stay.
"""

import csv
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
from apache_beam.io.filesystems import FileSystems

from artifactnet.transforms.storage.files import parquet_bytes, read_table, write_bytes

FOLDER = "decisions"
LABELS = ("ai", "real")
CHOICES = (*LABELS, "unsure")
LONGEST_NOTE = 2000
SCHEMA = pa.schema(
    [
        pa.field("fingerprint", pa.string(), nullable=False),
        pa.field("track_id", pa.string(), nullable=False),
        pa.field("decision", pa.string(), nullable=False),
        pa.field("note", pa.string(), nullable=False),
        pa.field("who", pa.string(), nullable=False),
        pa.field("at", pa.timestamp("us", "UTC"), nullable=False),
        pa.field("verdict", pa.string(), nullable=False),
        pa.field("p_ai", pa.float64(), nullable=False),
        pa.field("model_id", pa.string(), nullable=False),
        pa.field("run_id", pa.string(), nullable=False),
    ]
)


class Decision(NamedTuple):
    """What one person decided of one content.

    Attributes:
      fingerprint: of the content.
      track_id: under which it was seen.
      decision: ``ai``, ``real`` or ``unsure``.
      note: in the person's words.
      who: decided.
      at: when, UTC.
      verdict: what the detector had said; so are ``p_ai``, ``model_id`` and ``run_id``.
    """

    fingerprint: str
    track_id: str
    decision: str
    note: str
    who: str
    at: datetime
    verdict: str
    p_ai: float
    model_id: str
    run_id: str

    @property
    def overrules(self) -> bool:
        """Whether it contradicts the detector."""
        return {self.decision, self.verdict} == {"ai", "real"}


def fingerprint(row: Mapping[str, Any]) -> str:
    """What a decision on a row of ``tracks/`` is about."""
    return str(row.get("sha256") or row["content_id"])


def decided(row: Mapping[str, Any], decision: str, note: str, who: str) -> Decision:
    """A decision on a row of ``tracks/``, now.

    Raises:
      ValueError: no such choice, or nobody who made it.
    """
    if decision not in CHOICES:
        raise ValueError(f"decision {decision!r}: use one of {', '.join(CHOICES)}")
    if not who.strip():
        raise ValueError("a decision needs who made it")
    return Decision(
        fingerprint(row), row["track_id"], decision, note.strip()[:LONGEST_NOTE], who.strip(),
        datetime.now(UTC), row["verdict"], row["p_ai"], row["model_id"], row["run_id"],
    )  # fmt: skip


def append(output: str, decisions: Sequence[Decision]) -> None:
    """Add decisions to the table of ``output``; nothing that is there is touched."""
    if not decisions:
        return
    table = pa.Table.from_pylist([one._asdict() for one in decisions], SCHEMA)
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{secrets.token_hex(4)}.parquet"
    folder = FileSystems.join(output, FOLDER)
    if "://" not in output:
        Path(folder).mkdir(exist_ok=True)
    write_bytes(FileSystems.join(folder, name), parquet_bytes(table))


def read_decisions(output: str) -> list[Decision]:
    """Every decision ever made, the oldest first.

    Raises:
      ValueError: a file is damaged.
    """
    pattern = FileSystems.join(output, FOLDER, "*.parquet")
    files = [one.path for match in FileSystems.match([pattern]) for one in match.metadata_list]
    rows = [row for path in sorted(files) for row in read_table(path).to_pylist()]
    return sorted((Decision(**row) for row in rows), key=lambda one: one.at)


def latest_decisions(output: str) -> dict[str, Decision]:
    """The latest decision on each content, by fingerprint."""
    return {one.fingerprint: one for one in read_decisions(output)}


def labelled_rows(
    rows: Iterable[Mapping[str, Any]], decisions: Mapping[str, Decision]
) -> Iterator[dict[str, Any]]:
    """Manifest rows of the tracks that people decided on, ``unsure`` ones left out.

    Args:
      rows: of ``tracks/``.
      decisions: the latest on each content, by fingerprint.

    Yields:
      ``track_id``, ``uri``, ``label`` and whatever source and generator the track had; who decided,
      when, and what the detector had said. One row a content.
    """
    seen = set()
    for row in rows:
        name = fingerprint(row)
        decision = decisions.get(name)
        if decision is None or decision.decision not in LABELS or name in seen:
            continue
        seen.add(name)
        known = {key: row[key] for key in ("source", "generator", "bench_origin") if row.get(key)}
        yield {
            "track_id": row["track_id"], "uri": row["uri"], "label": decision.decision, **known,
            "decided_by": decision.who, "decided_at": decision.at.isoformat(timespec="seconds"),
            "decided_note": decision.note, "said": decision.verdict, "said_p_ai": decision.p_ai,
        }  # fmt: skip


def decisions_of_csv(
    lines: Iterable[str], rows: Iterable[Mapping[str, Any]], who: str
) -> list[Decision]:
    """Decisions out of a spreadsheet.

    Args:
      lines: of a CSV with the columns ``track_id``, ``decision`` and, if it has them, ``note``
        and ``who``; rows without a decision are passed over.
      rows: of ``tracks/``.
      who: decided, where the spreadsheet does not say.

    Raises:
      ValueError: naming the line and what is wrong with it; nothing is decided then.
    """
    by_id = {row["track_id"]: row for row in rows}
    reader = csv.DictReader(lines)
    if missing := {"track_id", "decision"} - set(reader.fieldnames or ()):
        raise ValueError(f"the column {sorted(missing)[0]} is missing")
    found = []
    for entry in reader:
        choice = (entry["decision"] or "").strip().lower()
        if not choice:
            continue
        row = by_id.get(entry["track_id"])
        if row is None:
            raise ValueError(
                f"line {reader.line_num}: the audit has no track {entry['track_id']!r}"
            )
        try:
            name = (entry.get("who") or "").strip() or who
            found.append(decided(row, choice, entry.get("note") or "", name))
        except ValueError as error:
            raise ValueError(f"line {reader.line_num}: {error}") from error
    return found
