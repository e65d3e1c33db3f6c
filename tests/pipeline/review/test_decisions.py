from pathlib import Path

import pytest

from artifactnet.pipeline.audit.request import AuditRequest
from artifactnet.pipeline.audit.run import run_audit
from artifactnet.pipeline.output.latest import read_audit
from artifactnet.pipeline.review.decisions import (
    append,
    decided,
    decisions_of_csv,
    labelled_rows,
    latest_decisions,
    read_decisions,
)
from artifactnet.pipeline.review.queue import Queue
from artifactnet.pipeline.review.request import ReviewRequest
from artifactnet.pipeline.review.review import export_decisions


def row(name: str, p_ai: float = 0.9, verdict: str = "ai", sha256: str | None = None) -> dict:
    return {
        "track_id": name, "p_ai": p_ai, "verdict": verdict, "sha256": sha256 or f"hash of {name}",
        "content_id": f"content of {name}", "model_id": "m", "run_id": "r",
    }  # fmt: skip


def test_decisions_are_only_ever_added(tmp_path: Path) -> None:
    output = str(tmp_path)
    assert read_decisions(output) == []
    append(output, [decided(row("a"), "ai", " sounds so ", "kim")])
    before = {path: path.read_bytes() for path in (tmp_path / "decisions").iterdir()}
    append(output, [decided(row("a"), "real", "", "lee"), decided(row("b"), "unsure", "", "lee")])
    assert all(path.read_bytes() == content for path, content in before.items())
    found = read_decisions(output)
    assert [(one.track_id, one.decision, one.who) for one in found] == [
        ("a", "ai", "kim"), ("a", "real", "lee"), ("b", "unsure", "lee"),
    ]  # fmt: skip
    assert found[0].note == "sounds so"
    assert latest_decisions(output)["hash of a"].decision == "real"
    assert latest_decisions(output)["hash of a"].overrules
    assert not found[0].overrules


def test_a_decision_is_on_the_content(tmp_path: Path) -> None:
    append(str(tmp_path), [decided(row("old name", sha256="x"), "real", "", "kim")])
    renamed = row("new name", sha256="x")
    queue = Queue([renamed, row("other")], latest_decisions(str(tmp_path)), ("ai",))
    assert queue.decided == 1
    assert queue.next_open() == "hash of other"
    large_object = row("c") | {"sha256": None}
    assert decided(large_object, "ai", "", "kim").fingerprint == "content of c"


def test_a_queue_asks_the_clearest_first_and_each_content_once() -> None:
    rows = [row("a", 0.9), row("b", 0.99), row("copy of b", 0.99, sha256="hash of b")]
    rows += [row("c", 0.95, "uncertain"), row("d", 0.91)]
    queue = Queue(rows, {}, ("ai",))
    assert [one.row["track_id"] for one in queue] == ["b", "d", "a"]
    assert queue.beside("hash of d") == ("hash of b", "hash of a")
    assert queue.beside("hash of b")[0] == ""
    queue.decide(decided(row("a"), "ai", "", "kim"))
    assert queue.next_open("hash of d") == "hash of b"  # past the end it begins again
    for name in ("b", "d"):
        queue.decide(decided(row(name), "ai", "", "kim"))
    assert queue.next_open() == ""
    assert queue.decided == len(queue) == 3


def test_a_spreadsheet() -> None:
    lines = ["track_id,decision,note,who\n", "a,AI,,\n", "b,,later,\n", 'c,real,"a, b",lee\n']
    found = decisions_of_csv(lines, [row("a"), row("b"), row("c")], "kim")
    assert [(one.track_id, one.decision, one.note, one.who) for one in found] == [
        ("a", "ai", "", "kim"), ("c", "real", "a, b", "lee"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (["track_id,choice\n"], "the column decision is missing"),
        (["track_id,decision\n", "a,ai\n", "x,ai\n"], "line 3: the audit has no track 'x'"),
        (["track_id,decision\n", "a,fake\n"], "line 2: decision 'fake': use one of ai, real"),
    ],
)
def test_what_a_spreadsheet_gets_wrong_is_named(lines: list[str], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        decisions_of_csv(lines, [row("a")], "kim")


def test_what_was_decided_is_a_labelled_manifest(tmp_path: Path) -> None:
    output = str(tmp_path)
    rows = [row(name) | {"uri": f"/{name}.wav", "source": "s"} for name in "abcd"]
    rows.append(row("copy of a", sha256="hash of a") | {"uri": "/copy.wav"})
    append(output, [decided(rows[0], "ai", "", "kim"), decided(rows[1], "real", "a friend", "lee")])
    append(output, [decided(rows[0], "real", "", "lee"), decided(rows[2], "unsure", "", "lee")])
    found = list(labelled_rows(rows, latest_decisions(output)))
    assert [(one["track_id"], one["uri"], one["label"], one["decided_by"]) for one in found] == [
        ("a", "/a.wav", "real", "lee"), ("b", "/b.wav", "real", "lee"),
    ]  # fmt: skip
    assert found[0]["source"] == "s"
    assert found[1]["decided_note"] == "a friend"
    assert (found[0]["said"], found[0]["said_p_ai"]) == ("ai", 0.9)


def test_the_manifest_is_written_once(tmp_path: Path, wav, free_weights: Path) -> None:
    wav("music/a.wav", 4.2)
    out = str(tmp_path / "out")
    run_audit(AuditRequest(str(tmp_path / "music"), out, model=free_weights, quiet=True))
    request = ReviewRequest(out, export=tmp_path / "decided.jsonl")
    with pytest.raises(ValueError, match="nobody has decided ai or real"):
        export_decisions(request)
    ((found),) = read_audit(out).tracks.to_pylist()
    append(out, [decided(found, "real", "", "kim")])
    assert export_decisions(request) == {"real": 1}
    again = AuditRequest(str(request.export), str(tmp_path / "two"), model=free_weights, quiet=True)
    run_audit(again)
    (labelled,) = read_audit(again.output).tracks.to_pylist()
    assert (labelled["label"], labelled["decided_by"]) == ("real", "kim")
    with pytest.raises(ValueError, match="is there already"):
        export_decisions(request)
