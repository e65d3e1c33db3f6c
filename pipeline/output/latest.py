"""The current results of an output that several runs wrote to.

Enters: an output folder, or the record of one of its runs. Leaves: a DuckDB connection with
the views ``tracks`` and ``errors``, in which every line of the catalogue has its latest
result only: a track that was audited again has a row of each run in the files.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam.io.filesystems import FileSystems

from artifactnet.pipeline.output.layout import (
    RECORD,
    RUNS,
    OutputFiles,
    output_files,
    pending_swaps,
    record_address,
)
from artifactnet.transforms.elements.output_schema import ERROR_SCHEMA, SEGMENT_SCHEMA, track_schema
from artifactnet.transforms.elements.row_key import RUN_ID, table_keys
from artifactnet.transforms.manifests.columns import ManifestLayout
from artifactnet.transforms.storage.files import absolute, concat_tables, read_table

RECORD_ADDRESS = re.compile(rf"(?P<output>.+)/{RUNS}/(?P<run>{RUN_ID})\.json")
RECORD_NAME = re.compile(rf"{RUN_ID}\.json")
TRACK_COLUMNS = (
    *("track_id", "uri", "verdict", "p_ai", "run_id", "model_id", "config_id", "content_id"),
    "sha256",
)
ERROR_COLUMNS = (
    *("track_id", "uri", "manifest", "line", "run_id", "model_id", "config_id", "content_id"),
    *("stage", "error_class", "message"),
)


SCHEMAS = {
    "tracks": track_schema(ManifestLayout()),
    "segments": SEGMENT_SCHEMA,
    "errors": ERROR_SCHEMA,
}
TYPES = {"p_ai": pa.float64(), "line": pa.int64()}
"""Of the columns that are no text."""


@dataclass(frozen=True)
class OutputState:
    """Results of an output after one of its runs.

    Attributes:
      output: folder.
      run_id: the run; empty for the latest.
      database: with the views ``tracks``, ``errors`` and ``superseded`` (``key``, ``run_id``).
    """

    output: str
    run_id: str
    database: duckdb.DuckDBPyConnection


class AuditTables(NamedTuple):
    """The tables of an output, each line's latest result only."""

    tracks: pa.Table
    segments: pa.Table
    errors: pa.Table


def split_run(address: str) -> tuple[str, str]:
    """Output folder and run id of ``OUTPUT``, ``OUTPUT/run.json`` or ``OUTPUT/runs/RUN.json``."""
    address = address.rstrip("/").removesuffix(f"/{RECORD}")
    found = RECORD_ADDRESS.fullmatch(absolute(address).rstrip("/"))
    return (found["output"], found["run"]) if found else (absolute(address).rstrip("/"), "")


def _read(paths: tuple[str, ...], name: str, columns: tuple[str, ...]) -> pa.Table:
    empty = pa.table({one: pa.array([], TYPES.get(one, pa.string())) for one in columns})
    tables = [read_table(path, columns) for path in paths] or [empty]
    table = pa.concat_tables(tables, promote_options="default")
    return table.append_column("key", pa.array(table_keys(table, name), pa.string()))


def whole_output(output: str) -> OutputFiles:
    """Files of an output that can be read as one.

    Raises:
      ValueError: no audit is there, or compacting was cut short.
    """
    files = output_files(output)
    if not files.holds_audit:
        raise ValueError(f"{output}: no audit is there")
    if pending_swaps(output):
        raise ValueError(
            f"{output}: compacting was cut short; artifactnet compact {output} carries it through"
        )
    return files


def read_state(address: str) -> OutputState:
    """Read the results as they were after a run.

    Raises:
      ValueError: no audit is there.
    """
    output, run_id = split_run(address)
    files = whole_output(output)
    if run_id and not FileSystems.exists(record_address(output, run_id)):
        known = sorted(n.rpartition("/")[2] for n in files.notes if n.endswith(".json"))
        runs = ", ".join(name for name in known if RECORD_NAME.fullmatch(name)) or "none"
        raise ValueError(f"{address}: no such run; there are {runs}")
    database = duckdb.connect()
    database.register("all_tracks", _read(files.tables["tracks"], "tracks", TRACK_COLUMNS))
    database.register("all_errors", _read(files.tables["errors"], "errors", ERROR_COLUMNS))
    until = "true" if not run_id else f"run_id <= '{run_id}'"
    database.execute(
        f"""
        CREATE VIEW keyed AS
          SELECT key, run_id FROM all_tracks WHERE {until}
          UNION ALL
          SELECT key, run_id FROM all_errors WHERE {until};
        CREATE TABLE latest AS SELECT key, max(run_id) AS run_id FROM keyed GROUP BY key;
        CREATE VIEW superseded AS SELECT key, run_id FROM keyed ANTI JOIN latest
          USING (key, run_id);
        CREATE VIEW tracks AS SELECT t.* EXCLUDE (key) FROM all_tracks t JOIN latest l
          ON t.key = l.key AND t.run_id = l.run_id;
        CREATE VIEW errors AS SELECT e.* EXCLUDE (key) FROM all_errors e JOIN latest l
          ON l.key = e.key AND l.run_id = e.run_id;
        """  # noqa: S608 (run_id matched a pattern of digits and letters)
    )
    return OutputState(output, run_id, database)


def superseded_rows(state: OutputState) -> set[tuple[str, str]]:
    """Key and run of every row that a later run has replaced."""
    return set(state.database.execute("SELECT key, run_id FROM superseded").fetchall())


def current_rows(table: pa.Table, name: str, superseded: set[tuple[str, str]]) -> pa.Table:
    """``table`` without rows that a later run has replaced."""
    keys = zip(table_keys(table, name), table["run_id"].to_pylist(), strict=True)
    return table.filter(pa.array([key not in superseded for key in keys], pa.bool_()))


def _with_todays_columns(table: pa.Table, schema: pa.Schema) -> pa.Table:
    for field in schema:
        if field.name not in table.schema.names:
            table = table.append_column(field.name, pa.nulls(len(table), field.type))
    return table


def read_audit(output: str) -> AuditTables:
    """Read the tables of an output whole, with every column of today's version.

    What an earlier version did not write is null.

    Raises:
      ValueError: no audit is there, or a file is damaged.
    """
    state = read_state(output)
    superseded = superseded_rows(state)
    files = output_files(state.output)

    def read(name: str) -> pa.Table:
        tables = [current_rows(read_table(path), name, superseded) for path in files.tables[name]]
        if not tables:
            return pa.table({})
        whole = _with_todays_columns(concat_tables(tables), SCHEMAS[name])
        return whole.filter(pc.less_equal(whole["run_id"], state.run_id)) if state.run_id else whole

    return AuditTables(*(read(name) for name in AuditTables._fields))
