"""The stages of an audit: pure functions, and the DoFns and PTransforms around them."""
