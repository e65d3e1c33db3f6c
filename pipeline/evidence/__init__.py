"""Evidence that a person can act on: pages and tables of why a track was flagged."""
