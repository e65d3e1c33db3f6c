"""Mutated files of every container through the decoders."""
