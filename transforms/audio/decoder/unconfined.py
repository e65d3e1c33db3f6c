"""Decoding in the worker's own process, where the system can't hand files to a confined one.

Enters and leaves what the pool does. Windows has neither descriptors in messages nor limits of
memory for a process, so a file that crashes a decoder ends the worker there: a warning says so.
Everything else, errors among it, is the same.
"""

import logging
import time
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from artifactnet.transforms.audio.codec_spec import UNPROCESSED, CodecSpec
from artifactnet.transforms.audio.decoder.readers import READERS
from artifactnet.transforms.audio.lossy_codec import PyAVBackend, codec_roundtrip
from artifactnet.transforms.audio.windows import DecodedAudio, DecodeLimits, decode_windows
from artifactnet.transforms.elements.errors import CodecError

logger = logging.getLogger(__name__)


class UnconfinedDecoder:
    """The methods of ``DecoderPool``, without a process of their own."""

    def __init__(self) -> None:
        logger.warning(
            "decoders can't be confined on this system: a file that crashes one ends the audit, "
            "which goes on from there; audit files of strangers on Linux or macOS"
        )

    def decode(
        self,
        file: BinaryIO,
        *,
        sample_rate: int,
        window_samples: int,
        segments: int | None,
        limits: DecodeLimits,
        half_steps: bool = False,
        block: tuple[int, int] | None = None,
    ) -> DecodedAudio:
        """Decode the windows of one track, see ``windows.decode_windows``.

        Raises:
          AuditError: what is wrong with the file.
        """
        return decode_windows(
            file,
            sample_rate=sample_rate,
            window_samples=window_samples,
            segments=segments,
            limits=limits,
            readers=READERS,
            half_steps=half_steps,
            block=block,
        )

    def reencode(
        self, windows: NDArray[np.float32], sample_rate: int, spec: CodecSpec, seconds: float
    ) -> NDArray[np.float32]:
        """Each of ``windows`` ``[segments, samples]`` through a codec.

        Raises:
          CodecError: naming the codec.
        """
        if spec.name == UNPROCESSED:
            return windows
        end, backend, coded = time.monotonic() + seconds, PyAVBackend(), []
        for window in windows:
            if time.monotonic() > end:
                raise CodecError(f"{spec}: took longer than {seconds:.0f} s")
            coded.append(codec_roundtrip(window, sample_rate, spec, backend))
        return np.stack(coded)

    def leave(self) -> None:
        """Nothing is held."""

    def close(self) -> None:
        """Nothing is held."""
