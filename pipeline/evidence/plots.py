"""The drawings of the pages.

Enters: evidence. Leaves: SVG text, or PNG where a drawing is a picture, to be put into a page.
Differences are drawn by place and pattern too, so that nothing needs colour to be read.
"""

import base64
import io
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from artifactnet.pipeline.evidence.reference import Reference
from artifactnet.pipeline.evidence.track import TrackEvidence, TrackSound
from artifactnet.pipeline.evidence.words import band_words

mpl.use("agg")
mpl.rcParams["svg.fonttype"] = "none"  # text stays text: small, and read aloud
mpl.rcParams["svg.hashsalt"] = "artifactnet"  # the same drawing is the same file
mpl.rcParams["font.family"] = "sans-serif"
mpl.rcParams["axes.spines.top"] = mpl.rcParams["axes.spines.right"] = False

INK, AI, REAL = "#1a1a1a", "#b3261e", "#2b6cb0"
WIDE = 9.0
ENVELOPE_POINTS = 60
BINS = tuple(np.linspace(0, 1, 41).tolist())


def svg(figure: Figure) -> str:
    """The figure as SVG text without a header."""
    out = io.StringIO()
    figure.savefig(out, format="svg", bbox_inches="tight", metadata={"Date": None})
    text = out.getvalue()
    return text[text.index("<svg") :]


def png_address(figure: Figure) -> str:
    """The figure as a ``data:`` address of a PNG."""
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=110, bbox_inches="tight")
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


def timeline(found: TrackEvidence, sound: TrackSound) -> str:
    """Waveform and score of each window over the track's time."""
    figure = Figure(figsize=(WIDE, 2.6), layout="constrained")
    wave, score = figure.subplots(2, 1, sharex=True, height_ratios=(1, 2))
    seconds = sound.audio.windows.shape[1] / sound.sample_rate
    duration = sound.audio.info.duration
    for start, window in zip(sound.audio.starts, sound.audio.windows, strict=True):
        blocks = np.array_split(window, ENVELOPE_POINTS)
        peaks = np.array([np.abs(block).max() for block in blocks])
        at = start + np.arange(ENVELOPE_POINTS) * seconds / ENVELOPE_POINTS
        wave.fill_between(at, -peaks, peaks, color=INK, linewidth=0)
    wave.set(ylim=(-1, 1), yticks=(), xlim=(0, duration))
    wave.set_ylabel("sound", rotation=0, ha="right", va="center")
    for place, one in enumerate(found.windows):
        loud = one.p_ai >= found.threshold_ai
        score.bar(
            one.start, one.p_ai, width=max(seconds, duration / 120), align="edge",
            color=AI if loud else "white", edgecolor=AI if loud else REAL,
            hatch="" if loud else "///",
        )  # fmt: skip
        name = {found.strongest: "strongest", found.weakest: "weakest"}.get(place, "")
        label = f"{one.p_ai:.3f}\n{name}" if name else f"{one.p_ai:.3f}"
        middle = one.start + seconds / 2
        score.annotate(label, (middle, one.p_ai), ha="center", va="bottom", fontsize=8)
    score.axhline(found.threshold_ai, color=INK, linewidth=0.8, linestyle="--")
    score.text(duration, found.threshold_ai, " ai", va="center", fontsize=8)
    score.axhline(found.threshold_real, color=INK, linewidth=0.8, linestyle=":")
    score.text(duration, found.threshold_real, " real", va="center", fontsize=8)
    score.set(ylim=(0, 1.35), yticks=(0, 0.5, 1), xlabel="seconds")
    score.set_ylabel("score", rotation=0, ha="right", va="center")
    return svg(figure)


def _bars(names: Sequence[str], values: Sequence[float], label: str) -> str:
    figure = Figure(figsize=(WIDE, 0.34 * len(names) + 0.7), layout="constrained")
    axes = figure.subplots()
    at = np.arange(len(names))[::-1]
    for place, value in zip(at, values, strict=True):
        axes.barh(
            place, value, color=AI if value > 0 else "white",
            edgecolor=AI if value > 0 else REAL, hatch="" if value > 0 else "///",
        )  # fmt: skip
        axes.annotate(
            f"{round(value, 2) + 0.0:+.2f}", (value, place), va="center", fontsize=8,
            ha="left" if value >= 0 else "right", xytext=(3 if value >= 0 else -3, 0),
            textcoords="offset points",
        )  # fmt: skip
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set_yticks(at, names)
    axes.margins(x=0.2)
    axes.set_xlabel(label)
    return svg(figure)


def group_bars(found: TrackEvidence) -> str:
    """What each group of statistics adds."""
    names = [one.group.replace("_", " ") for one in found.groups]
    values = [one.logit for one in found.groups]
    return _bars(names, values, "points (logits): right of 0 for a generator, left of 0 against")


def band_bars(found: TrackEvidence) -> str:
    """What each band of the spectrum adds."""
    top = found.facts.get("bandwidth_hz") or np.inf
    names = [
        f"{one.low_hz:,.0f} to {one.high_hz:,.0f} Hz: "
        + (band_words(one.low_hz, one.high_hz) if one.low_hz < top else "no sound there")
        for one in found.bands
    ]
    values = [one.logit for one in found.bands]
    return _bars(names, values, "points (logits) that the score loses when this band is silenced")


def spectrum(sound: TrackSound, hop_length: int) -> str:
    """Spectrogram of the strongest window and the residual, one above the other, as PNG."""
    assert sound.magnitude is not None
    assert sound.residual is not None
    figure = Figure(figsize=(WIDE, 4.6), layout="constrained")
    rows = figure.subplots(2, 1, sharex=True)
    seconds = sound.magnitude.shape[1] * hop_length / sound.sample_rate
    extent = (0.0, seconds, 0.0, sound.sample_rate / 2000)
    for axes, image, title in zip(
        rows, (sound.magnitude, sound.residual), ("sound", "residual"), strict=True
    ):
        level = 20 * np.log10(image[:-1:2, ::2] + 1e-6)
        top = float(np.percentile(level, 99.8))
        axes.imshow(
            level,
            origin="lower",
            aspect="auto",
            extent=extent,
            cmap="magma",
            vmin=top - 70,
            vmax=top,
        )
        axes.set_ylabel(f"{title}\nkHz")
    rows[1].set_xlabel("seconds of the strongest window")
    return png_address(figure)


def among(p_ai: float, reference: Reference, threshold_ai: float, what: str) -> str:
    """Where a score lies among known human and generated tracks."""
    figure = Figure(figsize=(WIDE, 2.2), layout="constrained")
    axes = figure.subplots()
    _classes(axes, reference)
    axes.axvline(threshold_ai, color=INK, linewidth=0.8, linestyle="--")
    axes.text(
        threshold_ai - 0.005, 0.85 * axes.get_ylim()[1], "ai from here", ha="right", fontsize=8
    )
    left = p_ai > 0.5
    axes.text(
        p_ai + (-0.01 if left else 0.01),
        0.6 * axes.get_ylim()[1],
        what,
        ha="right" if left else "left",
        fontsize=9,
    )
    axes.axvline(p_ai, color=INK, linewidth=2)
    return svg(figure)


def _classes(axes, reference: Reference) -> None:  # type: ignore[no-untyped-def]
    for label, colour, hatch, name in (
        ("real", REAL, "///", "human"),
        ("ai", AI, "", "generated"),
    ):
        scores = reference.scores(label)
        axes.hist(
            scores, BINS, weights=np.full(len(scores), 100 / max(1, len(scores))),
            histtype="stepfilled", facecolor="none" if hatch else f"{colour}55", edgecolor=colour,
            hatch=hatch, label=f"known {name} ({len(scores):,})",
        )  # fmt: skip
    axes.set(xlabel="score", ylabel="% of tracks", xlim=(0, 1))
    axes.legend(loc="upper center", frameon=False, fontsize=8)


def catalogue_histogram(p_ai: NDArray[np.float64], reference: Reference | None) -> str:
    """Scores of a catalogue against those of known music."""
    figure = Figure(figsize=(WIDE, 2.8), layout="constrained")
    axes = figure.subplots()
    weights = np.full(len(p_ai), 100 / max(1, len(p_ai)))
    axes.hist(
        p_ai, BINS, weights=weights, histtype="step", color=INK, linewidth=2,
        label=f"this catalogue ({len(p_ai):,})",
    )  # fmt: skip
    if reference:
        _classes(axes, reference)
    axes.set(xlabel="score", ylabel="% of tracks", xlim=(0, 1))
    axes.legend(loc="upper center", frameon=False, fontsize=8)
    return svg(figure)
