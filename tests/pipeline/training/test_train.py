"""A training of a few steps on a corpus made here; one that was killed goes on where it was."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from artifactnet.models.artifactnet import load_detector
from artifactnet.models.config import ArtifactNetConfig
from artifactnet.pipeline.training import train as train_module
from artifactnet.pipeline.training.config import TrainingConfig, read_training_config
from artifactnet.pipeline.training.corpus import load_corpus
from artifactnet.pipeline.training.decoders.neural_codec import (
    NeuralCodec,
    NeuralCodecConfig,
    save_neural_codec,
)
from artifactnet.pipeline.training.losses import ClassifierLosses, JointLosses, ResidualLosses
from artifactnet.pipeline.training.pair_cache import PairCache, fill_pair_cache
from artifactnet.pipeline.training.pairs import Drawing, Origin, PairDataset
from artifactnet.pipeline.training.train import train, wanted
from tests.conftest import music

ROWS = [
    ("rec", "real", "real", "mir-1k", "p"),
    ("seq", "real", "real", "game", None),
    ("gen", "ai", "ai", "generator", None),
    ("ver", "ai", "codec", "vocoder", "p"),
    ("held-out", "real", "real", "game", None),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("training")
    rows = []
    for position, (name, label, kind, source, pair) in enumerate(ROWS):
        soundfile.write(folder / f"{name}.flac", music(3)[position * 100 :], 44_100)
        rows.append(
            {"track_id": name, "uri": f"{name}.flac", "label": label, "kind": kind}
            | {"source": source, "pair": pair}
            | {"bench_origin": "test" if name == "held-out" else "train"}
        )
    (folder / "m.jsonl").write_text("\n".join(map(json.dumps, rows)))
    torch.manual_seed(0)
    codec = NeuralCodec(NeuralCodecConfig(strides=(4, 8), channels=4))
    save_neural_codec(codec, folder / "codec.safetensors")
    return folder


def config(folder: Path, run: str) -> TrainingConfig:
    return TrainingConfig(
        manifest=folder / "m.jsonl", codecs=(folder / "codec.safetensors",),
        output=folder / run / "w.safetensors", run=folder / run, cache=folder / "cache",
        pairs=16, crop_seconds=0.5, residual_steps=4, residual_batch=2, classifier_steps=6,
        classifier_batch=8, joint_steps=4, joint_batch=8, mined_share=0.25,
        checkpoint_steps=2, workers=0,
    )  # fmt: skip


def losses(run: Path, stage: str) -> dict[int, float]:
    events = EventAccumulator(str(run / "tensorboard" / stage))
    events.Reload()
    return {event.step: event.value for event in events.Scalars("total")}


@pytest.fixture(autouse=True)
def small_detector(monkeypatch: pytest.MonkeyPatch) -> None:
    small = ArtifactNetConfig(unet_channels=(4, 6), classifier_channels=(4, 4, 4, 4, 4))
    monkeypatch.setattr(train_module, "ArtifactNetConfig", lambda: small)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "losses_class"),
    [("residual", ResidualLosses), ("classifier", ClassifierLosses), ("joint", JointLosses)],
)
def test_interrupted_training_has_the_same_losses(
    folder: Path, monkeypatch: pytest.MonkeyPatch, stage: str, losses_class: type
) -> None:
    train(config(folder, f"whole-{stage}"))
    halves = config(folder, f"halves-{stage}")
    calls, original = 0, losses_class.__call__

    def killed(self, step: int) -> dict:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise KeyboardInterrupt
        return original(self, step)

    with monkeypatch.context() as patch:
        patch.setattr(losses_class, "__call__", killed)
        with pytest.raises(KeyboardInterrupt):
            train(halves)
    train(halves)
    for name, steps in {"residual": 4, "classifier": 6, "joint": 4}.items():
        whole = losses(folder / f"whole-{stage}", name)
        again = losses(halves.run, name)
        assert sorted(whole) == list(range(1, steps + 1))
        assert again == pytest.approx(whole, abs=1e-3)
    assert load_detector(halves.output).network.config.unet_channels == (4, 6)


@pytest.mark.slow
def test_no_stage_learns_from_what_is_left_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, set[str]] = {}
    banks: list[PairCache] = []
    original = train_module.fill_pair_cache
    monkeypatch.setattr(
        train_module, "fill_pair_cache", lambda *a: banks.append(original(*a)) or banks[-1]
    )
    for losses_class in (ResidualLosses, ClassifierLosses, JointLosses):

        def init(self, one, two, chosen, *more, first=losses_class.__init__, name=losses_class):
            seen[name.__name__] = {s for i in chosen for s in banks[-1].origins[i].sources}
            first(self, one, two, chosen, *more)

        monkeypatch.setattr(losses_class, "__init__", init)
    sources = {source for _, _, _, source, _ in ROWS}
    train(replace(config(folder, "left-out"), leave_out_sources=("game",), pairs=40))
    assert len(seen) == 3
    assert all(names and "game" not in names and names <= sources for names in seen.values())


@pytest.mark.slow
def test_run_of_another_training_is_refused(folder: Path) -> None:
    train(config(folder, "again"))
    with pytest.raises(ValueError, match=r"again holds the work of other settings \(joint_steps"):
        train(replace(config(folder, "again"), joint_steps=9))


def test_rows_without_their_columns_are_refused_before_decoding(tmp_path: Path) -> None:
    row = {"track_id": "a", "uri": "a.flac", "label": "real", "source": "s"}
    (tmp_path / "m.jsonl").write_text(json.dumps(row))
    with pytest.raises(ValueError, match=r"m\.jsonl line 1: needs .* kind, bench_origin"):
        load_corpus(tmp_path / "m.jsonl", tmp_path / "cache", 44_100)


def test_as_many_of_each_kind_as_asked_for(folder: Path) -> None:
    few = replace(config(folder, "few"), learnt=(3, 1, 99))
    with pytest.raises(ValueError, match=r"learnt asks for 99 pairs of kind 'unrelated', and \d"):
        train(few)


@pytest.mark.slow
def test_validation_keeps_the_best_and_stops(folder: Path) -> None:
    stopping = replace(
        config(folder, "stopping"), validation=("game", "generator"), patience=1,
        checkpoint_steps=1, classifier_steps=40,
    )  # fmt: skip
    train(stopping)
    events = EventAccumulator(str(stopping.run / "tensorboard" / "classifier"))
    events.Reload()
    found = [event.value for event in events.Scalars("validation/tpr_at_fpr_1")]
    assert 2 <= len(found) < 40
    assert load_detector(stopping.output)


def drawing(folder: Path, **changes: object) -> Drawing:
    usual = Drawing((folder / "codec.safetensors",), 22_050, 44_100, 20)
    return replace(usual, **changes)  # type: ignore[arg-type]


def test_items_are_a_function_of_seed_and_index(folder: Path) -> None:
    corpus = load_corpus(folder / "m.jsonl", folder / "cache", 44_100)
    first, again = (PairDataset(corpus, drawing(folder)) for _ in range(2))
    other = PairDataset(corpus, drawing(folder, seed=1))
    for index in range(8):
        np.testing.assert_array_equal(first[index].crops, again[index].crops)
        assert first[index].crops.shape == (2, 2, 22_050)
        assert first[index].origin == again[index].origin
    assert any(not np.array_equal(first[i].crops, other[i].crops) for i in range(4))
    assert {first[i].origin.kind for i in range(20)} == {"ours", "published", "unrelated"}


def test_without_augmentations_crops_are_as_they_are(folder: Path) -> None:
    corpus = load_corpus(folder / "m.jsonl", folder / "cache", 44_100)
    dataset = PairDataset(corpus, drawing(folder, augmentations=0, kinds=(0.0, 1.0, 0.0)))
    crops = dataset[0].crops
    assert crops.shape == (1, 2, 22_050)
    original = corpus.audio(corpus.excerpts[0])
    starts = np.flatnonzero(original == crops[0, 0, 0])
    assert any(np.array_equal(original[s : s + 22_050], crops[0, 0]) for s in starts)


def test_held_out_rows_are_never_drawn(folder: Path) -> None:
    corpus = load_corpus(folder / "m.jsonl", folder / "cache", 44_100)
    held_out = next(row for row in corpus.excerpts if row.track_id == "held-out")
    broken = replace(corpus, excerpts=tuple(
        replace(row, begin=-1, end=-1) if row is held_out else row for row in corpus.excerpts
    ))  # fmt: skip
    dataset = PairDataset(broken, drawing(folder, codecs=(), length=40))
    for index in range(40):
        crops = dataset[index].crops
        assert np.isfinite(crops).all()
        assert np.abs(crops).max() > 0


def test_filling_goes_on_after_a_kill(folder: Path, tmp_path: Path) -> None:
    corpus = load_corpus(folder / "m.jsonl", folder / "cache", 44_100)
    dataset = PairDataset(corpus, drawing(folder, length=6))
    whole = fill_pair_cache(dataset, tmp_path / "whole", "b", 0)
    torn = tmp_path / "torn"
    torn.mkdir()
    content = (tmp_path / "whole" / "b.i16").read_bytes()
    lines = (tmp_path / "whole" / "b.jsonl").read_text().splitlines(keepends=True)
    (torn / "b.i16").write_bytes(content[: len(content) // 2 + 1001])
    (torn / "b.jsonl").write_text("".join(lines[:4]) + lines[4][:9])
    again = fill_pair_cache(dataset, torn, "b", 0)
    np.testing.assert_array_equal(whole.crops, again.crops)
    assert whole.origins == again.origins


def test_what_is_left_out_is_not_wanted(folder: Path) -> None:
    usual = config(folder, "x")
    ours = Origin("ours", ("mir-1k",), "codec", degraded=True)
    assert wanted(usual, ours)
    assert not wanted(replace(usual, leave_out_sources=("mir-1k",)), ours)
    assert not wanted(replace(usual, validation=("mir-1k",)), ours)
    assert not wanted(replace(usual, leave_out_codecs=("codec",)), ours)
    assert not wanted(replace(usual, own_codecs=False), ours)
    assert not wanted(replace(usual, aligned_pairs=False), ours)
    assert not wanted(replace(usual, hard_negatives=False), ours)
    assert wanted(replace(usual, aligned_pairs=False), Origin("unrelated", ("a", "b")))


def test_configuration_file(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    needed = 'manifest = "m"\ncodecs = ["a"]\noutput = "o"\nrun = "r"\ncache = "c"\n'
    path.write_text(needed + "learning_rate = 1\n")
    read = read_training_config(path)
    assert (read.manifest, read.codecs, read.learning_rate) == (Path("m"), (Path("a"),), 1.0)
    path.write_text('manifest = "m"\nspeed = 3\n')
    with pytest.raises(ValueError, match=r"c\.toml: unknown fields speed"):
        read_training_config(path)
    path.write_text(needed + 'seed = "3"\n')
    with pytest.raises(ValueError, match=r"c\.toml: seed must be a whole number"):
        read_training_config(path)
    for line, said in {
        "pairs = 0": "pairs must be a whole number, at least 1",
        'codecs = "a"': "codecs must be a list of paths",
        "evaluation_manifest = 3": "evaluation_manifest must be a path",
        "crop_seconds = -1.0": r"crop_seconds is -1\.0; use a number above 0",
        "mined_share = 3": r"mined_share is 3\.0; use a share from 0 to 1",
        "learnt = [1, 2]": "learnt is three numbers",
        'unet = "none"': "unet: none is no file",
        "learnt = [1, 2.5, 3]": "learnt must be a list of whole numbers",
    }.items():
        path.write_text(
            "\n".join(x for x in needed.splitlines() if x[:3] != line[:3]) + f"\n{line}"
        )
        with pytest.raises(ValueError, match=rf"c\.toml: {said}"):
            read_training_config(path)
    path.write_text('manifest = "m"\n')
    with pytest.raises(ValueError, match=r"c\.toml: missing fields cache, codecs, output, run"):
        read_training_config(path)
