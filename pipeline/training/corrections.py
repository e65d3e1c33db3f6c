"""Labels of the corpus that its own pages contradict.

Enters: the label, kind and generator of a file as a corpus has them, and where the file is from.
Leaves: them as the page says that they are, or nothing for what has no label: music that a machine
wrote and a synthesiser played was made without a neural decoder, and is neither music by people nor
what this detector looks for. Every correction in ``configs/corrections.toml`` quotes the page that
decided it; low scores may tell where to look, never what a file is.
"""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

CORRECTIONS = Path(__file__).parent / "configs" / "corrections.toml"
NEITHER = ("symbolic", "doubtful")
"""Classes of files that nothing is learnt from and nothing is measured on."""
ORIGIN = re.compile(r"github:(?P<repo>[^@:]+)(?:@[0-9a-f]+)?:(?P<path>.*)", re.DOTALL)


class Labels(NamedTuple):
    """What a track is; ``kind`` is ``real``, ``ai`` or ``codec``, ``generator`` of the last two."""

    label: str
    kind: str
    generator: str


@dataclass(frozen=True)
class Correction:
    """What some files of a repository are.

    Attributes:
      repo: ``owner/name``.
      paths: what is found in the paths of these files.
      right: ``real``, ``ai:GENERATOR``, ``codec:NAME``, or one of ``NEITHER``.
      evidence: what the page says.
    """

    repo: str
    paths: re.Pattern[str]
    right: str
    evidence: str


def parsed_corrections(text: str) -> tuple[Correction, ...]:
    """Corrections of a TOML document that holds a list ``correction`` and nothing else.

    Raises:
      ValueError: no TOML, an entry that lacks a key or has another one, no regular expression, or a
        class that is not known.
    """
    document = tomllib.loads(text)
    entries = document.pop("correction", [])
    if document or not isinstance(entries, list):
        raise ValueError(f"use [[correction]], not {', '.join(document) or 'another form of it'}")
    return tuple(map(_parsed, entries))


def _parsed(entry: Any) -> Correction:
    names = {one.name for one in fields(Correction)}
    is_table = isinstance(entry, dict)
    if not is_table or entry.keys() != names or not all(isinstance(v, str) for v in entry.values()):
        raise ValueError(f"{entry!r:.200}: a correction has the texts {', '.join(sorted(names))}")
    kind, _, name = entry["right"].partition(":")
    if entry["right"] not in (*NEITHER, "real") and not (kind in ("ai", "codec") and name):
        raise ValueError(f"{entry['repo']}: {entry['right']!r} is no class")
    try:
        return Correction(**entry | {"paths": re.compile(entry["paths"])})
    except re.error as error:
        raise ValueError(f"{entry['repo']}: {entry['paths']!r}: {error}") from error


@cache
def corrections() -> tuple[Correction, ...]:
    """Those of ``configs/corrections.toml``."""
    return parsed_corrections(CORRECTIONS.read_text())


def corrected(
    labels: Labels, origin: str, known: Sequence[Correction] | None = None
) -> Labels | None:
    """``labels`` as the page of ``origin`` has them; ``None`` for what is neither.

    Args:
      labels: of the corpus.
      origin: ``github:owner/name:path``, with or without ``@commit``; others are believed.
      known: corrections, those of the file unless given; the first that fits holds.
    """
    place = ORIGIN.fullmatch(origin)
    if not place:
        return labels
    for one in corrections() if known is None else known:
        if one.repo == place["repo"] and one.paths.search(place["path"]):
            if one.right in NEITHER:
                return None
            kind, _, generator = one.right.partition(":")
            return Labels("real" if kind == "real" else "ai", kind, generator)
    return labels
