"""What may differ from one detector to the next, stored with its weights.

Enters: JSON fields from the header of a weights file, which is untrusted. Leaves:
``ArtifactNetConfig``, every value within bounds.
"""

from dataclasses import asdict, dataclass, fields
from typing import Any

from artifactnet.models.pooling import MEDIAN, POOLINGS

INTEGERS = {
    "sample_rate": range(8_000, 384_001),
    "segment_samples": range(8_000, 4_000_001),
    "n_fft": range(64, 16_385),
    "hop_length": range(16, 16_385),
    "unet_channels": range(1, 2_049),
    "unet_stem": range(1, 17),
    "hpss_kernel": range(1, 256),
    "classifier_channels": range(1, 2_049),
    "embedding_size": range(1, 4_097),
}

FORENSIC_CHANNELS = (
    "residual",
    "harmonic",
    "percussive",
    "residual_share",
    "harmonic_share",
    "temporal_change",
    "spectral_curvature",
)
"""Of the residual, in their order; ``forensic_channels.py`` says what they are."""


LATER_FIELDS: dict[str, Any] = {
    "statistics": "", "threshold_ai_short": 0.0, "pooling": MEDIAN, "threshold_voice": 1.0,
}  # fmt: skip
"""Of which older weights say nothing, and what holds for them."""
SHORT_SEGMENTS = 4
"""A track of fewer is short."""


@dataclass(frozen=True)
class ArtifactNetConfig:
    """Shape of the detector and the thresholds of its verdict.

    Attributes:
      sample_rate: Hz of the audio it takes.
      segment_samples: samples of a segment (4 s).
      n_fft: STFT length in samples.
      hop_length: samples between frames.
      mask_bound: largest share of the magnitude that can be residual; 0.5 in the paper,
        since a residual is never most of the signal.
      unet_channels: width of ArtifactUNet at each level, finest first.
      unet_stem: down-sampling of its first convolution in frequency and time.
      hpss_kernel: length of the median filters, in frames and in bins.
      classifier_channels: width of the CNN at each level.
      embedding_size: length of the embedding that the CNN's last layer reads.
      threshold_real: a track is ``real`` when its score is below.
      threshold_ai: a track is ``ai`` when its score is at least this.
      threshold_ai_short: the same for a track of fewer than ``SHORT_SEGMENTS`` segments, of which
        another rate of human ones reaches a score; 0: as for the others.
      statistics: version of the forensic statistics by which a head of boosted trees decides;
        empty where the CNN does.
      pooling: how a track's score follows from its segments', see ``models/pooling.py``.
      threshold_voice: a track whose P(a voice alone) is at least this is not called ``ai``.
    """

    sample_rate: int = 44_100
    segment_samples: int = 176_400
    n_fft: int = 2048
    hop_length: int = 512
    mask_bound: float = 0.5
    unet_channels: tuple[int, ...] = (24, 48, 96, 192, 320)
    unet_stem: tuple[int, int] = (4, 2)
    hpss_kernel: int = 17
    classifier_channels: tuple[int, ...] = (24, 56, 88, 120, 136)
    embedding_size: int = 64
    threshold_real: float = 0.5
    threshold_ai: float = 0.5
    threshold_ai_short: float = 0.0
    statistics: str = ""
    pooling: str = MEDIAN
    threshold_voice: float = 1.0

    @property
    def half_steps(self) -> bool:
        """Whether windows of a short track may overlap: a head's errors are small and many."""
        return bool(self.statistics)

    def threshold_ai_of(self, segments: int) -> float:
        """Score from which a track of so many segments that don't overlap is ``ai``."""
        short = self.threshold_ai_short if segments < SHORT_SEGMENTS else 0.0
        return short or self.threshold_ai

    @property
    def segment_seconds(self) -> float:
        """Length of a segment in seconds."""
        return self.segment_samples / self.sample_rate

    @property
    def bins(self) -> int:
        """Frequency bins of the magnitude, 0 Hz and Nyquist included."""
        return self.n_fft // 2 + 1

    @property
    def frames(self) -> int:
        """Frames of one segment's magnitude."""
        return 1 + self.segment_samples // self.hop_length

    def to_json(self) -> dict[str, Any]:
        """Plain fields, as stored in the header of the weights file."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "ArtifactNetConfig":
        """Read stored fields back.

        Raises:
          ValueError: a field is unknown or missing.
        """
        known = {field.name for field in fields(cls)}
        # Weights of before there were such fields.
        stored = {
            "statistics": "",
            "threshold_ai_short": 0.0,
            "pooling": MEDIAN,
            "threshold_voice": 1.0,
        } | stored
        if set(stored) != known:
            raise ValueError(f"configuration fields differ: {sorted(known ^ set(stored))}")
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in stored.items()
        }
        return cls(**values)

    def __post_init__(self) -> None:
        """Check every value, so that a crafted file can't exhaust memory.

        Raises:
          ValueError: naming the field.
        """
        for name, allowed in INTEGERS.items():
            value = getattr(self, name)
            for number in value if isinstance(value, tuple) else (value,):
                if type(number) is not int or number not in allowed:
                    raise ValueError(f"{name} is {value!r}; use {allowed[0]} to {allowed[-1]}")
        if self.hpss_kernel % 2 == 0:
            raise ValueError(f"hpss_kernel is {self.hpss_kernel}; it must be odd")
        if len(self.unet_stem) != 2 or not 1 <= len(self.unet_channels) <= 8:
            raise ValueError("unet_stem has two strides, unet_channels one to eight levels")
        if len(self.classifier_channels) != 5:
            raise ValueError("classifier_channels has five levels")
        if not 0 < self.mask_bound <= 1:
            raise ValueError(f"mask_bound is {self.mask_bound}; use a share up to 1")
        if not isinstance(self.statistics, str) or len(self.statistics) > 64:
            raise ValueError("statistics must be a short text")
        if self.pooling not in POOLINGS:
            raise ValueError(f"pooling is {self.pooling!r}; use {' or '.join(POOLINGS)}")
        if not 0 <= self.threshold_real <= self.threshold_ai <= 1:
            raise ValueError("thresholds must be 0 <= threshold_real <= threshold_ai <= 1")
        if not 0 <= self.threshold_ai_short <= 1:
            raise ValueError("threshold_ai_short must be between 0 and 1")
        if not 0 <= self.threshold_voice <= 1:
            raise ValueError("threshold_voice must be between 0 and 1")
