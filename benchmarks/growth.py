"""Does a track cost the same in a long catalogue, and a long file no more than a short one?

    python benchmarks/growth.py [--rows 100,1000,10000] [--errors 5000,40000] [--minutes 4,60,600]

A free detector and one short window a track, so that what is measured is the job around them; of
long files all windows; of missing files the shipped detector. Prints wall seconds, those of a track
beyond the smallest catalogue, and the largest process.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
from catalogues import audit_command, synthetic
from increments import loudness_model

ROOT = Path(__file__).parents[1]


def measured(command: list[str]) -> tuple[float, float]:
    """Wall seconds of ``command``, and MiB of its largest process."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=ROOT)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)}: exit code {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - began, usage.ru_maxrss / 1024


def long_file(path: Path, minutes: int) -> Path:
    """A FLAC of plucked tones."""
    time_ = np.arange(60 * 22_050) / 22_050
    noise = 0.002 * np.random.default_rng(0).standard_normal(len(time_))
    minute = 0.3 * np.sin(2 * np.pi * 220 * time_) * np.exp(-3 * (time_ % 0.5)) + noise
    with soundfile.SoundFile(path, "w", 22_050, 1) as file:
        for _ in range(minutes):
            file.write(minute.astype(np.float32))
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default="100,1000,10000")
    parser.add_argument("--errors", default="5000,40000")
    parser.add_argument("--minutes", default="4,60,600")
    options = parser.parse_args()
    counts = sorted(int(count) for count in options.rows.split(","))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = loudness_model(folder / "loudness.onnx")
        for minutes in map(int, options.minutes.split(",")):
            track = long_file(folder / f"{minutes}.flac", minutes)
            command = audit_command(track, folder / f"out-long-{minutes}")
            seconds, mib = measured(
                [*command, "--json", "--segments", "all", "--model", str(model), "--workers", "1"]
            )
            track.unlink()
            print(f"{minutes} minutes, all windows: {seconds:.1f} s, {mib:.0f} MiB", flush=True)
        for count in sorted(map(int, options.errors.split(","))):
            manifest = folder / f"{count}-missing.jsonl"
            with manifest.open("w") as file:
                for n in range(count):
                    uri = f"/missing/artist-{n % 977}/album-{n % 31}/track-{n:07d}.flac"
                    file.write(json.dumps({"track_id": f"t{n:07d}", "uri": uri}) + "\n")
            command = audit_command(manifest, folder / f"out-missing-{count}")
            for workers in ("1", "2"):
                seconds, mib = measured([*command, "--json", "--overwrite", "--workers", workers])
                line = f"{count} missing files, {workers} processes: {seconds:.1f} s"
                print(f"{line}, largest process {mib:.0f} MiB", flush=True)
        whole = synthetic(folder / "catalogue", min(counts[-1], 1000))
        lines = whole.read_text().splitlines()
        first: tuple[int, float] | None = None
        for count in counts:
            manifest = folder / "catalogue" / f"{count}.jsonl"
            rows = (json.loads(lines[n % len(lines)]) | {"track_id": f"t{n}"} for n in range(count))
            manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
            command = audit_command(manifest, folder / f"out-{count}")
            seconds, mib = measured(
                [*command, "--json", "--segments", "1", "--model", str(model), "--workers", "1"]
            )
            line = f"{count} rows: {seconds:.1f} s, largest process {mib:.0f} MiB"
            if first:
                each = (seconds - first[1]) / (count - first[0])
                line += f", {1000 * each:.2f} ms a further track"
            else:
                first = count, seconds
            print(line, flush=True)


if __name__ == "__main__":
    main()
