"""The detector of a process, and how Beam runs it."""
