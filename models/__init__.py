"""The detector: torch modules, their configuration and their weights. Nothing of Beam."""
