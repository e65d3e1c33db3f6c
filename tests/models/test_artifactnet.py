from pathlib import Path

import pytest
import torch

from artifactnet.models.artifactnet import (
    SHIPPED_WEIGHTS,
    ArtifactNet,
    load_detector,
    save_detector,
)
from artifactnet.models.config import ArtifactNetConfig
from artifactnet.models.forensic_channels import forensic_channels
from artifactnet.models.hpss import hpss
from artifactnet.models.weights.weights_file import WeightsError
from tests.conftest import music


def test_forward_is_the_chain_of_its_modules(tiny_weights: Path) -> None:
    network = load_detector(tiny_weights).network
    audio = torch.from_numpy(music(4).T)
    with torch.inference_mode():
        magnitude = network.stft(audio)
        residual = network.unet(magnitude)
        parts = hpss(residual, network.config.hpss_kernel)
        logit = network.classifier(forensic_channels(magnitude, residual, *parts)).logit
        torch.testing.assert_close(network(audio).logit, logit)
    assert logit.shape == (1,)


def test_saved_and_loaded_are_equal_to_half_precision(tmp_path: Path) -> None:
    torch.manual_seed(1)
    config = ArtifactNetConfig(unet_channels=(4, 6), threshold_ai=0.9, threshold_real=0.2)
    network = ArtifactNet(config)
    identity = save_detector(network, tmp_path / "a.safetensors")
    loaded, model_id, _ = load_detector(tmp_path / "a.safetensors")
    assert model_id == identity
    assert len(model_id) == 16
    assert loaded.config == config
    assert not loaded.training
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], tensor, rtol=1e-3, atol=1e-3)


def test_model_id_depends_on_the_thresholds(tmp_path: Path) -> None:
    torch.manual_seed(1)
    first = ArtifactNet(ArtifactNetConfig(unet_channels=(4, 6)))
    second = ArtifactNet(ArtifactNetConfig(unet_channels=(4, 6), threshold_ai=0.9))
    second.load_state_dict(first.state_dict())
    ids = {save_detector(net, tmp_path / "a.safetensors") for net in (first, second)}
    assert len(ids) == 2


def test_another_models_weights_are_refused(tmp_path: Path) -> None:
    from artifactnet.pipeline.training.decoders.neural_codec import (
        NeuralCodec,
        NeuralCodecConfig,
        save_neural_codec,
    )

    path = tmp_path / "codec.safetensors"
    save_neural_codec(NeuralCodec(NeuralCodecConfig(strides=(4, 4), channels=4)), path)
    with pytest.raises(WeightsError, match="configuration"):
        load_detector(path)


def test_shipped_weights_load_and_have_thresholds_in_order() -> None:
    network = load_detector(SHIPPED_WEIGHTS).network
    assert network.config.unet_channels == ArtifactNetConfig().unet_channels
    assert 0 < network.config.threshold_real <= network.config.threshold_ai < 1


def test_gradients_reach_the_unet_through_the_classifier() -> None:
    network = ArtifactNet(ArtifactNetConfig(unet_channels=(4, 6)))
    network(torch.from_numpy(music(1).T).repeat(2, 1)).logit.sum().backward()
    gradient = network.unet.stem[0].weight.grad
    assert gradient is not None
    assert gradient.abs().sum() > 0
