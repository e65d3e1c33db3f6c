"""ArtifactBench: how well a detector does, track by track, source by source."""
