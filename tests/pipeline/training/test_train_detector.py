"""A training of a few steps on a corpus made here; one that was killed goes on where it was."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from models.artifactnet import load_detector
from models.config import ArtifactNetConfig
from models.neural_codec import NeuralCodec, NeuralCodecConfig, save_neural_codec
from pipeline.training import train_detector
from pipeline.training.corpus import load_corpus
from pipeline.training.examples import CoupleDataset
from pipeline.training.train_detector import TrainingConfig, read_training_config, train
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


def config(folder: Path, run: str, steps: int) -> TrainingConfig:
    return TrainingConfig(
        manifest=folder / "m.jsonl", codecs=(folder / "codec.safetensors",),
        output=folder / run / "w.safetensors", run=folder / run, steps=steps, couples=2,
        crop_seconds=0.5, checkpoint_steps=2, workers=0,
    )  # fmt: skip


def losses(run: Path) -> dict[int, float]:
    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    return {event.step: event.value for event in events.Scalars("total")}


@pytest.fixture(autouse=True)
def small_detector(monkeypatch: pytest.MonkeyPatch) -> None:
    small = ArtifactNetConfig(unet_channels=(4, 6), classifier_channels=(4, 4, 4, 4, 4))
    monkeypatch.setattr(train_detector, "ArtifactNetConfig", lambda: small)


def test_interrupted_training_has_the_same_losses(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(config(folder, "whole", 6))
    calls = 0
    original = train_detector.couple_loss

    def killed(*arguments):
        nonlocal calls
        calls += 1
        if calls == 4:
            raise KeyboardInterrupt
        return original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(train_detector, "couple_loss", killed)
        with pytest.raises(KeyboardInterrupt):
            train(config(folder, "halves", 6))
    train(config(folder, "halves", 6))
    whole, halves = losses(folder / "whole"), losses(folder / "halves")
    assert sorted(whole) == [1, 2, 3, 4, 5, 6]
    assert halves == pytest.approx(whole, abs=1e-3)
    assert load_detector(folder / "halves" / "w.safetensors").network.config.unet_channels == (4, 6)


def test_items_are_a_function_of_seed_and_index(folder: Path) -> None:
    corpus = load_corpus(folder / "m.jsonl", folder / "cache", 44_100)
    codecs = (folder / "codec.safetensors",)

    def dataset(seed: int) -> CoupleDataset:
        return CoupleDataset(corpus, codecs, 22_050, 44_100, seed, 20)

    first, again, other = dataset(0), dataset(0), dataset(1)
    for index in range(8):
        a, b = first[index], again[index]
        torch.testing.assert_close(a.genuine, b.genuine)
        torch.testing.assert_close(a.generated, b.generated)
        assert a.genuine.shape == (22_050,)
    assert any(not torch.equal(first[i].genuine, other[i].genuine) for i in range(4))
    assert {bool(first[i].aligned) for i in range(20)} == {True, False}


def test_held_out_rows_are_never_drawn(folder: Path) -> None:
    corpus = load_corpus(folder / "m.jsonl", folder / "cache", 44_100)
    held_out = next(row for row in corpus.excerpts if row.track_id == "held-out")
    broken = replace(corpus, excerpts=tuple(
        replace(row, begin=-1, end=-1) if row is held_out else row for row in corpus.excerpts
    ))  # fmt: skip
    dataset = CoupleDataset(broken, (), 22_050, 44_100, 0, 40)
    for index in range(40):
        assert torch.isfinite(dataset[index].genuine).all()
        assert dataset[index].genuine.abs().max() > 0


def test_configuration_file(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text('manifest = "m"\ncodecs = ["a"]\noutput = "o"\nrun = "r"\nsteps = 3\n')
    read = read_training_config(path)
    assert (read.manifest, read.codecs, read.steps) == (Path("m"), (Path("a"),), 3)
    path.write_text('manifest = "m"\nspeed = 3\n')
    with pytest.raises(ValueError, match=r"c\.toml: unknown fields speed"):
        read_training_config(path)
