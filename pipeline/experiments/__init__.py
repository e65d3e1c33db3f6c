"""What researchers run: unseen generators, unseen codecs, ablations."""
