import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from artifactnet.models.artifact_unet import ArtifactUNet
from artifactnet.models.artifactnet import ArtifactNet
from artifactnet.models.config import ArtifactNetConfig
from artifactnet.pipeline.cli.model_report import measure_complexity


def small(mask_bound: float = 0.5) -> ArtifactUNet:
    torch.manual_seed(0)
    return ArtifactUNet((4, 6, 8), (4, 2), mask_bound).eval()


@settings(max_examples=20, deadline=None)
@given(bins=st.integers(17, 300), frames=st.integers(1, 90), batch=st.integers(1, 3))
def test_residual_has_the_shape_of_the_magnitude(bins: int, frames: int, batch: int) -> None:
    magnitude = torch.rand(batch, bins, frames)
    with torch.no_grad():
        assert small()(magnitude).shape == magnitude.shape


@pytest.mark.parametrize("bound", [0.5, 0.2])
def test_mask_is_bounded_whatever_comes(bound: float) -> None:
    unet = small(bound)
    for scale in (0, 1e-6, 1, 1e6):
        magnitude = scale * torch.rand(1, 129, 40)
        with torch.no_grad():
            mask = unet.mask(magnitude)
            residual = unet(magnitude)
        assert mask.min() >= 0
        assert mask.max() <= bound
        assert (residual <= bound * magnitude + 1e-6).all()


def test_size_and_cost_are_those_of_the_paper() -> None:
    size = measure_complexity(ArtifactNet(ArtifactNetConfig()).eval())
    assert size.unet_parameters == pytest.approx(3.6e6, rel=0.03)
    assert size.classifier_parameters == pytest.approx(0.4e6, rel=0.1)
    assert size.total_parameters == pytest.approx(4.0e6, rel=0.03)
    assert size.unet_gflop <= 10


def test_gradients_reach_every_parameter() -> None:
    unet = small().train()
    unet(torch.rand(2, 129, 40)).sum().backward()
    assert all(parameter.grad is not None for parameter in unet.parameters())
