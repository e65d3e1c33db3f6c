"""CLAM: two pretrained encoders, one of music and one of speech, and a head on all their layers.

Enters: mono audio, float32 ``[batch, samples]`` at each encoder's rate. Leaves: one logit each;
positive is generated. Batra et al., "Melody or Machine", arXiv 2512.00621, section 4: MERT and
Wav2Vec2, their hidden states averaged over time, mixed across layers by a convolution, attended to
and joined. The names of the tensors are those of the published head. MERT's layers are HuBERT's, so
no code of its authors needs to run. In the published head attention runs along the batch (sequence
first), so that tracks of a batch see each other; here each is scored alone, as a verdict on a track
must be.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import HubertConfig, HubertModel, Wav2Vec2Config, Wav2Vec2Model

from artifactnet.models.published.tensors import fill, read_tensors
from artifactnet.models.weights.weights_file import WeightsError

HEAD = ("head.safetensors", "best_model_triplet_loss_margin_0.2.pth")
MERT, WAV2VEC2 = "mert", "wav2vec2"
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
MERT_RATE, WAV2VEC2_RATE = 24_000, 16_000
SECONDS = 90.0
HEADS = 4
MIXED = 3
"""Mixtures of layers, of which the published head reads the first."""
HIDDEN = 512


@dataclass(frozen=True)
class EncoderShape:
    """Of one encoder: ``layers`` hidden states, the first before any layer, of ``size`` each."""

    layers: int = 13
    size: int = 768


class ClamHead(nn.Module):
    """What decides, by the mean hidden states of both encoders.

    Args:
      mert: shape of the encoder of music.
      wav2vec2: of that of speech.
    """

    def __init__(
        self, mert: EncoderShape = EncoderShape(), wav2vec2: EncoderShape = EncoderShape()
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(mert.layers, MIXED, 3, padding=1)
        self.conv2 = nn.Conv1d(wav2vec2.layers, MIXED, 3, padding=1)
        self.crossAttention1 = nn.MultiheadAttention(mert.size, HEADS)
        self.crossAttention2 = nn.MultiheadAttention(wav2vec2.size, HEADS)
        self.fc1 = nn.Linear(mert.size, HIDDEN)
        self.fc2 = nn.Linear(wav2vec2.size, HIDDEN)
        self.fc3 = nn.Linear(2 * HIDDEN, 1)

    def forward(self, mert: Tensor, wav2vec2: Tensor) -> Tensor:
        """Logits ``[batch]`` of hidden states ``[batch, layers, size]`` of both encoders."""
        streams = []
        for states, mix, attend, project in (
            (mert, self.conv1, self.crossAttention1, self.fc1),
            (wav2vec2, self.conv2, self.crossAttention2, self.fc2),
        ):
            first = functional.relu(mix(states))[:, :1].transpose(
                0, 1
            )  # one step, tracks beside it
            attended, _ = attend(first, first, first, need_weights=False)
            streams.append(project(attended[0]))
        return self.fc3(torch.cat(streams, dim=1))[:, 0]


class Clam(nn.Module):
    """Encoders and head.

    Args:
      mert: encoder of music.
      wav2vec2: encoder of speech.
      head: what decides.
    """

    def __init__(self, mert: HubertModel, wav2vec2: Wav2Vec2Model, head: ClamHead) -> None:
        super().__init__()
        self.mert, self.wav2vec2, self.head = mert, wav2vec2, head

    def forward(self, music: Tensor, speech: Tensor) -> Tensor:
        """Logits ``[batch]`` of ``music`` at ``MERT_RATE``, and of the same as ``speech``."""
        states = []
        for encoder, audio in ((self.mert, music), (self.wav2vec2, speech)):
            hidden = encoder(normalised(audio), output_hidden_states=True).hidden_states
            states.append(torch.stack([layer.mean(1) for layer in hidden], dim=1))
        one_by_one = zip(*(one.split(1) for one in states), strict=True)
        return torch.cat([self.head(music, speech) for music, speech in one_by_one])


def normalised(audio: Tensor) -> Tensor:
    """``audio`` ``[batch, samples]`` with mean 0 and variance 1, as the encoders learnt it."""
    centred = audio - audio.mean(1, keepdim=True)
    return centred / torch.sqrt(audio.var(1, keepdim=True, unbiased=False) + 1e-7)


def _shape(config: Any) -> EncoderShape:
    return EncoderShape(config.num_hidden_layers + 1, config.hidden_size)


def build_clam(mert: HubertConfig, wav2vec2: Wav2Vec2Config) -> Clam:
    """Networks of these shapes, with random weights."""
    head = ClamHead(_shape(mert), _shape(wav2vec2))
    return Clam(HubertModel(mert), Wav2Vec2Model(wav2vec2), head).eval()


def _encoder(folder: Path, kind: Any, shape: Any) -> Any:
    try:
        stored = json.loads((folder / "config.json").read_text())
        module = kind(shape.from_dict(stored))
    except (OSError, TypeError, ValueError) as error:
        raise WeightsError(f"{folder}/config.json: no usable configuration ({error})") from error
    weights = next((folder / name for name in WEIGHTS if (folder / name).is_file()), None)
    if weights is None:
        raise WeightsError(f"{folder}: holds neither {' nor '.join(WEIGHTS)}")
    wanted = module.state_dict()
    found = {}
    for name, tensor in read_tensors(weights).items():
        # A file that was saved with its pretraining head names the encoder before each tensor; the
        # norm of weights has a new name since PyTorch 2.1.
        plain = name.split(".", 1)[1] if name.startswith(("wav2vec2.", "hubert.")) else name
        plain = plain.replace("weight_g", "parametrizations.weight.original0")
        plain = plain.replace("weight_v", "parametrizations.weight.original1")
        if plain in wanted:
            found[plain] = tensor
    found.setdefault("masked_spec_embed", wanted.get("masked_spec_embed"))  # read in training alone
    fill(module, {name: one for name, one in found.items() if one is not None}, weights)
    return module


def load_clam(folder: Path) -> Clam:
    """Encoders in ``folder/mert`` and ``folder/wav2vec2``, the head beside them.

    Raises:
      WeightsError: something is missing, or not of these shapes.
    """
    mert = _encoder(folder / MERT, HubertModel, HubertConfig)
    wav2vec2 = _encoder(folder / WAV2VEC2, Wav2Vec2Model, Wav2Vec2Config)
    path = next((folder / name for name in HEAD if (folder / name).is_file()), None)
    if path is None:
        raise WeightsError(f"{folder}: holds neither {' nor '.join(HEAD)}")
    head = ClamHead(_shape(mert.config), _shape(wav2vec2.config))
    fill(head, read_tensors(path), path)
    return Clam(mert, wav2vec2, head).eval()
