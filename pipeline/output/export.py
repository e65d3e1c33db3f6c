"""``artifactnet export``: the latest rows of an output for those who don't read Parquet.

Enters: an output. Leaves: a DuckDB file, a folder of CSV or JSON lines, or SQL that makes tables of
BigQuery over the Parquet files. Parquet stays the truth: nothing here is read back. BigQuery
gets external tables and views rather than a second copy, since a load that breaks half-way would be
one more state to explain, and the views take the latest row of a track as everything else does.
"""

import json
import shutil
import tempfile
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import NamedTuple

import duckdb
import pyarrow as pa

from artifactnet.pipeline.output.compact import ROWS_PER_FILE, merged_tables
from artifactnet.pipeline.output.latest import read_state, superseded_rows
from artifactnet.pipeline.output.layout import output_files
from artifactnet.transforms.elements.row_key import MANIFEST_STAGE
from artifactnet.transforms.storage.files import concat_tables, open_table
from artifactnet.transforms.write_shards import TABLES

MARK = ".artifactnet-export"
"""In a folder that an export made and that another one may replace."""


class ExportForm(Enum):
    """What to write."""

    DUCKDB = "duckdb"
    CSV = "csv"
    JSONL = "jsonl"


class Exported(NamedTuple):
    """Rows of each table that were written."""

    tracks: int
    segments: int
    errors: int


def _schema(paths: tuple[str, ...]) -> pa.Schema:
    """One schema for all files of a table, as reading them together would find it."""
    empty = []
    for path in paths:
        with open_table(path) as parquet:
            empty.append(parquet.schema_arrow.empty_table())
    return concat_tables(empty).schema


def _fill(database: duckdb.DuckDBPyConnection, output: str) -> Exported:
    state = read_state(output)
    superseded = superseded_rows(state)
    files = output_files(state.output)
    counts = {}
    for name in TABLES:
        paths = files.tables[name]
        schema = _schema(paths) if paths else pa.schema([("track_id", pa.string())])
        database.register("part", schema.empty_table())
        database.execute(f"CREATE TABLE {name} AS FROM part")
        for table, _ in merged_tables(paths, name, superseded, ROWS_PER_FILE):
            database.register("part", concat_tables([schema.empty_table(), table]))
            database.execute(f"INSERT INTO {name} BY NAME FROM part")
        database.unregister("part")
        (counts[name],) = database.execute(f"SELECT count(*) FROM {name}").fetchall()[0]  # noqa: S608
    return Exported(**counts)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _copies(
    database: duckdb.DuckDBPyConnection, folder: Path, form: ExportForm, partition: tuple[str, ...]
) -> Iterator[str]:
    """A statement for each table; lists and structs become JSON in a CSV, which knows neither."""
    suffix, options = {
        ExportForm.CSV: ("csv", "FORMAT csv, HEADER"),
        ExportForm.JSONL: ("jsonl", "FORMAT json"),
    }[form]
    for name in TABLES:
        columns = database.execute(f"DESCRIBE {name}").fetchall()
        chosen = ", ".join(
            f"to_json({_name(column)}) AS {_name(column)}"
            if form is ExportForm.CSV and ("[]" in kind or kind.startswith("STRUCT"))
            else _name(column)
            for column, kind, *_ in columns
        )
        split = [one for one in partition if any(one == column for column, *_ in columns)]
        target = folder / (name if split else f"{name}.{suffix}")
        by = ", ".join(map(_name, split))
        more = f", PARTITION_BY ({by}), FILE_EXTENSION '{suffix}'" if split else ""
        yield f"COPY (SELECT {chosen} FROM {name}) TO {_quoted(str(target))} ({options}{more})"  # noqa: S608


def _check_target(output: str, target: Path, form: ExportForm, overwrite: bool) -> None:
    """Refuse to write where something else lies than an earlier export of this form.

    Raises:
      ValueError: naming what lies there.
    """
    whole = target.resolve()
    if "://" not in output:
        audit = Path(output).resolve()
        if whole == audit or audit in whole.parents or whole in audit.parents:
            raise ValueError(
                f"{target} is, holds or lies in the audit {output}; name another place"
            )
    if not target.exists() and not target.is_symlink():
        return
    if not overwrite:
        raise ValueError(f"{target} is there already; replace it with --overwrite")
    if form is ExportForm.DUCKDB:
        ours = target.is_file() and _is_duckdb(target)
    else:
        ours = not target.is_symlink() and target.is_dir()
        ours = ours and ((target / MARK).is_file() or not any(target.iterdir()))
    if not ours:
        raise ValueError(
            f"{target} is no earlier export; remove it yourself, or name another place"
        )


def _is_duckdb(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(12)[8:] == b"DUCK"


def export(
    output: str,
    target: Path,
    form: ExportForm,
    partition: tuple[str, ...] = (),
    overwrite: bool = False,
) -> Exported:
    """Write the latest rows of an output.

    Args:
      output: of an audit.
      target: a file for DuckDB, else a folder.
      form: what to write.
      partition: columns by whose values files are split, ``label=X/``; a table without them is
        written whole.
      overwrite: replace ``target``.

    Raises:
      ValueError: no audit is there, ``target`` is there already, or a column isn't.
    """
    if form is ExportForm.DUCKDB and partition:
        raise ValueError("--partition splits the files of --csv and --jsonl; DuckDB's is one file")
    _check_target(output, target, form, overwrite)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise ValueError(f"{target.parent} is not a folder") from error
    with tempfile.TemporaryDirectory(prefix=".export-", dir=target.parent) as scratch:
        stored, made = Path(scratch) / "tables.duckdb", Path(scratch) / "made"
        with duckdb.connect(str(stored)) as database:
            done = _fill(database, output)
            known = {name for name, *_ in database.execute("DESCRIBE tracks").fetchall()}
            if missing := set(partition) - known:
                raise ValueError(
                    f"--partition {min(missing)}: tracks/ has no such column; it has "
                    f"{', '.join(sorted(known))}"
                )
            if form is not ExportForm.DUCKDB:
                made.mkdir()
                (made / MARK).write_text("artifactnet export replaces this folder\n")
                for statement in _copies(database, made, form, partition):
                    database.execute(statement)
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        (stored if form is ExportForm.DUCKDB else made).replace(target)
    return done


KEY = f"IF(stage = '{MANIFEST_STAGE}', CONCAT(manifest, '\\n', CAST(line AS STRING)), track_id)"


def bigquery_sql(output: str, dataset: str) -> str:
    """Statements that make external tables over an output's files, and views of its latest rows.

    Args:
      output: of an audit, in Cloud Storage.
      dataset: ``PROJECT.DATASET``.

    Raises:
      ValueError: the output is elsewhere, or the dataset isn't named so.
    """
    if not output.startswith("gs://"):
        raise ValueError(f"{output}: BigQuery reads Parquet from gs:// only")
    if dataset.count(".") != 1 or not all(dataset.split(".")) or set(dataset) & set("`'\"; \n"):
        raise ValueError(f"--bigquery {dataset}: name it PROJECT.DATASET")
    statements = []
    for name in TABLES:
        statements.append(
            f"CREATE OR REPLACE EXTERNAL TABLE `{dataset}.{name}_files`\n"
            f"OPTIONS (format = 'PARQUET', enable_list_inference = true,\n"
            f"  uris = [{json.dumps(f'{output}/{name}/*.parquet')}]);"
        )
    statements.append(
        f"CREATE OR REPLACE VIEW `{dataset}.latest` AS\n"  # noqa: S608 (checked above)
        f"SELECT key, MAX(run_id) AS run_id FROM (\n"
        f"  SELECT track_id AS key, run_id FROM `{dataset}.tracks_files`\n"
        f"  UNION ALL SELECT {KEY}, run_id FROM `{dataset}.errors_files`)\n"
        f"GROUP BY key;"
    )
    for name in TABLES:
        key = KEY if name == "errors" else "track_id"
        statements.append(
            f"CREATE OR REPLACE VIEW `{dataset}.{name}` AS\n"  # noqa: S608 (checked above)
            f"SELECT f.* FROM (SELECT *, {key} AS latest_key FROM `{dataset}.{name}_files`) AS f\n"
            f"JOIN `{dataset}.latest` AS l ON f.latest_key = l.key AND f.run_id = l.run_id;"
        )
    return "\n\n".join(statements) + "\n"
