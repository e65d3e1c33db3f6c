"""Heads by folds of unseen generators and sources.

Enters: a bank as far as it has come. Leaves: figures on standard output and in ``OUT/NAME.json``,
mean and spread over seeds, and in ``OUT/NAME.parquet`` the score of every track by heads that saw
neither its source nor its generator (``label`` and ``p_ai``, as ``artifactnet calibrate --scores``
wants them).

Run as ``python -m artifactnet.pipeline.training.statistics.evaluate BANK OUT``.
"""

import json
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score, roc_curve

from artifactnet.models.pooling import LIMIT
from artifactnet.models.statistics.forensic_statistics import FEATURE_NAMES
from artifactnet.pipeline.training.statistics.bank import SECTIONS, WINDOW_SECONDS, shards
from artifactnet.pipeline.training.statistics.heads import (
    BANDS,
    LAYOUT,
    SETTINGS_HELP,
    HeadConfig,
    Levels,
    fit_head,
    parsed_config,
)
from artifactnet.pipeline.training.statistics.phases import GRIFFIN_LIM, fit_phases, learnt_from
from artifactnet.pipeline.training.statistics.tracks import rightly_labelled_row
from artifactnet.pipeline.training.statistics.voice import LEARNT, voice_of_crops
from artifactnet.pipeline.training.statistics.weights import (
    assign_folds,
    crop_weights,
    parsed_weighting,
)
from artifactnet.transforms.audio.windows import windows_apart

VOCODERS, IMITATIONS = "vocoders", "imitations"
RESYNTHESISED = (VOCODERS, IMITATIONS, GRIFFIN_LIM)
"""Sections of human crops resynthesised for training. What knows phases that were found anew
learns from the last; all else learns from them only where asked to."""
FIRST_ONLY = r"^(?:degraded, )?[a-z0-9]+(?::\d+k)?@(44100|48000)$"
"""Channels that are one coding and no more."""
CORE = (
    "track_id",
    "part",
    "label",
    "kind",
    "source",
    "generator",
    "pair",
    "commercial",
    "recorded",
    "sample_rate",
    "seconds",
)


def load(
    bank: Path, sections: tuple[str, ...] = SECTIONS
) -> tuple[NDArray[np.float32], pd.DataFrame]:
    """All crops: features and their table with a column ``section``.

    Labels are corrected as those of new banks are, and crops of what has no label are left out.
    """
    features, rows = [], []
    for section in sections:
        for block, table in shards(bank / section):
            corrected = [rightly_labelled_row(row, section in RESYNTHESISED) for row in table]
            features.append(block[[row is not None for row in corrected]])
            rows += [row | {"section": section} for row in corrected if row]
    table = pd.DataFrame(rows)
    table["generator"] = table.generator.fillna("")
    return np.concatenate(features), table


def tracks_of(table: pd.DataFrame) -> pd.DataFrame:
    """One row a track."""
    return table[list(CORE)].drop_duplicates("track_id").reset_index(drop=True)


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
    """The figures of the issue, of out-of-fold logits in ``column``."""
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


def out_of_fold(
    features: NDArray[np.float32],
    table: pd.DataFrame,
    measured: NDArray[np.float64],
    p_voice: NDArray[np.float64],
    *,
    folds: int,
    seed: int,
    config: HeadConfig,
    weighting: dict[str, Any],
    learnt: tuple[str, ...],
) -> tuple[NDArray[np.float64], pd.DataFrame]:
    """Logit of each crop by a head that did not see its group, and the tracks with their fold.

    What was ``measured`` of a crop, and P(a voice alone), temper its logit as they do in an audit.
    """
    # A crop that was made of human music is of that music's fold, and no track of its own.
    tracks = tracks_of(table[~table.section.isin(RESYNTHESISED)])
    tracks["fold"] = assign_folds(tracks, folds, seed)
    fold = table.track_id.map(tracks.set_index("track_id").fold).to_numpy()
    missing = np.isnan(features[:, BANDS]).sum(axis=1)
    empty = np.isnan(features).all(axis=1)
    logit = np.full(len(features), np.nan)
    crops = Levels.of(features)
    labels = (table.label == "ai").to_numpy()
    # What is of no fold, since nothing else of its track is there, would teach all of them.
    known = np.isfinite(fold) & ~empty
    phases = learnt_from(table) & known
    for one in range(folds):
        fit = (fold != one) & table.section.isin(learnt).to_numpy() & known
        weights = crop_weights(table[fit].reset_index(drop=True), missing[fit], **weighting)
        head = fit_head(crops, fit, labels, weights, config, seed, LAYOUT)
        if (learn := (fold != one) & phases).any():
            head = replace(head, griffin_lim=fit_phases(features[learn], table[learn], seed))
        out = fold == one
        for block in np.array_split(np.flatnonzero(out), max(1, out.sum() // 500)):
            doubt = head.doubt(measured[block], p_voice[block])
            logit[block] = head.logit(features[block]) * doubt
    return logit, tracks


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
    """Figures of plain audio, of the mean in place of the median, of the common channel, drift."""
    result = figures(tracks)
    mean = figures(tracks, "logit_mean")
    result |= {
        f"mean-pooled {k}": mean[k] for k in mean if k.startswith(("AUC commercial", "found"))
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


def main(
    bank: Path,
    out: Annotated[Path, typer.Argument(help="Folder for ``NAME.json`` and the scores.")],
    name: str = "scores",
    folds: int = 5,
    seeds: int = 3,
    drop: Annotated[list[str] | None, typer.Option(help="Group that is left out.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help=SETTINGS_HELP),
    ] = None,
    weighting: Annotated[list[str] | None, typer.Option(help="Of the crops, name=value.")] = None,
    learn: Annotated[list[str] | None, typer.Option(help="Section to learn from.")] = None,
) -> None:
    """Measure heads on generators and sources that they never learnt from; results in OUT."""
    config = parsed_config(settings or [])
    group = np.array([one.split("/")[0] for one in FEATURE_NAMES])
    learnt = tuple(learn or LEARNT)
    extra = [one for one in (*learnt, GRIFFIN_LIM) if one not in SECTIONS]
    features, table = load(bank, (*SECTIONS, *dict.fromkeys(extra)))
    p_voice = voice_of_crops(features, table)
    measured = np.isfinite(features).mean(axis=1)
    features[:, np.isin(group, drop or [])] = np.nan
    crops = table.section.value_counts().to_dict()
    print(name, crops, config)
    found, scored = [], []
    for seed in range(seeds):
        begin = time.monotonic()
        logit, tracks = out_of_fold(
            features,
            table,
            measured,
            p_voice,
            folds=folds,
            seed=seed,
            config=config,
            weighting=parsed_weighting(weighting or []),
            learnt=learnt,
        )
        tracks = by_track(logit, table, tracks)
        scored.append(tracks)
        found.append(all_figures(tracks))
        print(f"seed {seed}: {time.monotonic() - begin:.0f} s", flush=True)
    frame = pd.DataFrame(found)
    summary = {k: [frame[k].mean(), frame[k].std(ddof=0), *frame[k]] for k in frame}
    for figure, (mean, spread, *_) in summary.items():
        print(f"  {figure:48s} {mean:8.3f} +- {spread:.3f}")
    out.mkdir(parents=True, exist_ok=True)
    report = {"crops": crops, "config": asdict(config), "figures": summary}
    (out / f"{name}.json").write_text(json.dumps(report, indent=2))
    mean_over_seeds(scored).to_parquet(out / f"{name}.parquet")


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


if __name__ == "__main__":
    typer.run(main)
