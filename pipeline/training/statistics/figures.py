"""The figures of heads, of what they say of every crop.

Enters: one logit a crop, by heads that saw neither its source nor its generator. Leaves: one logit
a track, and figures by name.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score, roc_curve

from artifactnet.models.pooling import LIMIT
from artifactnet.pipeline.training.statistics.bank import WINDOW_SECONDS
from artifactnet.transforms.audio.windows import windows_apart

FIRST_ONLY = r"^(?:degraded, )?[a-z0-9]+(?::\d+k)?@(44100|48000)$"
"""Channels that are one coding and no more."""


def found_at(real: NDArray, ai: NDArray, rate: float) -> float:
    """Share of ``ai`` above the threshold that at most ``rate`` of ``real`` reach."""
    scores = np.concatenate([real, ai])
    if not len(real) or not len(ai):
        return float("nan")
    false, true, _ = roc_curve(
        np.r_[np.zeros(len(real)), np.ones(len(ai))], scores, drop_intermediate=False
    )
    return float(true[false <= rate].max())


def _auc(real: pd.Series, ai: pd.Series) -> float:
    real, ai = real.dropna(), ai.dropna()
    if len(real) < 5 or len(ai) < 5:
        return float("nan")
    return float(roc_auc_score(np.r_[np.zeros(len(real)), np.ones(len(ai))], np.r_[real, ai]))


def figures(tracks: pd.DataFrame, column: str = "logit_plain") -> dict[str, float]:
    """AUCs, and what is found at a rate of false alarms, of out-of-fold logits in ``column``."""
    tracks = tracks[tracks[column].notna()]
    score = tracks[column]
    corpus, full = tracks.part == "corpus", tracks.part != "corpus"
    real, ai, codec = (tracks.kind == kind for kind in ("real", "ai", "codec"))
    result = {}
    for name, part in (("corpus", corpus), ("all parts", corpus | full)):
        human = score[real & part]
        result[f"AUC {name}: all"] = _auc(human, score[~real & part])
        result[f"AUC {name}: generators"] = _auc(human, score[ai & part])
        band = ai & part & (tracks.sample_rate >= 32_000)
        result[f"AUC {name}: full-band generators"] = _auc(
            score[real & part & (tracks.sample_rate >= 32_000)], score[band]
        )
        result[f"AUC {name}: codecs"] = _auc(human, score[codec & part])
    song = tracks.seconds >= 20
    human = real & tracks.recorded & full & song
    commercial = tracks.commercial & full
    others = ai & ~tracks.commercial
    result["tracks: commercial"] = float(commercial.sum())
    result["tracks: recorded human songs"] = float(human.sum())
    result["AUC commercial"] = _auc(score[human], score[commercial])
    for rate in (44_100, 48_000):
        same = tracks.sample_rate == rate
        result[f"AUC commercial at {rate}"] = _auc(
            score[real & tracks.recorded & same], score[commercial & same]
        )
    result["AUC other generators"] = _auc(score[human], score[others])
    for share in (0.01, 0.015):
        if human.sum() > 20:
            for name, part in (
                ("commercial", commercial),
                ("other generators", others),
                ("codecs", codec),
            ):
                result[f"found at {share:.1%}: {name}"] = found_at(
                    score[human].to_numpy(), score[part].to_numpy(), share
                )
    return result


def drift(tracks: pd.DataFrame, scale: float = 1.0) -> dict[str, float]:
    """Largest less least P(AI) of a track over wav, MP3, AAC and Opus: mean, 95th percentile."""
    columns = ["logit_wav2", *(c for c in tracks if c.startswith("logit_drift_"))]
    p = 1 / (1 + np.exp(-scale * tracks[columns].dropna().to_numpy()))
    if not len(p):
        return {}
    spread = p.max(axis=1) - p.min(axis=1)
    return {
        "drift mean": float(spread.mean()),
        "drift p95": float(np.quantile(spread, 0.95)),
        "tracks: drift": float(len(p)),
    }


def by_track(logit: NDArray[np.float64], table: pd.DataFrame, tracks: pd.DataFrame) -> pd.DataFrame:
    """``tracks`` with pooled logits: plain (median and mean), common, each codec."""
    crops = table[["track_id", "section", "channel", "start"]].assign(logit=logit)
    crops = crops[crops.logit.notna()]
    tracks = tracks.set_index("track_id")
    audited = crops.section == "audit"
    known = set(crops.track_id[audited])
    plain = crops[audited | ((crops.section == "plain") & ~crops.track_id.isin(known))]
    tracks["logit_plain"] = plain.groupby("track_id").logit.median()
    bounded = plain.assign(logit=plain.logit.clip(-LIMIT, LIMIT))
    tracks["logit_mean"] = bounded.groupby("track_id").logit.mean()
    tracks["windows"] = plain.groupby("track_id").logit.size()
    tracks["apart"] = plain.groupby("track_id").start.apply(
        lambda starts: windows_apart(sorted(starts), WINDOW_SECONDS)
    )
    tracks["logit_common"] = crops[crops.section == "common"].groupby("track_id").logit.median()
    first = crops[crops.section == "train"].channel.str.extract(FIRST_ONLY)[0]
    for rate in ("44100", "48000"):
        coded = crops.loc[first.index[first == rate]]
        tracks[f"logit_first_{rate}"] = coded.groupby("track_id").logit.mean()
    drifting = crops[crops.section == "drift"]
    for name, part in drifting.groupby("channel"):
        tracks[f"logit_drift_{str(name).split(':')[0]}"] = part.groupby("track_id").logit.median()
    if len(drifting):
        kept = drifting[["track_id", "start"]].drop_duplicates()
        same = crops[crops.section == "plain"].merge(kept, on=["track_id", "start"])
        tracks["logit_wav2"] = same.groupby("track_id").logit.median()
    return tracks.reset_index()


def all_figures(tracks: pd.DataFrame) -> dict[str, float]:
    """Figures of plain audio, of the mean in place of the median, of the common channel, drift.

    Audits by a head pool by the mean; the common channel has one or two windows a track.
    """
    result = figures(tracks)
    mean = figures(tracks, "logit_mean")
    result |= {
        f"mean-pooled {k}": value for k, value in mean.items() if k.startswith(("AUC", "found"))
    }
    if tracks.logit_common.notna().sum() > 50:
        common = figures(tracks, "logit_common")
        result |= {f"common {k}": v for k, v in common.items() if k.startswith("AUC corpus")}
    if "logit_wav2" in tracks:
        result |= drift(tracks)
    for name, part in (
        ("human", tracks.recorded),
        ("commercial", tracks.commercial),
        ("other", (tracks.kind == "ai") & ~tracks.commercial),
    ):
        low, high = (tracks.loc[part, f"logit_first_{rate}"] for rate in (44_100, 48_000))
        # Drawn at random, so a difference is what the lattice of the coding alone does.
        result[f"lattice: logit at 48 less at 44.1 kHz, {name}"] = high.mean() - low.mean()
    real = tracks.label == "real"
    threshold = tracks.logit_mean[real].quantile(0.99)
    for rate in (44_100, 48_000):
        part = real & (tracks.sample_rate == rate) & tracks.logit_mean.notna()
        result[f"human called ai at 1 % among {rate}"] = float(
            (tracks.logit_mean[part] > threshold).mean()
        )
        part = tracks.commercial & (tracks.sample_rate == rate) & tracks.logit_mean.notna()
        result[f"commercial found at 1 % among {rate}"] = float(
            (tracks.logit_mean[part] > threshold).mean()
        )
    return result


def mean_over_seeds(scored: list[pd.DataFrame]) -> pd.DataFrame:
    """Scores of every track, averaged over seeds; ``p_ai`` is the pooled one of plain audio."""
    merged = scored[0].copy()
    for column in [one for one in merged if one.startswith("logit_")]:
        found = [
            one.set_index("track_id")[column].reindex(merged.track_id).to_numpy() for one in scored
        ]
        merged[column] = np.mean(found, axis=0)
    merged["segments"] = merged.apart
    merged["p_ai"] = 1 / (1 + np.exp(-merged.logit_mean))
    return merged[merged.p_ai.notna()]
