"""What known music scores: the measure of every claim on a page.

Enters: ``WEIGHTS.reference.parquet``, which lies beside the weights. Leaves: exact bounds on
how often human music scores so high, in general and where its sound is as narrow or as loud.

Every score in it is of a track that the head did not learn from (out of fold).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from artifactnet.models.config import SHORT_SEGMENTS, ArtifactNetConfig
from artifactnet.models.weights.weights_file import SHIPPED_WEIGHTS
from artifactnet.pipeline.evaluation.intervals import FEWEST, exact_bounds
from artifactnet.transforms.audio.sound_facts import SoundFacts

MODEL_ID = b"model_id"
COLUMNS = (
    *("track_id", "label", "kind", "source", "generator", "commercial", "recorded"),
    *("segments", "sample_rate", "p_ai", "p_voice", "bit_rate", "codec", *SoundFacts._fields),
)
CONFIDENCE = 0.95
NEIGHBOURS = 100
"""Human tracks that a condition is measured on, at most."""
FEWEST_EXTREME = 10
"""Human tracks that must be as extreme as the track in question."""


LOSSLESS = ("pcm", "flac", "alac", "wavpack", "ape", "tta", "dsd", "float", "double")


def is_lossless(codec: str | None) -> bool:
    """Whether a codec, as the decoders name it, keeps every sample."""
    return str(codec or "").startswith(LOSSLESS)


class Rate(NamedTuple):
    """A share that was seen, and what it may be.

    Attributes:
      seen: tracks that did it.
      tracks: of so many.
      lower: exact (Clopper-Pearson) bounds, each at 95 % confidence.
      upper: the same.
    """

    seen: int
    tracks: int
    lower: float
    upper: float

    @property
    def enough(self) -> bool:
        """Whether there are tracks enough to speak of a rate."""
        return self.tracks >= FEWEST


def rate(seen: int, tracks: int, confidence: float = CONFIDENCE) -> Rate:
    """Exact one-sided bounds of ``seen`` of ``tracks``."""
    return Rate(seen, tracks, *exact_bounds(seen, tracks, 2 * (1 - confidence)))


PARTS_IN_HUMAN_SONGS = (0, 230)
"""Human songs with a generated part, of those measured (``docs/experiments/2026-11-27.md``)."""


def segments_apart(tracks: pa.Table) -> NDArray[np.int64]:
    """Segments of each track of an audit that don't overlap; all of them by earlier versions."""
    apart = pc.coalesce(tracks["segments_apart"], tracks["segments"])
    return apart.to_numpy().astype(np.int64)


@dataclass(frozen=True, eq=False)
class Reference:
    """Scores of known music.

    Attributes:
      model_id: of the detector that they stand for.
      tracks: columns ``COLUMNS``.
    """

    model_id: str
    tracks: pa.Table

    def scores(self, label: str, short: bool | None = None) -> NDArray[np.float64]:
        """P(AI) of the tracks of a label; of short ones or of long ones only, if asked."""
        wanted = pc.equal(self.tracks["label"], label)
        if short is not None:
            is_short = pc.less(self.tracks["segments"], SHORT_SEGMENTS)
            wanted = pc.and_(wanted, is_short if short else pc.invert(is_short))
        return self.tracks.filter(wanted)["p_ai"].to_numpy()

    def human_rate(self, p_ai: float, short: bool) -> Rate:
        """How many human tracks of like length score ``p_ai`` or more."""
        human = self.scores("real", short)
        return rate(int((human >= p_ai).sum()), len(human))

    def sources(self) -> int:
        """Sources of the human tracks."""
        return len(pc.unique(self.tracks.filter(pc.equal(self.tracks["label"], "real"))["source"]))

    def called_ai(self, config: ArtifactNetConfig) -> NDArray[np.bool_]:
        """Which tracks the thresholds of ``config`` call ai."""
        thresholds = [config.threshold_ai_of(n) for n in self.tracks["segments"].to_pylist()]
        return self.tracks["p_ai"].to_numpy() >= np.array(thresholds)

    def human_rate_near(
        self, fact: str, value: float, above: bool, config: ArtifactNetConfig
    ) -> Rate:
        """How many are called ai of the human tracks that are nearest to ``value`` in a fact.

        Half of the ``NEIGHBOURS`` are less extreme and half are more so: what is true of far more
        extreme ones, such as of pure speech, says nothing of a song with a trace of it. Where
        hardly any track is as extreme, only those that are count.

        Args:
          fact: a column.
          value: of the track in question.
          above: whether larger values are the more extreme.
          config: with the thresholds.
        """
        facts = self.tracks[fact].to_numpy(zero_copy_only=False).astype(float)
        if fact == "bit_rate":  # of a file that is not coded lossily it says nothing
            facts[[is_lossless(codec) for codec in self.tracks["codec"].to_pylist()]] = np.nan
        human = self.tracks["label"].to_numpy(zero_copy_only=False) == "real"
        places = np.flatnonzero(human & np.isfinite(facts))
        sign = -1 if above else 1
        ordered = places[np.argsort(sign * facts[places], kind="stable")]  # most extreme first
        as_extreme = int(np.searchsorted(sign * facts[ordered], sign * value, side="right"))
        less = NEIGHBOURS // 2 if as_extreme >= FEWEST_EXTREME else 0
        near = ordered[max(0, as_extreme - NEIGHBOURS // 2) : as_extreme + less]
        return rate(int(self.called_ai(config)[near].sum()), len(near))


def reference_path(weights: Path | None) -> Path:
    """Where the reference of a weights file lies; ``None`` is the shipped one."""
    return (weights or SHIPPED_WEIGHTS).with_suffix(".reference.parquet")


def load_reference(weights: Path | None, model_id: str) -> Reference | None:
    """The reference of a detector; ``None`` where there is none, or where it is of another.

    Raises:
      ValueError: the file is no such table.
    """
    path = reference_path(weights)
    if not path.is_file():
        return None
    try:
        tracks = pq.read_table(path, columns=list(COLUMNS))
    except (OSError, pa.ArrowInvalid) as error:
        raise ValueError(f"{path}: no table of reference scores ({error})") from error
    stored = (tracks.schema.metadata or {}).get(MODEL_ID, b"").decode()
    return Reference(stored, tracks) if stored == model_id else None
