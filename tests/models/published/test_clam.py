"""CLAM: the published size and names; weights themselves can't be had here, so random ones."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

pytest.importorskip("transformers")

from transformers import HubertConfig, Wav2Vec2Config

from artifactnet.models.published.clam import Clam, ClamHead, build_clam, load_clam
from artifactnet.models.weights.weights_file import WeightsError

SMALL = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24,
    "conv_dim": (8, 8), "conv_stride": (5, 4), "conv_kernel": (10, 4),
    "num_feat_extract_layers": 2, "num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 2,
}  # fmt: skip


def small() -> Clam:
    torch.manual_seed(0)
    return build_clam(HubertConfig(**SMALL), Wav2Vec2Config(**SMALL))


def laid_out(folder: Path, network: Clam) -> None:
    """As its user lays the published files out."""
    for name, encoder in (("mert", network.mert), ("wav2vec2", network.wav2vec2)):
        (folder / name).mkdir()
        (folder / name / "config.json").write_text(json.dumps(encoder.config.to_dict()))
        save_file(encoder.state_dict(), folder / name / "model.safetensors")
    torch.save(network.head.state_dict(), folder / "best_model_triplet_loss_margin_0.2.pth")


def test_parameters_are_those_of_the_paper() -> None:
    with torch.device("meta"):
        network = build_clam(HubertConfig(), Wav2Vec2Config())
    millions = sum(one.numel() for one in network.parameters()) / 1e6
    assert millions == pytest.approx(194.3, abs=0.2)


def test_head_has_the_published_names() -> None:
    shapes = {name: tuple(one.shape) for name, one in ClamHead().state_dict().items()}
    assert shapes["conv1.weight"] == (3, 13, 3)
    assert shapes["crossAttention2.in_proj_weight"] == (2304, 768)
    assert shapes["fc3.weight"] == (1, 1024)


def test_files_come_back(tmp_path: Path) -> None:
    network = small()
    laid_out(tmp_path, network)
    music, speech = torch.randn(2, 2400), torch.randn(2, 1600)
    with torch.inference_mode():
        expected = network(music, speech)
        found = load_clam(tmp_path)(music, speech)
    assert expected.shape == (2,)
    torch.testing.assert_close(found, expected)


def test_tracks_do_not_see_each_other() -> None:
    network = small()
    music, speech = torch.randn(3, 2400), torch.randn(3, 1600)
    with torch.inference_mode():
        together = network(music, speech)
        alone = torch.cat([network(music[i : i + 1], speech[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"mert/config\.json"):
        load_clam(tmp_path)
    laid_out(tmp_path, small())
    (tmp_path / "mert" / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match="holds neither"):
        load_clam(tmp_path)
