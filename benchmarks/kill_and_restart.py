"""Kill an audit at random moments, start it again: every track exactly once, scores the same.

    python benchmarks/kill_and_restart.py [--trials 20] [--tracks 48]

In each trial one audit is killed by SIGKILL after a random time and started again until it ends
by itself; it is killed up to three times. Exits with 1 when a trial leaves anything wrong.
"""

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from catalogues import audit_command, largest_difference, problems, scores, synthetic

ROOT = Path(__file__).parents[1]
MOST_KILLS = 3


def start(manifest: Path, output: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [*audit_command(manifest, output), "--json", "--segments", "1"], stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, cwd=ROOT, start_new_session=True,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--tracks", type=int, default=48)
    options = parser.parse_args()
    rng = random.Random(0)
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        manifest = synthetic(folder / "catalogue", options.tracks)
        began = time.monotonic()
        if start(manifest, folder / "undisturbed").wait():
            sys.exit("the undisturbed audit failed")
        whole = time.monotonic() - began
        reference = scores(folder / "undisturbed")
        print(f"undisturbed: {whole:.1f} s, {options.tracks} tracks")
        for trial in range(options.trials):
            output, kills = folder / f"trial{trial}", []
            while True:
                process = start(manifest, output)
                # Either the whole group, as a machine that is lost, or the parent alone.
                moment = rng.uniform(0.2, whole) if len(kills) < MOST_KILLS else None
                try:
                    code = process.wait(moment)
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGKILL)
                    process.wait()
                    kills.append(moment)
                    continue
                break
            committed = len({path.name[7:29] for path in output.glob("tracks/*.parquet")})
            wrong = problems(output, options.tracks) if code == 0 else [f"exit code {code}"]
            shift = largest_difference(reference, scores(output))
            if shift:
                wrong.append(f"scores differ by {shift:.1e}")
            failed += bool(wrong)
            when = ", ".join(f"{moment:.1f} s" for moment in kills if moment)
            said = f"trial {trial + 1}: killed after {when or 'nothing'}; files of {committed} runs"
            print(f"{said}; "
                  f"{'WRONG: ' + '; '.join(wrong) if wrong else 'every track once, same scores'}",
                  flush=True)  # fmt: skip
    print(f"{options.trials - failed} of {options.trials} trials are right")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
