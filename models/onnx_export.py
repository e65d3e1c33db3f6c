"""The detector as one ONNX graph that any runtime can score with.

Enters: ``ArtifactNet``. Leaves: a file with the published contract: input ``audio``,
float32 ``[batch, 176400]``, 44.1 kHz mono; output ``probability``, float32 ``[batch]``,
P(AI). The graph equals torch within 1e-3; the test compares them.

Two steps are written otherwise, since runtimes differ in what they offer: the STFT is a
convolution with windowed cosines and sines, and the medians are the sorting network of
``models.hpss``.
"""

import logging
import math
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from artifactnet.models.artifactnet import ArtifactNet
from artifactnet.models.forensic_channels import forensic_channels
from artifactnet.models.stft import RMS_FLOOR
from artifactnet.models.weights.weights_file import model_id
from artifactnet.models.whole_file import whole_file

INPUT, OUTPUT = "audio", "probability"


class ConvolutionStft(nn.Module):
    """``Stft`` (``models/stft.py``) as a convolution."""

    def __init__(self, n_fft: int, hop_length: int) -> None:
        super().__init__()
        self.n_fft = n_fft
        self.hop_length = hop_length
        time = torch.arange(n_fft, dtype=torch.float64)
        angle = 2 * math.pi * torch.outer(torch.arange(n_fft // 2 + 1).double(), time) / n_fft
        window = torch.hann_window(n_fft, dtype=torch.float64) / n_fft**0.5
        basis = torch.cat([torch.cos(angle), torch.sin(angle)]) * window
        self.basis: Tensor
        self.register_buffer("basis", basis.float().unsqueeze(1))

    def forward(self, audio: Tensor) -> Tensor:
        """Magnitude ``[batch, bins, frames]`` of ``audio`` ``[batch, samples]`` at unit RMS."""
        rms = audio.square().mean(dim=-1, keepdim=True).sqrt().clamp_min(RMS_FLOOR)
        padded = functional.pad((audio / rms).unsqueeze(1), (self.n_fft // 2, self.n_fft // 2))
        cosine, sine = functional.conv1d(padded, self.basis, stride=self.hop_length).chunk(2, dim=1)
        return (cosine.square() + sine.square()).sqrt()


class ScoringGraph(nn.Module):
    """Audio in, probability out, in operations that ONNX has."""

    def __init__(self, network: ArtifactNet) -> None:
        super().__init__()
        self.network = network
        self.stft = ConvolutionStft(network.config.n_fft, network.config.hop_length)

    def forward(self, audio: Tensor) -> Tensor:
        """P(AI) ``[batch]`` of ``audio`` ``[batch, samples]``."""
        spectra = self.network.spectra(self.stft(audio), median_network=True)
        return torch.sigmoid(self.network.classifier(forensic_channels(*spectra)).logit)


def export_onnx(network: ArtifactNet, path: Path) -> None:
    """Write ``network``, in evaluation mode, to ``path``.

    The batch is free, the length of the audio is the detector's. Configuration and
    thresholds go into the file's metadata.
    """
    import onnx

    # What it skips since other packages are absent is none of a user's business.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    graph = ScoringGraph(network.eval()).eval()
    audio = torch.randn(2, network.config.segment_samples)
    stored = {name: str(value) for name, value in network.config.to_json().items()}
    with whole_file(path) as partial:
        with torch.inference_mode():
            torch.onnx.export(
                graph,
                (audio,),
                str(partial),
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_shapes={"audio": {0: torch.export.Dim("batch")}},
                opset_version=18,
                dynamo=True,
                verbose=False,
                external_data=False,
            )
        model = onnx.load(str(partial))
        onnx.helper.set_model_props(model, stored)
        onnx.save(model, str(partial))


def with_thresholds(source: Path, target: Path, real: float, ai: float) -> str:
    """Write the ONNX model ``source`` to ``target`` with other thresholds; gives its model id."""
    import onnx

    model = onnx.load(str(source))
    stored = {entry.key: entry.value for entry in model.metadata_props}
    stored |= {"threshold_real": repr(real), "threshold_ai": repr(ai)}
    onnx.helper.set_model_props(model, stored)
    with whole_file(target) as partial:
        onnx.save(model, str(partial))
    return model_id(target)
