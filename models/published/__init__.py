"""Detectors that others published, built from their papers, to be measured beside ours."""
