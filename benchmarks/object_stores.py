"""Audits from and to an S3 and a GCS emulator, without faults and with some injected.

    python benchmarks/object_stores.py [--tracks 200] [--faults 0.05] [--stores s3,gs]

Of the requests of the second audit the given share fails, with 503 or a broken connection.
Exits with 1 when a track is lost, there twice, or scored otherwise.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from catalogues import largest_difference, problems, scores, synthetic

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.emulators import STORES, Faults, put  # noqa: E402


def audit(catalogue: str, output: str) -> tuple[float, dict]:
    command = [
        sys.executable,
        "-m",
        "artifactnet",
        "audit",
        catalogue,
        "-o",
        output,
        "--json",
    ]
    began = time.monotonic()
    done = subprocess.run(
        [*command, "--segments", "1"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    if done.returncode:
        sys.exit(done.stderr)
    return time.monotonic() - began, json.loads(done.stdout)


def download(output: str, folder: Path) -> Path:
    """The tables of an audit in an object store as local files."""
    from apache_beam.io.filesystems import FileSystems
    from apache_beam.options.pipeline_options import PipelineOptions

    from artifactnet.pipeline.output.layout import output_files

    FileSystems.set_options(PipelineOptions([]))
    for table, paths in output_files(output).tables.items():
        (folder / table).mkdir(parents=True, exist_ok=True)
        for path in paths:
            with FileSystems.open(path, compression_type="uncompressed") as file:
                (folder / table / path.rpartition("/")[2]).write_bytes(file.read())
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=int, default=200)
    parser.add_argument("--faults", type=float, default=0.05)
    parser.add_argument("--stores", default="s3,gs")
    options = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        manifest = synthetic(folder / "catalogue", options.tracks)
        for scheme in options.stores.split(","):
            faults = Faults(seed=1)
            with STORES[scheme](faults) as bucket:
                for path in (manifest.parent / "music").iterdir():
                    put(f"{bucket}/music/{path.name}", path.read_bytes())
                put(f"{bucket}/m.jsonl", manifest.read_bytes())
                found = {}
                for rate in (0.0, options.faults):
                    faults.rate = rate
                    faults.counts.clear()
                    output = f"{bucket}/audit-{rate}"
                    seconds, record = audit(f"{bucket}/m.jsonl", output)
                    counts = dict(faults.counts)
                    faults.rate = 0.0
                    local = download(output, folder / scheme / str(rate))
                    wrong = problems(local, options.tracks)
                    found[rate] = scores(local)
                    failed |= bool(wrong)
                    said = "; ".join(wrong) or "every track once"
                    print(f"{scheme}, {rate:.0%} faults: {seconds:.1f} s, {record['counts']}, "
                          f"requests {counts}, {said}", flush=True)  # fmt: skip
                shift = largest_difference(found[0.0], found[options.faults])
                failed |= shift > 0
                print(f"{scheme}: largest difference of a score {shift:.1e}", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
