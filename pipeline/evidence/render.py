"""Pages of HTML that need nothing else: no network, no script.

Enters: evidence. Leaves: text of a page. Templates are in ``pages/``; whatever comes from a
manifest is escaped.
"""

import base64
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import soxr

from artifactnet.pipeline.evidence import plots
from artifactnet.pipeline.evidence.catalogue import CatalogueFacts
from artifactnet.pipeline.evidence.reference import PARTS_IN_HUMAN_SONGS, Reference, rate
from artifactnet.pipeline.evidence.track import OCCLUDED, TrackEvidence, TrackSound
from artifactnet.pipeline.evidence.words import GROUP_WORDS, band_words
from artifactnet.transforms.audio.codec_spec import parse_codec, rate_for
from artifactnet.transforms.audio.lossy_codec import PyAVBackend
from artifactnet.transforms.elements.row_key import digest_of

PAGES = Path(__file__).parent / "pages"
EXCERPT = parse_codec("opus:64k")
PROVENANCE = (
    ("track_id", "track"),
    ("uri", "file"),
    ("sha256", "SHA-256 of the file"),
    ("container", "container"),
    ("codec", "codec"),
    ("sample_rate", "sample rate (Hz)"),
    ("channels", "channels"),
    ("duration", "duration (s)"),
    ("file_bytes", "bytes"),
    ("model_id", "model"),
    ("config_id", "configuration"),
    ("run_id", "run"),
)


class Player(NamedTuple):
    """An excerpt that can be played."""

    name: str
    at: str
    address: str


class PageLink(NamedTuple):
    """A track of the review queue, and the name of its page; empty where there is none."""

    row: Mapping[str, Any]
    page: str


@lru_cache
def _environment() -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(PAGES)
    made = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    made.filters["clock"] = _clock
    return made


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _players(found: TrackEvidence, sound: TrackSound) -> tuple[Player, ...]:
    encoder, rate = PyAVBackend(), rate_for(EXCERPT, sound.sample_rate)
    places = {"strongest": found.strongest, "weakest": found.weakest}
    if found.strongest == found.weakest:
        del places["weakest"]
    players = []
    for name, place in places.items():
        window = soxr.resample(sound.audio.windows[place], sound.sample_rate, rate)
        opus = encoder.encode(window, rate, EXCERPT)
        address = "data:audio/ogg;base64," + base64.b64encode(opus).decode()
        players.append(Player(name, _clock(found.windows[place].start), address))
    return tuple(players)


def track_page(
    found: TrackEvidence,
    sound: TrackSound,
    reference: Reference | None,
    hop_length: int,
    versions: Mapping[str, str],
    *,
    contact: str = "",
    index: str = "",
    with_audio: bool = True,
    review: object = None,
) -> str:
    """The page of one track.

    Args:
      found: facts.
      sound: what is drawn and played.
      reference: of the detector.
      hop_length: of its STFT.
      versions: of Python and packages.
      contact: to whom an appeal goes.
      index: name of the catalogue's page, or empty.
      with_audio: embed the strongest and the weakest window.
      review: a ``ReviewBar`` where a person is asked to decide.
    """
    low, high, _ = max(found.bands, key=lambda band: band.logit)
    provenance = [
        (words, found.facts[name])
        for name, words in PROVENANCE
        if found.facts.get(name) is not None
    ]
    provenance += [(name, value) for name, value in versions.items()]
    what = f"this track, {found.p_ai:.2f}"
    short = found.is_short
    return (
        _environment()
        .get_template("track.html.j2")
        .render(
            found=found,
            parts_rate=rate(*PARTS_IN_HUMAN_SONGS),
            contact=contact,
            review=review,
            flagged=reference.human_rate(found.threshold_ai, short) if reference else None,
            index=index,
            occluded=min(OCCLUDED, len(found.windows)),
            words=GROUP_WORDS,
            top_band=f"{low:.0f} to {high:.0f} Hz, {band_words(low, high)}",
            provenance=provenance,
            players=_players(found, sound) if with_audio else (),
            timeline=plots.timeline(found, sound),
            bands=plots.band_bars(found),
            groups=plots.group_bars(found) if found.groups else "",
            spectrum=plots.spectrum(sound, hop_length) if sound.magnitude is not None else "",
            among=plots.among(found.p_ai, reference, found.threshold_ai, what) if reference else "",
        )
    )


def page_name(track_id: str) -> str:
    """File name of a track's page, whatever characters its id has."""
    kept = "".join(c if c.isascii() and c.isalnum() else "-" for c in track_id)[:60].strip("-")
    digest = digest_of(track_id).hex()[:8]
    return f"{kept}-{digest}.html" if kept else f"{digest}.html"


def missing_page(row: Mapping[str, Any], why: str, review: object) -> str:
    """The page, in a review, of a track whose sound can't be had any more."""
    return _environment().get_template("missing.html.j2").render(row=row, why=why, review=review)


def list_page(tracks: Sequence[object], queue: object, show: str, root: str) -> str:
    """The list of a review; ``show`` is ``open``, ``decided`` or ``all``."""
    page = _environment().get_template("review_list.html.j2")
    return page.render(tracks=tracks, queue=queue, show=show, root=root, review=None)


def catalogue_page(
    facts: CatalogueFacts,
    queue: Sequence[PageLink],
    reference: Reference | None,
    versions: Mapping[str, str],
) -> str:
    """The page of a catalogue, with the review queue."""
    return (
        _environment()
        .get_template("catalogue.html.j2")
        .render(
            facts=facts,
            review=None,
            queue=queue,
            reference=reference,
            versions=versions,
            histogram=plots.catalogue_histogram(facts.p_ai, reference) if facts.tracks else "",
        )
    )
