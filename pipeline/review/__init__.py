"""People decide: a queue of flagged tracks, and what was decided of each."""
