from pathlib import Path

import pytest
import torch

from artifactnet.pipeline.training.decoders.neural_codec import (
    NeuralCodec,
    NeuralCodecConfig,
    load_neural_codec,
    save_neural_codec,
)


@pytest.mark.parametrize("decoder", ["transposed", "nearest", "istft"])
@pytest.mark.parametrize("samples", [4096, 5000])
def test_length_is_kept(decoder: str, samples: int) -> None:
    config = NeuralCodecConfig(decoder=decoder, strides=(4, 8), channels=4)  # type: ignore[arg-type]
    assert NeuralCodec(config)(torch.randn(2, samples)).shape == (2, samples)


def test_latents_take_only_the_levels() -> None:
    codec = NeuralCodec(NeuralCodecConfig(levels=5))
    values = codec.quantise(torch.randn(1, 4, 1000)).unique()
    torch.testing.assert_close(values, torch.tensor([-1.0, -0.5, 0.0, 0.5, 1.0]))


def test_round_trip(tmp_path: Path) -> None:
    torch.manual_seed(0)
    codec = NeuralCodec(NeuralCodecConfig(strides=(4, 4), channels=4)).eval()
    save_neural_codec(codec, tmp_path / "c.safetensors")
    audio = torch.randn(1, 1000)
    torch.testing.assert_close(load_neural_codec(tmp_path / "c.safetensors")(audio), codec(audio))
