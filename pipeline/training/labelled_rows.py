"""Labelled manifests of training and of unseen folds: JSONL in which every line counts.

Enters: a JSONL file. Leaves: its rows, ``uri`` absolute, or an error that names the line. The audit
makes a bad line an error row and goes on; a training would learn from what is left.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

LABELS = ("ai", "real")


def read_labelled(manifest: Path, columns: Iterable[str] = ()) -> list[dict[str, Any]]:
    """Rows of ``manifest``; blank lines are passed over.

    Args:
      manifest: JSONL.
      columns: needed beside ``track_id``, ``uri``, ``source`` and ``label``.

    Raises:
      FileNotFoundError: no such file.
      ValueError: it has no rows, or a line isn't an object with these columns as text.
    """
    rows = []
    for number, line in enumerate(manifest.read_text().splitlines(), start=1):
        if not line.strip():
            continue
        where = f"{manifest} line {number}"
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{where}: not JSON ({error.msg}); one object a line") from error
        if not isinstance(row, dict):
            raise ValueError(f"{where}: not an object; one object a line")
        needed = ("track_id", "uri", "source", "label", *columns)
        if missing := [n for n in needed if not (isinstance(row.get(n), str) and row[n])]:
            raise ValueError(f"{where}: no text in {', '.join(missing)}")
        if row["label"] not in LABELS:
            raise ValueError(f"{where}: label is {row['label']!r}; use ai or real")
        rows.append(row | {"uri": str((manifest.parent / row["uri"]).resolve())})
    if not rows:
        raise ValueError(f"{manifest} has no rows")
    return rows
