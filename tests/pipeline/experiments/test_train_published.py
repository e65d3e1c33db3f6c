"""Published detectors learn from a bank, and what comes out scores in a bench."""

import json
from pathlib import Path

import numpy as np
import pytest

from artifactnet.models.published import spectttra as network
from artifactnet.models.published.fakeprint import FakeprintConfig, load_fakeprint
from artifactnet.pipeline.detectors.registry import open_detector
from artifactnet.pipeline.experiments import train_fakeprint, train_spectttra
from tests.conftest import music


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    """Ten sources; what is generated holds a tone that nothing else does."""
    folder = tmp_path / "bank" / "train"
    folder.mkdir(parents=True)
    crop, time = 0.5 * music(3)[:, 0], np.arange(132_300) / 44_100
    rng = np.random.default_rng(0)
    rows, sounds = [], []
    for number in range(20):
        ai = number % 2
        tone = 0.2 * np.sin(2 * np.pi * 6_000 * time) if ai else 0
        noise = 0.01 * rng.standard_normal(len(crop))
        sounds.append(((crop + tone + noise) * 20_000).astype(np.int16))
        rows.append({
            "track_id": f"t{number}", "part": "full", "label": "ai" if ai else "real",
            "kind": "ai" if ai else "real", "source": f"s{number}", "pair": "",
            "generator": f"g{number}" if ai else "", "commercial": False, "recorded": not ai,
            "sample_rate": 44_100, "seconds": 30.0, "path": "", "origin": "",
        })  # fmt: skip
    np.save(folder / "0-0.audio.npy", np.stack(sounds))
    texts = np.array([json.dumps(row) for row in rows])
    np.savez(folder / "0-0.npz", features=np.zeros((20, 1)), rows=texts)
    return tmp_path / "bank"


def test_spectttra_learns_and_a_run_goes_on(
    bank: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    small = {"embed_dim": 24, "num_heads": 3, "num_layers": 1}
    config = network.SpecTTTraConfig
    monkeypatch.setattr(
        train_spectttra, "SpecTTTraConfig", lambda **fields: config(**fields, **small)
    )
    common = {"batch": 4, "steps": 3, "minutes": 5.0}
    train_spectttra.main(bank, tmp_path / "run", **(common | {"minutes": 0.0}))
    assert "0 of 3 steps" in capsys.readouterr().out
    train_spectttra.main(bank, tmp_path / "run", **common)
    said = capsys.readouterr().out
    assert "3 of 3 steps" in said
    assert "fold 0" in said
    detector = open_detector(f"spectttra:{tmp_path / 'run' / 'spectttra.safetensors'}")
    assert (detector.sample_rate, detector.seconds, detector.level) == (16_000, 3.0, "segment")
    assert detector.score(np.zeros((2, 1, 48_000), np.float32)).shape == (2,)


def test_fakeprint_learns_a_tone(
    bank: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    small = FakeprintConfig(16_000, n_fft=1024, f_min=1_000.0, f_max=8_000.0, max_db=30.0)
    monkeypatch.setitem(train_fakeprint.VARIANTS, "16khz", small)
    out = tmp_path / "print.safetensors"
    train_fakeprint.main(bank, out, variant="16khz")
    assert "all 1.000" in capsys.readouterr().out
    assert load_fakeprint(out).config == small
    assert (tmp_path / "print.onnx").exists()
    assert open_detector(f"fakeprint:{out}").level == "track"
    assert open_detector(f"onnx:{tmp_path / 'print.toml'}").sample_rate == 16_000
