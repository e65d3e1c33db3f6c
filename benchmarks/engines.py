"""The same audit on every engine: are the scores the same, and what does each cost?

    python benchmarks/engines.py [--tracks 200] [--engines local,prism,flink,dask] [--kill]

Prism is looked for in ``.prism/prism`` or ``$PRISM``; Flink is started by
``templates/flink/cluster.sh``. Without ``--tracks`` the sample tracks are audited. Exits with
1 when scores differ by more than 1e-5, or when a track is missing or there twice. ``--kill``
kills a TaskManager when half of the shards are committed, ``--kill-launcher`` the launcher of the
job on Flink, which must end with its record all the same.
"""

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from catalogues import audit_command, largest_difference, problems, scores, synthetic

ROOT = Path(__file__).parents[1]
CLUSTER = ROOT / "templates" / "flink" / "cluster.sh"
PRISM = Path(os.environ.get("PRISM", ROOT / ".prism" / "prism"))
PORTABLE = (
    *("--runner", "PortableRunner", "--job_endpoint", "localhost:8099", "--parallelism", "2"),
    *("--environment_type", "EXTERNAL", "--environment_config", "localhost:50000"),
    *("--environment_cache_millis", "60000"),
)
TOLERANCE = 1e-5


@dataclass
class Run:
    engine: str
    setup: float
    wall: float
    output: Path
    record: dict


def audit(engine: str, manifest: Path, output: Path, flags: tuple[str, ...], kill: str) -> Run:
    command = audit_command(manifest, output)
    began = time.monotonic()
    process = subprocess.Popen(
        [*command, "--json", *flags], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    if kill:
        wait_for_half(output, process)
    if kill == "launcher":
        process.kill()
        process.wait()
        print(f"launcher killed; _SUCCESS there: {(output / '_SUCCESS').exists()}", file=sys.stderr)
        while not (output / "_SUCCESS").exists():
            if time.monotonic() - began > LONGEST:
                sys.exit(f"{engine}: no _SUCCESS after {LONGEST:.0f} s")
            time.sleep(0.5)
        record = json.loads((output / "run.json").read_text())
        return Run(engine, 0.0, time.monotonic() - began, output, record)
    if kill == "worker":
        print("killing TaskManager 2", file=sys.stderr)
        subprocess.run([CLUSTER, "kill-taskmanager", "2"], check=True)
    printed, _ = process.communicate()
    if process.returncode:
        sys.exit(f"{engine}: exit code {process.returncode}")
    return Run(engine, 0.0, time.monotonic() - began, output, json.loads(printed))


def wait_for_half(output: Path, process: subprocess.Popen) -> None:
    while process.poll() is None:
        if len(list(output.glob("tracks/*.parquet"))) >= HALF_OF_THE_SHARDS:
            return
        time.sleep(0.1)


HALF_OF_THE_SHARDS = 6
LONGEST = 900.0


def run_engine(engine: str, manifest: Path, folder: Path, kill: str) -> Run:
    output = folder / engine
    if engine == "local":
        return audit(engine, manifest, output, (), "")
    if engine == "dask":
        return audit(engine, manifest, output, ("--runner", "DaskRunner"), "")
    if engine == "prism":
        flags = ("--runner", "PrismRunner", "--prism_location", str(PRISM))
        return audit(engine, manifest, output, flags, "")
    began = time.monotonic()
    subprocess.run([CLUSTER, "start"], check=True, stderr=subprocess.DEVNULL)
    setup = time.monotonic() - began
    try:
        run = audit(engine, manifest, output, PORTABLE, kill)
    finally:
        subprocess.run([CLUSTER, "stop"], check=False)
    run.setup = setup
    return run


def available(engine: str) -> bool:
    if engine == "prism":
        return PRISM.exists()
    if engine == "dask":
        return importlib.util.find_spec("distributed") is not None
    if engine == "flink":
        return bool(shutil.which("mvn") and shutil.which("java"))
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=int, default=0)
    parser.add_argument("--engines", default="local,prism,flink,dask")
    parser.add_argument("--kill", action="store_const", const="worker", default="")
    parser.add_argument("--kill-launcher", action="store_const", const="launcher", dest="kill")
    options = parser.parse_args()
    names = [name for name in options.engines.split(",") if available(name)]
    with tempfile.TemporaryDirectory() as folder:
        manifest = ROOT / "samples" / "manifest.jsonl"
        if options.tracks:
            manifest = synthetic(Path(folder) / "catalogue", options.tracks)
        runs = [run_engine(name, manifest, Path(folder), options.kill) for name in names]
        failed = False
        print("| engine | set-up | wall | against local | largest difference | counts |")
        print("| --- | --- | --- | --- | --- | --- |")
        for run in runs:
            shift = largest_difference(scores(runs[0].output), scores(run.output))
            wrong = problems(run.output, options.tracks) if options.tracks else []
            failed |= shift > TOLERANCE or bool(wrong)
            counts = run.record["counts"]
            said = f"{counts['tracks']} tracks, {counts['errors']} errors"
            if counts["repeated_shards"]:
                said += f", {counts['repeated_shards']} shards done again"
            if wrong:
                said += f"; WRONG: {'; '.join(wrong)}"
            ratio = run.wall / runs[0].wall
            print(f"| {run.engine} | {run.setup:.1f} s | {run.wall:.1f} s | {ratio:.2f} | "
                  f"{shift:.1e} | {said} |")  # fmt: skip
        missing = sorted(set(options.engines.split(",")) - set(names))
        if missing:
            print(f"not here: {', '.join(missing)}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
