"""Sections of a bank whose crops were made anew from human music, for training alone."""
