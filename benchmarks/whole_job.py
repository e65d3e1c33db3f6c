"""What a track costs: the job, the same functions in a plain loop, and the plain reference.

    python benchmarks/whole_job.py [--manifest M] [--tracks 60] [--reference 2]

Prints seconds of one core a track, and ratios of one run. The reference is what one would write
first: ``librosa.load`` of the whole file, ``librosa.stft``, a UNet of ArtifactUNet's size at full
resolution, ``librosa.decompose.hpss``, the CNN, one segment after the other. Without a manifest
the tracks are synthetic, 32 s of MP3 each, so seven segments.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from catalogues import audit_command, synthetic

ROOT = Path(__file__).parents[1]
LOOP = """
import sys, time
import torch
from artifactnet.transforms.detector.detector import DetectorOptions, detector_of
from artifactnet.pipeline.audit.score import score_rows
from artifactnet.transforms.decode import DecodeOptions
from artifactnet.transforms.elements.records import ManifestRow
from artifactnet.transforms.reencode import ReencodeOptions
evidence, *paths = sys.argv[1:]
detector = detector_of(DetectorOptions(threads=1, evidence=evidence))
rows = [ManifestRow(path, path, "m", n) for n, path in enumerate(paths, start=1)]
began = time.perf_counter()
for _ in score_rows(rows, detector, DecodeOptions(7), ReencodeOptions()):
    pass
print(time.perf_counter() - began)
"""
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


def loop(paths: list[str], processes: int, evidence: str) -> float:
    """Wall seconds of the stages' functions in ``processes`` plain loops, start-up included."""
    began = time.perf_counter()
    running = [
        subprocess.Popen(
            [sys.executable, "-c", LOOP, evidence, *paths[part::processes]],
            stdout=subprocess.DEVNULL,
            env=ENVIRONMENT,
            cwd=ROOT,
        )
        for part in range(processes)
    ]
    if any(one.wait() for one in running):
        sys.exit("a loop failed")
    return time.perf_counter() - began


def job(manifest: Path, folder: Path, processes: int, evidence: str) -> tuple[float, dict]:
    """Wall seconds of an audit in ``processes``, start-up included, and its record."""
    output = folder / f"out-{processes}-{evidence}"
    command = [*audit_command(manifest, output), "--workers", str(processes)]
    began = time.perf_counter()
    done = subprocess.run(
        [*command, "--evidence", evidence, "--overwrite", "--json"],
        stdout=subprocess.PIPE, text=True, check=True, env=ENVIRONMENT, cwd=ROOT,
    )  # fmt: skip
    return time.perf_counter() - began, json.loads(done.stdout)


def reference(paths: list[str]) -> float:
    """Seconds a track of the plain reference."""
    import librosa
    import numpy as np
    import torch

    from artifactnet.models.artifact_unet import ArtifactUNet
    from artifactnet.models.artifactnet import load_detector
    from artifactnet.models.forensic_channels import forensic_channels

    torch.set_num_threads(1)
    network = load_detector().network
    config = network.config
    unet = ArtifactUNet(config.unet_channels, (1, 1), config.mask_bound).eval()
    began = time.perf_counter()
    for path in paths:
        audio, _ = librosa.load(path, sr=config.sample_rate, mono=True)
        last = max(0, len(audio) - config.segment_samples)
        for start in np.linspace(0, last, 7).astype(int):
            piece = audio[start : start + config.segment_samples]
            piece = piece / (np.sqrt(np.mean(piece**2)) + 1e-9)
            magnitude = np.abs(
                librosa.stft(piece, n_fft=config.n_fft, hop_length=config.hop_length)
            )
            magnitude = magnitude / config.n_fft**0.5
            with torch.inference_mode():
                found = unet(torch.from_numpy(magnitude)[None])[0].numpy()
                parts = librosa.decompose.hpss(found, kernel_size=config.hpss_kernel)
                maps = (torch.from_numpy(one)[None] for one in (magnitude, found, *parts))
                torch.sigmoid(network.classifier(forensic_channels(*maps)).logit)
    return (time.perf_counter() - began) / len(paths)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--manifest", type=Path)
    parser.add_argument("--tracks", type=int, default=60)
    parser.add_argument("--reference", type=int, default=2)
    parser.add_argument("--evidence", default="flagged")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = options.manifest or synthetic(folder / "music", options.tracks, 32.0, "mp3")
        rows = [json.loads(line) for line in source.read_text().splitlines()][: options.tracks]
        paths = [str((source.parent / row["uri"]).resolve()) for row in rows]
        manifest = folder / "manifest.jsonl"
        manifest.write_text("".join(json.dumps({"uri": path}) + "\n" for path in paths))
        print(f"{len(paths)} tracks, evidence {options.evidence}")
        start_up = loop(paths[:1], 1, options.evidence)
        print(f"start-up and one track in a loop: {start_up:.1f} s")
        alone = {}
        for processes in (1, 2):
            plain = loop(paths, processes, options.evidence)
            wall, record = job(manifest, folder, processes, options.evidence)
            alone[processes] = wall
            segments = record["counts"]["segments"]
            each = (plain - start_up) * processes / len(paths)
            print(
                f"{processes} process{'es' * (processes > 1)}: loop {plain:.1f} s, job "
                f"{wall:.1f} s, {wall / plain:.2f} times the loop; {record['seconds']:.1f} s of it "
                f"in the pipeline; {segments} segments; {each:.2f} s of one core a track"
            )
        print(f"from 1 to 2 processes: {alone[1] / alone[2]:.2f} times as fast, start-up included")
        if options.reference:
            slow = reference(paths[: options.reference])
            ours = alone[1] / len(paths)
            print(
                f"reference: {slow:.1f} s a track; the job {ours:.2f} s with start-up: "
                f"{slow / ours:.1f} times the tracks per second"
            )
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"largest process: {peak:.0f} MiB")


if __name__ == "__main__":
    main()
