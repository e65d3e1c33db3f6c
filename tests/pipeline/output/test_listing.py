"""Rows come back without a database: chosen, sorted, as a table, CSV, JSON or a playlist."""

import csv
import io
import json
from pathlib import Path

import pytest
import soundfile

from artifactnet.pipeline.audit.request import AuditRequest
from artifactnet.pipeline.audit.run import run_audit
from artifactnet.pipeline.output.listing import Choice, Form, chosen_rows, list_tracks, write_rows
from tests.conftest import music


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory, free_weights: Path) -> str:
    folder = tmp_path_factory.mktemp("list")
    rows = []
    for number in range(8):
        audio = music(4.2)[:, 0] * 0.11 * (number + 1)
        soundfile.write(folder / f"{number}.wav", audio, 44_100)
        label = "X" if number % 2 else "Y"
        rows.append({"track_id": f"t{number}", "uri": f"{number}.wav", "artist": label})
    rows[3]["track_id"] = 'a "name", with\ta comma'
    (folder / "m.jsonl").write_text("\n".join(map(json.dumps, rows)))
    request = AuditRequest(
        str(folder / "m.jsonl"), str(folder / "out"), weights=free_weights, workers=1, quiet=True
    )
    run_audit(request)
    return str(folder / "out")


def test_sorted_by_score_and_limited(output: str) -> None:
    rows, total, _ = chosen_rows(output, Choice(limit=3))
    assert total == 8
    scores = [row["p_ai"] for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert len(rows) == 3
    names = [row["track_id"] for row in chosen_rows(output, Choice(sort="track_id"))[0]]
    assert names == sorted(names)


def test_chosen_by_verdict_and_by_column(output: str) -> None:
    every = chosen_rows(output, Choice())[0]
    verdicts = {row["verdict"] for row in every}
    for verdict in verdicts:
        found = chosen_rows(output, Choice(verdicts=(verdict,)))[0]
        assert found == [row for row in every if row["verdict"] == verdict]
    found = chosen_rows(output, Choice(where="artist = 'X' AND p_ai >= 0"))[0]
    assert {row["artist"] for row in found} == {"X"}
    assert len(found) == 4


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (Choice(where="nothing = 1"), "--where nothing = 1"),
        (Choice(where="1 = 1) OR read_text('/etc/passwd') IS NOT NULL --"), "--where"),
        (Choice(sort="colour"), "--sort colour: no such column"),
    ],
)
def test_bad_choices_are_one_line(output: str, choice: Choice, said: str) -> None:
    with pytest.raises(ValueError, match=said) as raised:
        chosen_rows(output, choice)
    assert "\n" not in str(raised.value)


def test_forms(output: str, capsys: pytest.CaptureFixture) -> None:
    chosen = chosen_rows(output, Choice())
    rows = chosen.rows
    out = io.StringIO()
    write_rows(chosen, Form.JSON, out)
    assert [json.loads(line)["track_id"] for line in out.getvalue().splitlines()] == [
        row["track_id"] for row in rows
    ]
    out = io.StringIO()
    write_rows(chosen, Form.CSV, out)
    read = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert [row["track_id"] for row in read] == [row["track_id"] for row in rows]
    assert json.loads(read[0]["codec_scores"])[0]["codec"] == "wav"
    out = io.StringIO()
    write_rows(chosen_rows(output, Choice(where="p_ai > 1")), Form.CSV, out)
    assert out.getvalue().startswith("track_id,uri,verdict,")  # which pandas reads as no rows
    out = io.StringIO()
    write_rows(chosen, Form.M3U, out)
    lines = out.getvalue().splitlines()
    assert lines[0] == "#EXTM3U"
    assert [line for line in lines if not line.startswith("#")] == [row["uri"] for row in rows]
    list_tracks(output, Choice(limit=2), Form.TABLE)
    assert "2 of 8 tracks shown" in capsys.readouterr().out
