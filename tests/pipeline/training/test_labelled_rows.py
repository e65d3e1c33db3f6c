"""A manifest's mistakes are named by file and line."""

import json
from pathlib import Path

import pytest

from artifactnet.pipeline.training.corpus import read_labelled

ROW = {"track_id": "a", "uri": "a.flac", "source": "s", "label": "ai"}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 3: not JSON"),
        ("[1]", "line 3: not an object"),
        (json.dumps(ROW | {"uri": 3}), "line 3: needs text in the columns uri, kind"),
        (json.dumps(ROW | {"source": ""}), "line 3: needs text in the columns source, kind"),
        (json.dumps(ROW | {"kind": "ai", "label": "Real"}), "label is 'Real'; use ai or real"),
    ],
)
def test_bad_lines(tmp_path: Path, line: str, said: str) -> None:
    good = json.dumps(ROW | {"kind": "ai"})
    (tmp_path / "m.jsonl").write_text(f"{good}\n\n{line}\n")
    with pytest.raises(ValueError, match=rf"m\.jsonl.*{said}"):
        read_labelled(tmp_path / "m.jsonl", ("kind",))


def test_rows_with_absolute_addresses(tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text(json.dumps(ROW) + "\n\n")
    assert [row["uri"] for row in read_labelled(tmp_path / "m.jsonl")] == [str(tmp_path / "a.flac")]
    (tmp_path / "m.jsonl").write_text("\n")
    with pytest.raises(ValueError, match=r"m\.jsonl has no rows"):
        read_labelled(tmp_path / "m.jsonl")
