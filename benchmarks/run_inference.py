"""What Beam's RunInference adds to a model stage, against a plain DoFn.

Run as ``python benchmarks/run_inference.py``. Both pipelines pass the same batches through
the residual stage, in turns in one process; the difference per batch is set against what
the stage itself takes.
"""

import time

import apache_beam as beam
import numpy as np

from artifactnet.models.weights.weights_file import SHIPPED_WEIGHTS
from artifactnet.transforms.detector.detector import DetectorOptions, detector_of
from artifactnet.transforms.detector.network_detector import Detector
from artifactnet.transforms.detector.stages import RunSegmentStage, SegmentStage
from artifactnet.transforms.elements.records import (
    ManifestRow,
    MeasuredAudio,
    SegmentBatch,
    TrackFacts,
)
from artifactnet.transforms.residual import RESIDUAL
from artifactnet.transforms.stft import STFT

BATCHES = 2000
ROUNDS = 5
OPTIONS = DetectorOptions(SHIPPED_WEIGHTS, threads=1)


def nothing(detector: Detector, payload: int) -> int:
    return payload


PLAIN = SegmentStage("plain", nothing)
INFERENCE = SegmentStage("inference", nothing, has_network=True)


def seconds(transform: beam.PTransform) -> float:
    facts = TrackFacts(ManifestRow("t", "/t.wav", "m.jsonl", 1))
    pipeline = beam.Pipeline("FnApiRunner")
    _ = (
        pipeline
        | beam.Create([0])
        | beam.FlatMap(
            lambda _: [SegmentBatch(facts, "wav", n, 1, (0.0,), n) for n in range(BATCHES)]
        )
        | transform
        | beam.Map(lambda batch: None)
    )
    began = time.perf_counter()
    pipeline.run().wait_until_finish()
    return time.perf_counter() - began


def main() -> None:
    detector = detector_of(OPTIONS)
    plain, inference = [], []
    for _ in range(ROUNDS):
        plain.append(seconds(RunSegmentStage(PLAIN, OPTIONS)))
        inference.append(seconds(RunSegmentStage(INFERENCE, OPTIONS)))
    added = (np.median(inference) - np.median(plain)) / BATCHES
    audio = np.random.default_rng(0).standard_normal((4, detector.config.segment_samples))
    spectra = STFT.compute(detector, MeasuredAudio(None, np.arange(4), audio.astype(np.float32)))
    began = time.perf_counter()
    for _ in range(ROUNDS):
        RESIDUAL.compute(detector, spectra)
    stage = (time.perf_counter() - began) / ROUNDS
    print(f"plain DoFn          {1e3 * np.median(plain) / BATCHES:8.3f} ms per batch")
    print(f"RunInference        {1e3 * np.median(inference) / BATCHES:8.3f} ms per batch")
    print(f"the residual stage  {1e3 * stage:8.1f} ms per batch of 4 segments")
    print(f"RunInference adds   {added / stage:8.2%}")


if __name__ == "__main__":
    main()
