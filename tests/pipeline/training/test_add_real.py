"""Further music joins a corpus; what the corpus holds out does not."""

import json
from pathlib import Path

import soundfile

from artifactnet.pipeline.training.add_real import main
from tests.conftest import music


def test_pieces_join_unless_held_out_or_too_short(tmp_path: Path) -> None:
    folder = tmp_path / "music" / "game" / "sounds"
    folder.mkdir(parents=True)
    for name, seconds in {"theme.ogg": 3, "held.ogg": 3, "click.wav": 1}.items():
        soundfile.write(folder / name, music(seconds), 44_100)
    (folder / "broken.mp3").write_bytes(b"nothing")
    (folder / "copyright").write_text("CC-BY")
    row = {"track_id": "h", "uri": "h.ogg", "label": "real", "source": "game"}
    row |= {"bench_origin": "test", "origin": "debian:game:usr/share/held.ogg"}
    (tmp_path / "m.jsonl").write_text(json.dumps(row))
    main(tmp_path / "m.jsonl", tmp_path / "music", tmp_path / "out" / "more.jsonl", shortest=2)
    first, second = map(json.loads, (tmp_path / "out" / "more.jsonl").read_text().splitlines())
    assert first["uri"] == str(tmp_path / "h.ogg")
    assert second["track_id"] == "game-sounds-theme.ogg"
    assert (second["source"], second["bench_origin"]) == ("game", "train")
