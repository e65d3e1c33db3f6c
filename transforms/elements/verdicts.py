"""All that can be said of a track.

Enters: words of the command line. Leaves: ``VERDICTS``, the gravest first, or why a word is none.
"""

from collections.abc import Iterable

AI, PARTIAL, UNCERTAIN, REAL = "ai", "partial", "uncertain", "real"
VERDICTS = (AI, PARTIAL, UNCERTAIN, REAL)


def check_verdicts(names: Iterable[str]) -> None:
    """Refuse what is no verdict.

    Raises:
      ValueError: naming it, and those that there are.
    """
    if wrong := set(names) - set(VERDICTS):
        raise ValueError(f"--verdict {min(wrong)}: use one of {', '.join(VERDICTS)}")
