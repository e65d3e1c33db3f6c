"""Training of the detector and of the neural codecs that make its pairs."""
