"""Detectors side by side: ours, published ones, ONNX files, and whatever a package brings."""
