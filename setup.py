"""Package for Beam's ``--setup_file``; everything else is in pyproject.toml."""

from setuptools import setup

setup()
