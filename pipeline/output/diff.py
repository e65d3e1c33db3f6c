"""``artifactnet diff``: what changed between two runs, by how much, and why.

Enters: two runs, each an output folder (its latest state) or ``OUTPUT/runs/RUN.json`` (the
state after that run). Leaves: a table, or JSON, of the tracks whose verdict changed.
"""

import json
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from artifactnet.pipeline.output.latest import OutputState, read_state

MOST_ROWS = 50


@dataclass(frozen=True)
class Change:
    """One track whose verdict is another one.

    Attributes:
      track_id: of the manifest.
      before: verdict, ``error``, or ``absent``.
      after: the same.
      p_ai_before: score; ``None`` without one.
      p_ai_after: score; ``None`` without one.
      why: ``audio``, ``model``, ``configuration``, several of them, ``new``, ``gone``, or
        ``nothing known``, which two runs of one model on one file must never give.
    """

    track_id: str
    before: str
    after: str
    p_ai_before: float | None
    p_ai_after: float | None
    why: str


@dataclass(frozen=True)
class Difference:
    """Two runs compared.

    Attributes:
      tracks: in both.
      models: of how many of them another model made the latest result.
      configurations: of how many, another configuration.
      largest_shift: of a score.
      changes: tracks whose verdict is another one.
    """

    tracks: int
    models: int
    configurations: int
    largest_shift: float
    changes: tuple[Change, ...]


QUERY = """
WITH a AS (SELECT * FROM side_a), b AS (SELECT * FROM side_b)
SELECT coalesce(a.track_id, b.track_id) AS track_id,
       coalesce(a.verdict, 'absent') AS before, coalesce(b.verdict, 'absent') AS after,
       a.p_ai, b.p_ai,
       CASE WHEN a.track_id IS NULL THEN 'new' WHEN b.track_id IS NULL THEN 'gone' ELSE
         coalesce(nullif(concat_ws(', ',
           CASE WHEN coalesce(a.sha256 <> b.sha256, a.content_id <> b.content_id)
             THEN 'audio' END,
           CASE WHEN a.model_id <> b.model_id THEN 'model' END,
           CASE WHEN a.config_id <> b.config_id THEN 'configuration' END), ''),
         'nothing known') END AS why
FROM a FULL JOIN b ON a.track_id = b.track_id
"""


def _side(state: OutputState) -> object:
    return state.database.sql(
        """
        SELECT track_id, verdict, p_ai, model_id, config_id, content_id, sha256 FROM tracks
        UNION ALL
        SELECT track_id, 'error', NULL, model_id, config_id, content_id, NULL FROM errors
        WHERE stage <> 'manifest'
        """
    ).to_arrow_table()


def compare(run_a: str, run_b: str) -> Difference:
    """Compare the states after two runs.

    Raises:
      ValueError: no audit is there.
    """
    before, after = read_state(run_a), read_state(run_b)
    database = after.database
    database.register("side_a", _side(before))
    database.register("side_b", _side(after))
    database.execute(f"CREATE TEMP TABLE compared AS {QUERY}")
    shared = database.execute(
        "SELECT count(*), count_if(contains(why, 'model')), "
        "count_if(contains(why, 'configuration')), coalesce(max(abs(p_ai_1 - p_ai)), 0.0) "
        "FROM compared WHERE why NOT IN ('new', 'gone')"
    ).fetchone()
    assert shared, "an aggregate has a row"
    rows = database.execute(
        "SELECT * FROM compared WHERE before <> after "
        "ORDER BY abs(coalesce(p_ai_1, 0) - coalesce(p_ai, 0)) DESC, track_id"
    ).fetchall()
    tracks, models, configurations, shift = shared
    changes = tuple(Change(*row) for row in rows)
    return Difference(tracks, models, configurations, shift, changes)


def _score(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def print_difference(run_a: str, run_b: str, as_json: bool) -> None:
    """Compare and print."""
    found = compare(run_a, run_b)
    if as_json:
        print(json.dumps(asdict(found)))
        return
    console = Console(highlight=False, soft_wrap=True, emoji=False)
    table = Table(box=None, pad_edge=False)
    for heading in ("track", "before", "after", "P(AI) before", "after", "why"):
        table.add_column(heading)
    for change in found.changes[:MOST_ROWS]:
        scores = (_score(change.p_ai_before), _score(change.p_ai_after))
        cells = (change.track_id, change.before, change.after, *scores, change.why)
        table.add_row(*map(escape, cells))
    if found.changes:
        console.print(table)
    if len(found.changes) > MOST_ROWS:
        console.print(f"and {len(found.changes) - MOST_ROWS} more (--json has all)")
    others = [
        f"{count} by another {what}"
        for what, count in (("model", found.models), ("configuration", found.configurations))
        if count
    ]
    console.print(
        f"{found.tracks} tracks in both{''.join(f', {other}' for other in others)}; "
        f"{len(found.changes)} with another verdict, new or gone, "
        f"largest change of a score {found.largest_shift:.3f}"
    )
