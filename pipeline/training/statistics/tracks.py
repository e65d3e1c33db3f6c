"""The tracks that a bank of statistics is made of.

Enters: the corpus' manifest, and the list of the same sources at full length. Leaves: one
``Item`` a track, whatever list it comes from; an excerpt whose music is there at full length
stays, since both are of one source and so of one fold.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from artifactnet.pipeline.training.corrections import Labels, corrected

COMMERCIAL = frozenset(
    ("suno", "udio", "elevenlabs-music", "lyria", "minimax-music", "stable-audio")
)
"""Generators that are sold as a service; their songs are found in the wild."""

SEQUENCED = frozenset(("shattered-pixel-dungeon", "untrusted-game", "sashimi-page-dataset"))
"""Human sources beside Debian's games whose music is composed on a computer."""

SOLO = frozenset(("mir-1k", "instructme-page-real", "msg-ld-target"))
"""Many short pieces of one kind: no songs."""
MOST_SOLO = 60
"""Of such a source that are taken."""
SONGS_FIRST = 4

AUDIO = frozenset((".ogg", ".mp3", ".wav", ".flac", ".oga", ".opus", ".m4a"))
SHORTEST_MUSIC_BYTES = 60_000
"""Of a game's files: shorter ones are sound effects."""


@dataclass(frozen=True)
class Item:
    """One track; ``part`` is ``corpus``, ``full`` or ``debian``."""

    track_id: str
    path: str
    part: str
    label: str
    kind: str
    source: str
    generator: str
    pair: str
    origin: str

    @property
    def commercial(self) -> bool:
        """A song of a commercial generator."""
        return self.kind == "ai" and self.generator in COMMERCIAL

    @property
    def recorded(self) -> bool:
        """Human music that was played or sung, as far as its source tells."""
        debian = self.part == "debian" or self.origin.startswith("debian:")
        return self.label == "real" and not debian and self.source not in SEQUENCED


def corpus_items(manifest: Path) -> Iterator[Item]:
    """Excerpts of the corpus."""
    for line in manifest.read_text().splitlines():
        row = json.loads(line)
        yield Item(
            row["track_id"],
            str(manifest.parent / row["uri"]),
            "corpus",
            row["label"],
            row["kind"],
            row["source"],
            row.get("generator") or "",
            row.get("pair") or "",
            row.get("origin") or "",
        )


def full_items(listing: Path) -> Iterator[Item]:
    """Tracks of ``listing``, one JSON object a line, as far as it has come.

    Each has ``cls`` (ai, codec, real, original), ``source``, ``generator``, ``local`` (a path),
    ``sha256``, ``repo``, ``path`` and ``pair``.
    """
    for line in listing.read_text().splitlines() if listing.exists() else ():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue  # the last line, half written
        human = row["cls"] in ("real", "original")
        yield Item(
            f"full-{row['source']}-{row['sha256'][:12]}",
            row["local"],
            "full",
            "real" if human else "ai",
            "real" if human else row["cls"],
            row["source"],
            "" if human else row.get("generator") or row["source"],
            row.get("pair") or "",
            f"github:{row['repo']}:{row['path']}",
        )


def debian_items(folder: Path) -> Iterator[Item]:
    """Music in ``folder``/PACKAGE, one source a package."""
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        if path.suffix.lower() not in AUDIO or path.stat().st_size < SHORTEST_MUSIC_BYTES:
            continue
        package = path.relative_to(folder).parts[0]
        name = hashlib.sha256(str(path.relative_to(folder)).encode()).hexdigest()[:12]
        yield Item(
            f"debian-{package}-{name}",
            str(path),
            "debian",
            "real",
            "real",
            package,
            "",
            "",
            f"debian:{package}:{path.relative_to(folder / package)}",
        )


def rightly_labelled(item: Item) -> Item | None:
    """``item`` as its page labels it; ``None`` for what has no label."""
    right = corrected(Labels(item.label, item.kind, item.generator), item.origin)
    return replace(item, **right._asdict()) if right else None


def rightly_labelled_row(row: dict[str, Any], made_anew: bool = False) -> dict[str, Any] | None:
    """A ``row`` of a bank with its labels corrected; ``None`` for what has none.

    Args:
      row: an ``Item``'s fields and more.
      made_anew: the crop was made from the music that its origin tells of, which must be human.
    """
    item = Item(**{one.name: row[one.name] for one in fields(Item)})
    if made_anew:
        item = replace(item, label="real", kind="real", generator="")
    right = rightly_labelled(item)
    if right == item:
        return row
    if right is None or made_anew:
        return None
    return row | asdict(right) | {"commercial": right.commercial, "recorded": right.recorded}


def all_items(manifest: Path, listing: Path, debian: Path) -> list[Item]:
    """Every track, one of each source, then a second one of each and so on.

    So any first part of a bank holds as many sources as there are; of songs at full length it
    holds ``SONGS_FIRST`` times as many as of the rest.
    """
    listed = (*corpus_items(manifest), *full_items(listing), *debian_items(debian))
    items = [right for item in listed if (right := rightly_labelled(item))]
    items.sort(key=lambda item: hashlib.sha256(item.track_id.encode()).digest())
    ranks: Counter[tuple[str, str]] = Counter()
    ranked = []
    for item in items:
        ranks[item.source, item.part] += 1
        song = item.commercial or (item.recorded and item.part == "full")
        solo = item.source in SOLO
        rank = ranks[item.source, item.part]
        if solo and rank > MOST_SOLO:
            continue
        ranked.append((rank / (SONGS_FIRST if song and not solo else 1), item))
    return [item for _, item in sorted(ranked, key=lambda pair: pair[0])]
