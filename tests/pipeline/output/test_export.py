import csv
import json
from pathlib import Path

import duckdb
import pytest
import sqlglot

from artifactnet.pipeline.audit.request import AuditRequest
from artifactnet.pipeline.audit.run import run_audit
from artifactnet.pipeline.output.export import ExportForm, bigquery_sql, export


@pytest.fixture
def output(wav, tmp_path: Path, free_weights: Path) -> str:
    """Two runs: one track is audited again, one line names no audio."""
    rows = [
        {"track_id": name, "uri": str(wav(f"{name}.wav", 4.2)), "label": label}
        for name, label in (("a", "it's X"), ("b", "Y"), ("c", "Y"))
    ]
    manifest = tmp_path / "m.jsonl"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"track_id": "d"}\n')
    request = AuditRequest(str(manifest), str(tmp_path / "out"), model=free_weights, quiet=True)
    run_audit(request)
    wav("a.wav", 9.0)
    run_audit(request)
    return request.output


def test_duckdb_holds_the_latest_rows(output: str, tmp_path: Path) -> None:
    target = tmp_path / "made" / "audit.duckdb"
    done = export(output, target, ExportForm.DUCKDB)
    assert (done.tracks, done.errors) == (3, 1)
    with duckdb.connect(str(target), read_only=True) as database:
        found = database.execute("SELECT track_id, duration, label FROM tracks ORDER BY 1")
        assert found.fetchall() == [("a", 9.0, "it's X"), ("b", 4.2, "Y"), ("c", 4.2, "Y")]
        count = database.execute("SELECT count(*), min(codec_scores[1].codec) FROM tracks")
        assert count.fetchall() == [(3, "wav")]
    with pytest.raises(ValueError, match="is there already; replace it with --overwrite"):
        export(output, target, ExportForm.DUCKDB)
    assert export(output, target, ExportForm.DUCKDB, overwrite=True) == done
    assert [one.name for one in target.parent.iterdir()] == ["audit.duckdb"]


def test_csv_and_json_lines(output: str, tmp_path: Path) -> None:
    export(output, tmp_path / "csv", ExportForm.CSV)
    with (tmp_path / "csv" / "tracks.csv").open(newline="") as file:
        rows = {row["track_id"]: row for row in csv.DictReader(file)}
    assert sorted(rows) == ["a", "b", "c"]
    assert json.loads(rows["a"]["codec_scores"])[0]["codec"] == "wav"
    export(output, tmp_path / "jsonl", ExportForm.JSONL)
    lines = (tmp_path / "jsonl" / "errors.jsonl").read_text().splitlines()
    assert [json.loads(line)["line"] for line in lines] == [4]
    assert (tmp_path / "jsonl" / "segments.jsonl").stat().st_size


def test_partitions(output: str, tmp_path: Path) -> None:
    export(output, tmp_path / "csv", ExportForm.CSV, ("label",))
    folders = sorted(one.name for one in (tmp_path / "csv" / "tracks").iterdir())
    assert folders == ["label=Y", "label=it%27s%20X"]
    pattern = str(tmp_path / "csv" / "tracks" / "*" / "*.csv")
    found = duckdb.sql(f"SELECT label, count(*) FROM read_csv('{pattern}') GROUP BY 1 ORDER BY 1")
    assert found.fetchall() == [("Y", 2), ("it's X", 1)]
    assert (tmp_path / "csv" / "errors.csv").exists()
    with pytest.raises(ValueError, match="--partition genre: tracks/ has no such column; it has"):
        export(output, tmp_path / "more", ExportForm.CSV, ("genre",))
    with pytest.raises(ValueError, match="--partition splits"):
        export(output, tmp_path / "x.duckdb", ExportForm.DUCKDB, ("label",))
    assert not (tmp_path / "more").exists()


def test_where_no_audit_is(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no audit is there"):
        export(str(tmp_path / "none"), tmp_path / "csv", ExportForm.CSV)


def test_nothing_but_an_earlier_export_is_replaced(output: str, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "precious.txt").write_text("x")
    before = sorted(Path(output).rglob("*"))
    for target, form, said in (
        (Path(output), ExportForm.DUCKDB, "is, holds or lies in the audit"),
        (Path(output) / "tracks", ExportForm.CSV, "is, holds or lies in the audit"),
        (tmp_path, ExportForm.CSV, "is, holds or lies in the audit"),
        (kept, ExportForm.CSV, "is no earlier export"),
        (kept, ExportForm.DUCKDB, "is no earlier export"),
        (kept / "precious.txt", ExportForm.DUCKDB, "is no earlier export"),
        (kept / "precious.txt" / "x", ExportForm.DUCKDB, "is not a folder"),
    ):
        with pytest.raises(ValueError, match=said):
            export(output, target, form, overwrite=True)
    assert sorted(Path(output).rglob("*")) == before
    assert (kept / "precious.txt").read_text() == "x"
    for _ in range(2):
        export(output, tmp_path / "csv", ExportForm.CSV, overwrite=True)


def test_a_column_with_quotes(wav, tmp_path: Path, free_weights: Path) -> None:
    row = {"track_id": "a", "uri": str(wav("a.wav", 4.2)), 'it"s': "x"}
    (tmp_path / "m.jsonl").write_text(json.dumps(row))
    out = str(tmp_path / "out")
    run_audit(AuditRequest(str(tmp_path / "m.jsonl"), out, model=free_weights, quiet=True))
    export(out, tmp_path / "csv", ExportForm.CSV, ('it"s',))
    assert len(list((tmp_path / "csv" / "tracks").iterdir())) == 1


def test_bigquery_takes_the_statements() -> None:
    sql = bigquery_sql("gs://bucket/it's an audit", "project.dataset")
    statements = sqlglot.parse(sql, read="bigquery")
    assert len(statements) == 7
    assert [one.key for one in statements if one] == ["create"] * 7
    assert '"gs://bucket/it\'s an audit/tracks/*.parquet"' in sql


@pytest.mark.parametrize(
    ("output", "dataset", "said"),
    [
        ("/out", "p.d", "reads Parquet from gs:// only"),
        ("s3://b/out", "p.d", "reads Parquet from gs:// only"),
        ("gs://b/out", "dataset", "PROJECT.DATASET"),
        ("gs://b/out", "p.d`; DROP", "PROJECT.DATASET"),
    ],
)
def test_bigquery_refuses(output: str, dataset: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        bigquery_sql(output, dataset)
