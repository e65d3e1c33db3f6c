"""All that can be said of a track.

Enters: nothing. Leaves: ``VERDICTS``, the gravest first.
"""

AI, PARTIAL, UNCERTAIN, REAL = "ai", "partial", "uncertain", "real"
VERDICTS = (AI, PARTIAL, UNCERTAIN, REAL)
