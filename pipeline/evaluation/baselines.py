"""Three baselines that a detector must beat, on the very tracks it is measured on.

Enters: windows of decoded audio and labels. Leaves: out-of-fold scores of

- the **confound probe**: bandwidth, level, dynamics, sample rate and container, all that says
  how a file was made and nothing of what made the music;
- the **spectral-peak regression** ("fakeprint", Afchar et al., arXiv 2506.19108): the mean
  log-spectrum above its lower envelope, where up-sampling leaves peaks;
- **shuffled labels**: the same regression on labels that mean nothing, which shows how far
  from one half an area under the curve gets by chance.

Each is a logistic regression, cross-validated with the tracks of one group in one fold.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import minimum_filter1d
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from artifactnet.transforms.audio.windows import AudioInfo

FOLDS = 5
N_FFT = 4096
FLOOR_DB = -100.0
PEAK_BANDS = 512
"""Log-spectrum bins, averaged over neighbours, that the spectral-peak regression sees."""
ENVELOPE_BINS = 25
FREQUENCIES = (500, 1000, 2000, 4000, 8000, 12_000, 16_000, 19_000)


@dataclass(frozen=True)
class BaselineFeatures:
    """What the baselines know of one track.

    Attributes:
      confounds: float64 ``[features]``.
      container: ``container/codec/sample rate``.
      peaks: float64 ``[PEAK_BANDS]``, dB above the lower envelope.
    """

    confounds: NDArray[np.float64]
    container: str
    peaks: NDArray[np.float64]


def mean_log_spectrum(windows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean over windows and frames of the power spectrum, in dB, ``[N_FFT // 2 + 1]``."""
    frames = windows[:, : windows.shape[1] // N_FFT * N_FFT].reshape(-1, N_FFT)
    power = np.abs(np.fft.rfft(frames * np.hanning(N_FFT), axis=1)) ** 2
    return 10 * np.log10(power.mean(axis=0) + 10 ** (FLOOR_DB / 10))


def baseline_features(
    windows: NDArray[np.float32], sample_rate: int, info: AudioInfo
) -> BaselineFeatures:
    """Features of one track.

    Args:
      windows: mono float32 ``[segments, samples]``.
      sample_rate: of ``windows`` in Hz.
      info: what the container says.
    """
    spectrum = mean_log_spectrum(windows)
    frequency = np.fft.rfftfreq(N_FFT, 1 / sample_rate)
    edges = np.searchsorted(frequency, FREQUENCIES)
    bands = [float(band.mean()) for band in np.split(spectrum, edges)]
    power = 10 ** (spectrum / 10)
    rolloff = frequency[np.searchsorted(np.cumsum(power) / power.sum(), 0.99)]
    rms = np.sqrt(np.mean(windows.astype(np.float64) ** 2)) + 1e-9
    peak = float(np.abs(windows).max()) + 1e-9
    confounds = np.array(
        [*bands, rolloff / 1000, 20 * np.log10(rms), 20 * np.log10(peak / rms), info.channels]
    )
    usable = spectrum[: len(spectrum) // PEAK_BANDS * PEAK_BANDS]
    above = usable - minimum_filter1d(usable, ENVELOPE_BINS)
    peaks = above.reshape(PEAK_BANDS, -1).max(axis=1)
    return BaselineFeatures(
        confounds, f"{info.container}/{info.codec}/{info.sample_rate}", np.clip(peaks, 0, 30)
    )


def baseline_scores(
    features: list[BaselineFeatures],
    is_ai: NDArray[np.bool_],
    group: NDArray,
    folds: int = FOLDS,
) -> dict[str, NDArray[np.float64]]:
    """Out-of-fold probabilities of each baseline, ``[tracks]``.

    Args:
      features: one per track.
      is_ai: labels, both classes present.
      group: tracks of one value are never on both sides of a fold.
      folds: how many; as many as groups leaves each group out once.

    Raises:
      ValueError: fewer groups than folds, or a single class.
    """
    containers = np.array([[one.container] for one in features])
    onehot = OneHotEncoder(sparse_output=False).fit_transform(containers)
    confounds = np.hstack([np.stack([one.confounds for one in features]), onehot])
    peaks = np.stack([one.peaks for one in features])
    order = np.random.default_rng(0).permutation(len(is_ai))
    shuffled = np.empty(len(is_ai))
    # Each score goes to the track whose label was borrowed, so that it is measured by that label.
    shuffled[order] = _out_of_fold(confounds, is_ai[order], group, folds)
    return {
        "confound probe": _out_of_fold(confounds, is_ai, group, folds),
        "spectral peaks": _out_of_fold(peaks, is_ai, group, folds),
        "shuffled labels": shuffled,
    }


def _out_of_fold(
    features: NDArray[np.float64], labels: NDArray[np.bool_], group: NDArray, folds: int
) -> NDArray[np.float64]:
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
    splits = GroupKFold(folds, shuffle=True, random_state=0)
    return cross_val_predict(
        model, features, labels, groups=group, cv=splits, method="predict_proba"
    )[:, 1]
