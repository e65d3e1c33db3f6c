"""Pieces of music are told from sound effects."""

import subprocess
from pathlib import Path

import pytest

from artifactnet.pipeline.training.statistics import debian_music
from artifactnet.pipeline.training.statistics.debian_music import is_music, main, seconds_of
from artifactnet.pipeline.training.statistics.tracks import debian_items


@pytest.mark.parametrize(
    ("name", "seconds", "music"),
    [
        ("usr/share/games/x/music/a.ogg", 12.5, True),
        ("usr/share/games/x/sounds/a.ogg", 12.5, False),
        ("usr/share/games/x/sounds/a.ogg", 31.0, True),
        ("usr/share/games/x/music/jingle.ogg", 3.0, False),
    ],
)
def test_short_files_are_music_only_by_name(name: str, seconds: float, music: bool) -> None:
    assert is_music(name, seconds) == music


def test_what_is_no_audio_has_no_length(tmp_path: Path, wav) -> None:
    (tmp_path / "a.ogg").write_bytes(b"no music" * 100)
    assert seconds_of(tmp_path / "a.ogg") == 0.0
    assert seconds_of(wav("b.wav", 4.5)) == pytest.approx(4.5, abs=0.1)


def test_links_lie_where_the_bank_looks(
    tmp_path: Path, wav, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / "bank"
    wav("bank.packages/some-data/usr/music/long.wav", 13.0)
    wav("bank.packages/some-data/usr/music/short.wav", 5.0)

    def refuses(*_: object, **__: object) -> subprocess.CompletedProcess:
        return subprocess.CompletedProcess([], 100, "", "E: Unable to locate package none")

    monkeypatch.setattr(debian_music.subprocess, "run", refuses)
    for _ in range(2):
        main(out, ["some-data", "none"])
    (item,) = debian_items(out)
    assert (item.source, item.origin) == ("some-data", "debian:some-data:usr/music/long.wav")
    assert "error: none: E: Unable to locate package none" in capsys.readouterr().out
