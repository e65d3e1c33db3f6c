"""Pages of a real audit: they need no network, escape what a manifest says, and hold the facts."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from artifactnet.pipeline.audit.request import AuditRequest
from artifactnet.pipeline.audit.run import run_audit
from artifactnet.pipeline.evidence.report import make_report
from artifactnet.pipeline.evidence.request import ReportRequest
from artifactnet.pipeline.output.verify import run_verify
from artifactnet.transforms.storage.object_store import S3Access
from tests.conftest import music
from tests.pipeline.cli.test_main import artifactnet

EVIL = "<script>alert(1)</script> & co"


class Page(HTMLParser):
    """Tags, addresses, and text of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.words: list[str] = []
        self.images: list[dict] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href") and value]
        if tag == "img":
            self.images.append(dict(attrs))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    for name, seconds in (("a.wav", 13.0), ("b.wav", 9.0)):
        soundfile.write(folder / name, music(seconds), 44_100)
    rows = [
        {"track_id": EVIL, "uri": str(folder / "a.wav"), "label": "X & <Y>"},
        {"track_id": "gone", "uri": str(folder / "b.wav"), "label": "Z"},
        {"track_id": "missing", "uri": "/nowhere.wav", "label": "Z"},
    ]
    manifest = folder / "m.jsonl"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run_audit(AuditRequest(str(manifest), str(folder / "out"), quiet=True, workers=1))
    Path(rows[1]["uri"]).unlink()
    return folder


@pytest.fixture(scope="module")
def report(audited: Path) -> Path:
    request = ReportRequest(
        str(audited / "out"), audited / "pages", track=[EVIL, "gone"], contact="a@b.example"
    )
    done = make_report(request)
    assert len(done.pages) == 1
    assert "gone" in done.missing[0]
    return audited / "pages"


def test_pages_need_nothing_from_elsewhere(report: Path) -> None:
    for path in report.rglob("*.html"):
        page = Page(path)
        assert "script" not in page.tags
        outside = [a for a in page.addresses if not re.match(r"data:|#|\.\./index|tracks/", a)]
        assert outside == []
        assert all(image.get("alt") for image in page.images)


def test_what_a_manifest_says_is_text(report: Path) -> None:
    for path in report.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert EVIL not in text
        assert "&lt;script&gt;" in text


def test_a_page_holds_claim_players_and_appeal(report: Path) -> None:
    (path,) = (report / "tracks").glob("*.html")
    page = Page(path)
    words = " ".join(page.words)
    assert "human recordings like those we tested" in words
    assert "a@b.example" in words
    assert page.tags.count("audio") in (1, 2)
    assert all(a.startswith("data:audio/ogg") for a in page.addresses if "audio" in a)
    for heading in ("When", "Where in the spectrum", "Innocent explanations", "Appeal"):
        assert heading in words


def test_the_same_facts_are_tables(report: Path) -> None:
    def rows(name: str) -> list:
        return duckdb.sql(f"FROM '{report}/evidence/{name}.parquet'").fetchall()

    assert [row[0] for row in rows("tracks")] == [EVIL]
    assert len(rows("windows")) == 5  # 13 s at half steps
    assert len(rows("bands")) == 8
    assert len(rows("variants")) == 6
    assert len(rows("explanations")) == 10


def test_the_catalogue_says_what_was_covered(report: Path) -> None:
    words = " ".join(Page(report / "index.html").words)
    assert "AudioNotFoundError" in words
    assert "would be expected to be called so" in words
    assert "too few tracks" in words


def test_errors_say_what_to_do(audited: Path, report: Path) -> None:
    out = str(audited / "out")
    with pytest.raises(ValueError, match="--overwrite replaces it"):
        make_report(ReportRequest(out, report))
    with pytest.raises(ValueError, match="--track nobody: the audit has no such track"):
        make_report(ReportRequest(out, audited / "other", track=["nobody"]))
    with pytest.raises(ValueError, match="holds the audit; -o names another folder"):
        make_report(ReportRequest(out, Path(out)))


def test_a_score_of_other_weights_gets_no_reasons_of_these(
    audited: Path, tiny_weights: Path, tmp_path: Path
) -> None:
    request = ReportRequest(
        str(audited / "out"), tmp_path / "pages", track=[EVIL], weights=tiny_weights
    )
    done = make_report(request)
    assert done.pages == ()
    assert "scored by model" in done.missing[0]
    assert "--weights" in done.missing[0]
    assert "would be expected" not in " ".join(Page(done.index).words)


def test_one_file_without_an_audit(wav, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = artifactnet("score", str(wav("a.wav", 9.0)), "--report", str(page))
    assert done.returncode == 0
    assert "human recordings" in done.stdout
    assert "Appeal" in " ".join(Page(page).words)
    two = artifactnet("score", "a.wav", "b.wav", "--report", str(page))
    assert two.returncode == 2
    assert "--report makes the page of one file" in two.stderr


def test_audio_inside_a_manifest_is_found_again(wav, tmp_path: Path) -> None:
    """A page, and a second score, of tracks whose sound lies in a Parquet manifest."""
    sounds = [wav(f"{n}.wav", 5.0 + n).read_bytes() for n in range(3)]
    rows = [{"track_id": f"t{n}", "audio": {"bytes": b, "path": f"{n}.wav"}}
            for n, b in enumerate(sounds)]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "m#1.parquet", row_group_size=2)
    out = tmp_path / "out"
    run_audit(AuditRequest(str(tmp_path / "m#1.parquet"), str(out), quiet=True, workers=1))
    done = make_report(ReportRequest(str(out), tmp_path / "pages", track=["t2", "t0"]))
    assert len(done.pages) == 2
    assert not done.missing
    assert "data:audio/ogg" in " ".join(Page(done.pages[0]).addresses)
    verified = run_verify(str(out), None, None, 3, S3Access())
    assert (verified.scored, verified.holds) == (3, True)
