"""The seven forensic channels by name, in order; ``forensic_channels.py`` says what they are."""

FORENSIC_CHANNELS = (
    "residual",
    "harmonic",
    "percussive",
    "residual_share",
    "harmonic_share",
    "temporal_change",
    "spectral_curvature",
)
