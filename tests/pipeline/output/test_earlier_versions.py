"""Outputs of earlier versions (``earlier/``: three tracks, one error) are read as today's are."""

import json
import shutil
from pathlib import Path

import duckdb
import pytest

from artifactnet.pipeline.audit.request import AuditRequest
from artifactnet.pipeline.audit.run import run_audit
from artifactnet.pipeline.evidence.report import make_report
from artifactnet.pipeline.evidence.request import ReportRequest
from artifactnet.pipeline.output.compact import compact
from artifactnet.pipeline.output.diff import compare
from artifactnet.pipeline.output.export import ExportForm, export
from artifactnet.pipeline.output.gauges import write_gauges
from artifactnet.pipeline.output.latest import read_audit
from artifactnet.pipeline.output.run_record import read_run_record
from artifactnet.pipeline.output.status import run_statuses
from artifactnet.pipeline.output.verify import run_verify
from artifactnet.transforms.storage.object_store import S3Access
from tests.conftest import SAMPLES

EARLIER = Path(__file__).with_name("earlier")
TRACKS = ["march-real", "nocturne-real", "waltz-real"]


@pytest.fixture(params=sorted(one.name for one in EARLIER.iterdir()))
def output(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return Path(shutil.copytree(EARLIER / request.param, tmp_path / "out"))


def ids(output: Path) -> tuple[list[str], list[str]]:
    tables = read_audit(str(output))
    return sorted(tables.tracks["track_id"].to_pylist()), tables.errors["track_id"].to_pylist()


def test_it_is_read(output: Path, tmp_path: Path) -> None:
    assert ids(output) == (TRACKS, ["broken"])
    (status,) = run_statuses(str(output))
    assert (status.state, status.tracks, status.errors) == ("complete", 3, 1)
    record = read_run_record(str(output), status.run_id)
    assert record.counts.add_up
    assert not run_verify(str(output), None, None, 0, S3Access()).damaged
    assert compare(f"{output}/runs/{status.run_id}.json", str(output)).tracks == 4
    write_gauges(str(output), [status], tmp_path / "a.prom")
    export(str(output), tmp_path / "a.duckdb", ExportForm.DUCKDB)
    with duckdb.connect(str(tmp_path / "a.duckdb"), read_only=True) as database:
        assert database.execute("SELECT count(*) FROM tracks").fetchall() == [(3,)]


def test_it_has_a_report(output: Path, tmp_path: Path) -> None:
    make_report(ReportRequest(str(output), tmp_path / "report"))
    page = (tmp_path / "report" / "index.html").read_text()
    assert json.loads((output / "run.json").read_text())["model_id"] in page


def test_it_is_compacted(output: Path) -> None:
    compact(str(output))
    assert ids(output) == (TRACKS, ["broken"])


def test_an_audit_goes_on_from_it(output: Path, tmp_path: Path, free_weights: Path) -> None:
    rows = [json.loads(line) for line in SAMPLES.read_text().splitlines()]
    for row in rows:
        row["uri"] = str(SAMPLES.parent / row["uri"])
    manifest = tmp_path / "m.jsonl"
    chosen = [*rows[:3], rows[-1]]
    manifest.write_text("".join(json.dumps(row) + "\n" for row in chosen))
    asked = AuditRequest(str(manifest), str(output), model=free_weights, quiet=True, workers=1)
    done = run_audit(asked)
    # A model of another id: all of them again, and none of them twice.
    assert (done.counts.rows_in, done.counts.tracks, done.counts.errors) == (4, 3, 1)
    assert ids(output) == (TRACKS, ["broken"])
    assert run_audit(asked).counts.skipped == 4
    compact(str(output))
    assert ids(output) == (TRACKS, ["broken"])
