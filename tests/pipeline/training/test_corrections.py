"""Labels that their own pages contradict: what is read, what it does to a track and to a bank."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifactnet.models.statistics.forensic_statistics import FEATURE_NAMES
from artifactnet.pipeline.training.corrections import (
    ORIGIN,
    Labels,
    corrected,
    corrections,
    parsed_corrections,
)
from artifactnet.pipeline.training.distillation.bank_sound import BankSound
from artifactnet.pipeline.training.statistics.crop_table import IMITATIONS, load
from artifactnet.pipeline.training.statistics.tracks import Item, rightly_labelled
from tests.conftest import SHARED_CORPUS

GENERATED = Labels("ai", "ai", "yue")
PAGE = """
[[correction]]
repo = "some/page"
paths = '^truth/'
right = "real"
evidence = "index.html: ground truth"
[[correction]]
repo = "some/page"
paths = 'midi'
right = "symbolic"
evidence = "README: rendered"
[[correction]]
repo = "some/page"
paths = '_dac\\.'
right = "codec:dac"
evidence = "README: DAC"
"""


@pytest.mark.parametrize(
    ("origin", "right"),
    [
        ("github:some/page@0123abcd:truth/a.mp3", Labels("real", "real", "")),
        ("github:some/page:truth/a.mp3", Labels("real", "real", "")),
        ("github:some/page:other/truth/a.mp3", GENERATED),
        ("github:some/page:midi/a.mp3", None),
        ("github:some/page:truth/midi.mp3", Labels("real", "real", "")),  # the first that fits
        ("github:some/page:x_dac.mp3", Labels("ai", "codec", "dac")),
        ("github:other/page:truth/a.mp3", GENERATED),
        ("debian:some/page:truth/a.mp3", GENERATED),
        ("", GENERATED),
    ],
)
def test_a_file_is_what_its_page_says(origin: str, right: Labels | None) -> None:
    assert corrected(GENERATED, origin, parsed_corrections(PAGE)) == right


@given(st.text(), st.sampled_from((GENERATED, Labels("real", "real", ""))))
def test_any_other_origin_is_believed(origin: str, labels: Labels) -> None:
    assert corrected(labels, origin, parsed_corrections(PAGE)) in (
        labels,
        None,
        Labels("real", "real", ""),
        Labels("ai", "codec", "dac"),
    )
    assert corrected(labels, origin, ()) == labels


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (('"real"', '"human"'), "'human' is no class"),
        (("'^truth/'", "'('"), r"some/page: '\(':"),
        (('right = "real"', ""), "a correction has the texts evidence, paths, repo, right"),
        (('"real"', "3"), "a correction has the texts"),
        (("[[correction]]", "[[corrections]]"), r"use \[\[correction\]\], not corrections"),
        (("[[correction]]", "correction = 3\n[[other]]"), r"use \[\[correction\]\], not other"),
        ((PAGE, "correction = 3"), "use .*, not another form of it"),
        ((PAGE, "correction = [3]"), "3: a correction has the texts"),
    ],
)
def test_a_correction_that_cannot_be_used_is_refused(changes: tuple[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parsed_corrections(PAGE.replace(*changes))


def test_every_correction_quotes_its_page_and_one_of_them_is_needed() -> None:
    assert all(one.evidence for one in corrections())
    assert corrected(GENERATED, "github:map-yue/map-yue.github.io@7c2:music/mupt_28.mp3") is None


AT_FULL_LENGTH_ONLY = {"Kinyugo/msanii-demo", "L-YeZhu/CDCD"}


@pytest.mark.skipif(not SHARED_CORPUS.exists(), reason="no development corpus")
def test_every_correction_is_of_a_file() -> None:
    rows = map(json.loads, SHARED_CORPUS.read_text().splitlines())
    places = [place for row in rows if (place := ORIGIN.fullmatch(str(row["origin"])))]
    for one in corrections():
        paths = [place["path"] for place in places if place["repo"] == one.repo]
        assert paths, one.repo
        if one.repo not in AT_FULL_LENGTH_ONLY:
            assert any(map(one.paths.search, paths)), one


def row(name: str, path: str, label: str, kind: str, generator: str) -> dict:
    item = Item(name, "", "corpus", label, kind, "page", generator, "", f"github:some/page:{path}")
    return asdict(item) | {
        "commercial": item.commercial, "recorded": item.recorded, "sample_rate": 44_100,
        "seconds": 9.0, "round": 0, "start": 0.0, "channel": "wav",
    }  # fmt: skip


def test_a_bank_is_corrected_as_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "artifactnet.pipeline.training.corrections.corrections", lambda: parsed_corrections(PAGE)
    )
    rows = [
        row("a", "truth/a.mp3", "ai", "ai", "suno"),
        row("b", "midi/b.mp3", "ai", "ai", "suno"),
        row("c", "c.mp3", "ai", "ai", "suno"),
    ]
    # Made from human music: of a track that was none, nothing stays.
    anew = [
        row("d", "d.mp3", "ai", "codec", "imitation-mel"),
        row("e", "midi/e.mp3", "ai", "codec", "imitation-mel"),
        row("a", "truth/a.mp3", "ai", "codec", "imitation-mel"),
    ]
    for section, table in (("plain", rows), (IMITATIONS, anew)):
        (tmp_path / section).mkdir()
        features = np.arange(3, dtype=np.float32)[:, None].repeat(len(FEATURE_NAMES), 1)
        np.savez(tmp_path / section / "0.npz", features=features, rows=list(map(json.dumps, table)))
    features, table = load(tmp_path, ("plain", IMITATIONS))
    assert list(table.track_id) == ["a", "c", "d", "a"]
    assert list(features[:, 0]) == [0, 2, 0, 2]
    assert list(table.label) == ["real", "ai", "ai", "ai"]
    assert list(table.generator) == ["", "suno", "imitation-mel", "imitation-mel"]
    assert list(table.commercial) == [False, True, False, False]
    assert list(table.recorded) == [True, False, False, False]


def test_sound_goes_with_the_labels_that_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "artifactnet.pipeline.training.corrections.corrections", lambda: parsed_corrections(PAGE)
    )
    (tmp_path / "train").mkdir()
    paths = (("midi/b.mp3", "c.mp3"), ("truth/a.mp3", "midi/d.mp3", "e.mp3"))
    for shard, names in enumerate(paths):
        rows = [json.dumps(row(name, name, "ai", "ai", "suno")) for name in names]
        sound = np.stack([np.full(8, 10 * shard + crop, np.int16) for crop in range(len(names))])
        np.savez(tmp_path / "train" / f"{shard}.npz", rows=rows)
        np.save(tmp_path / "train" / f"{shard}.audio.npy", sound)
    bank = BankSound(tmp_path)
    assert list(bank.table.track_id) == ["c.mp3", "truth/a.mp3", "e.mp3"]
    assert list(bank.table.label) == ["ai", "real", "ai"]
    assert list(bank.crops(np.arange(len(bank)))[:, 0] * 32_768) == [1, 10, 12]


def test_what_is_neither_is_no_track(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "artifactnet.pipeline.training.corrections.corrections", lambda: parsed_corrections(PAGE)
    )
    items = [
        Item(path, path, "full", "ai", "ai", "page", "yue", "", f"github:some/page:{path}")
        for path in ("midi/a.mp3", "truth/b.mp3", "c.mp3")
    ]
    found = [(right.track_id, right.kind) for item in items if (right := rightly_labelled(item))]
    assert found == [("truth/b.mp3", "real"), ("c.mp3", "ai")]
