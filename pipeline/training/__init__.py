"""Training of the detector, and of the decoders that make its pairs."""
