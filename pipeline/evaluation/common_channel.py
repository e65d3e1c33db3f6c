"""One channel for every track, where bandwidth, level and container say nothing.

Enters: mono float32 audio ``[samples]``. Leaves: the same length after a 7.6 kHz low-pass,
one loudness and MP3 at 128 kbit/s. What still tells generated from real music after
it is not the format that a web page chose.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

from artifactnet.transforms.audio.codec_spec import CodecSpec
from artifactnet.transforms.audio.lossy_codec import PyAVBackend, codec_roundtrip

CUTOFF_HZ = 7_600.0
RMS = 10 ** (-23 / 20)
CODEC = CodecSpec("mp3", 128_000)


def common_level(audio: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    """Low-pass and one loudness, without the codec; peaks beyond full scale are clipped."""
    low_pass = butter(12, CUTOFF_HZ, fs=sample_rate, output="sos")
    filtered = sosfiltfilt(low_pass, audio).astype(np.float32)
    rms = max(float(np.sqrt(np.mean(filtered**2))), 1e-6)
    return np.clip(filtered * (RMS / rms), -1, 1).astype(np.float32)


def common_channel(audio: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    """Pass ``audio`` ``[samples]`` through the common channel.

    Raises:
      CodecError: the encoder refuses it.
    """
    return codec_roundtrip(common_level(audio, sample_rate), sample_rate, CODEC, PyAVBackend())
