"""Folds are trained without what they are evaluated on; the report has every row once."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
import torch

from artifactnet.models.config import ArtifactNetConfig
from artifactnet.pipeline.evaluation.common_channel import CUTOFF_HZ, common_channel
from artifactnet.pipeline.evaluation.metrics import ClaimError
from artifactnet.pipeline.experiments import unseen_folds
from artifactnet.pipeline.experiments.unseen_folds import UnseenRequest, run_unseen_folds
from artifactnet.pipeline.training import train as train_module
from artifactnet.pipeline.training.config import TrainingConfig
from artifactnet.pipeline.training.decoders.neural_codec import (
    NeuralCodec,
    NeuralCodecConfig,
    save_neural_codec,
)
from artifactnet.transforms.audio.codec_spec import parse_codecs
from tests.conftest import music

SOURCES = [
    *(("real", "mir-1k"), ("real", "gamea"), ("real", "gameb"), ("real", "gamec")),
    *(("ai", "one"), ("ai", "two"), ("ai", "three"), ("ai", "four")),
]


@pytest.fixture
def corpus(tmp_path: Path) -> TrainingConfig:
    rng = np.random.default_rng(0)
    rows = []
    for label, source in SOURCES:
        for number in range(5):
            audio = music(4.5)[:, 0] + rng.normal(0, 0.02, int(4.5 * 44_100))
            name = f"{source}{number}"
            soundfile.write(tmp_path / f"{name}.flac", audio * 0.5, 44_100)
            rows.append({"track_id": name, "uri": f"{name}.flac", "label": label, "kind": label,
                         "source": source, "pair": None, "bench_origin": "train"})  # fmt: skip
    rows.append(rows[0] | {"track_id": "p", "source": "codec", "label": "ai", "kind": "codec"})
    for row in (rows[0], rows[-1]):
        row["pair"] = "piece"
    (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, rows)))
    torch.manual_seed(0)
    save_neural_codec(NeuralCodec(NeuralCodecConfig(strides=(4, 8), channels=4)), tmp_path / "c.st")
    return TrainingConfig(
        manifest=tmp_path / "m.jsonl", codecs=(tmp_path / "c.st",), output=tmp_path / "w.st",
        run=tmp_path / "run", cache=tmp_path / "cache", pairs=40, crop_seconds=0.3,
        residual_steps=1, residual_batch=1, classifier_steps=2, classifier_batch=4, workers=0,
    )  # fmt: skip


@pytest.mark.slow(80)
def test_every_row_is_evaluated_by_a_detector_that_never_met_its_source(
    corpus: TrainingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = ArtifactNetConfig(unet_channels=(4, 6), classifier_channels=(4, 4, 4, 4, 4))
    monkeypatch.setattr(train_module, "ArtifactNetConfig", lambda: small)
    trained: list[TrainingConfig] = []

    def recorded(config: TrainingConfig) -> str:
        trained.append(config)
        return train_module.train(config)

    monkeypatch.setattr(unseen_folds, "train", recorded)
    request = UnseenRequest(
        corpus, 2, tmp_path / "out", segments=1, codecs=parse_codecs("wav,mp3:64k"), fpr=0.5
    )
    assert run_unseen_folds(replace(request, only=(0,))) == []
    plain, common = run_unseen_folds(request)
    assert len(trained) == 2  # what the first call had trained stayed

    left_out = [set(config.leave_out_sources) for config in trained]
    assert not left_out[0] & left_out[1]
    assert left_out[0] | left_out[1] == {source for _, source in SOURCES} | {"codec"}
    assert any({"mir-1k", "codec"} <= sources for sources in left_out)  # a pair stays together

    rows = [json.loads(line) for line in corpus.manifest.read_text().splitlines()]
    for result in (plain, common):
        assert sorted(result.tracks.track_id) == sorted(row["track_id"] for row in rows)
        for row in result.rows:
            assert row.source in left_out[row.fold]
    assert plain.drift[2] >= plain.drift[0] >= 0
    assert np.isnan(common.drift[0])
    text = (tmp_path / "out" / "unseen.md").read_text()
    assert "## Common channel" in text
    assert text.count("| mir-1k | real |") == 2
    stored = json.loads((tmp_path / "out" / "unseen.json").read_text())
    assert [one["channel"] for one in stored] == ["as it is", "common channel"]
    assert pq.read_table(tmp_path / "out" / "unseen.parquet").num_rows == 2 * len(rows)
    assert set(plain.auc_differences) == {"confound probe", "spectral peaks", "shuffled labels"}
    assert "whose training left out its generator or source.\n" in text

    with pytest.raises(ValueError, match=r"fold-0 holds the work of other settings \(segments"):
        run_unseen_folds(replace(request, segments=2))
    longer = replace(request, config=replace(corpus, classifier_steps=3))
    with pytest.raises(ValueError, match=r"other settings \(classifier_steps differ\)"):
        run_unseen_folds(longer)


def test_impossible_requests_are_refused_before_anything_is_trained(
    corpus: TrainingConfig, tmp_path: Path
) -> None:
    request = UnseenRequest(corpus, 2, tmp_path / "out", fpr=0.5)
    with pytest.raises(ValueError, match="no fold 7: the 2 folds are 0 to 1"):
        run_unseen_folds(replace(request, only=(7,)))
    with pytest.raises(ClaimError, match=r"tracks can't carry a rate of 0\.01"):
        run_unseen_folds(replace(request, fpr=0.01))
    assert not (tmp_path / "out").exists()


def test_common_channel_leaves_nothing_above_its_cut_off_and_one_loudness() -> None:
    found = [common_channel(level * music(4)[:, 0], 44_100) for level in (0.1, 0.9)]
    for audio in found:
        power = np.abs(np.fft.rfft(audio)) ** 2
        above = np.fft.rfftfreq(len(audio), 1 / 44_100) > 1.2 * CUTOFF_HZ
        assert power[above].sum() < 1e-4 * power.sum()
        assert np.sqrt(np.mean(audio**2)) == pytest.approx(10 ** (-23 / 20), rel=0.1)
