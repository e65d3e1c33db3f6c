"""Weights that ship, and what a weights file is before it is loaded."""
