"""The runbook's exercises, done on this machine: what each fault looks like, and what mends it.

    python benchmarks/exercises.py > docs/exercises.md

Commands run as an operator would type them; the bucket is an S3 emulator.
"""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
ARTIFACTNET = Path(sys.executable).with_name("artifactnet")
HEADING = """# The runbook's exercises

Each fault of [runbook.md](runbook.md) made once on this machine, and what mends it: the output of
`python benchmarks/exercises.py`, cut to what matters. The bucket is an S3 emulator."""


def say(text: str) -> None:
    print(text, flush=True)


def typed(command: str, folder: Path, expected: int = 0, lines: int = 12) -> str:
    """Run a command of the operator's and print what it prints."""
    words = shlex.split(command)
    if words[0] == "artifactnet":
        words[0] = str(ARTIFACTNET)
    done = subprocess.run(
        words, cwd=folder, capture_output=True, text=True, check=False,
        env=os.environ | {"COLUMNS": "100"},
    )  # fmt: skip
    text = (done.stdout + done.stderr).replace(str(folder) + "/", "").rstrip()
    text = re.sub(r"(\S+) of (\S+):\d+ ", r"\1 of HOST:PID ", text)
    shown = text.splitlines()
    shown = [*shown[:lines], "..."] if len(shown) > lines else shown
    say(f"$ {command}")
    say("\n".join(shown))
    if done.returncode:
        say(f"(exit code {done.returncode})")
    if done.returncode != expected:
        sys.exit(f"{command}: exit code {done.returncode}, not {expected}\n{text}")
    return text


def music(folder: Path, count: int) -> None:
    (folder / "music").mkdir()
    time_ = np.arange(44_100 * 9) / 44_100
    rng = np.random.default_rng(0)
    rows = []
    for number in range(count):
        tone = np.sin(2 * np.pi * (110 + 20 * number) * time_) * np.exp(-2 * (time_ % 0.5))
        audio = 0.3 * tone + 0.02 * rng.standard_normal(len(time_))
        soundfile.write(folder / "music" / f"{number}.flac", audio, 44_100)
        rows.append({"track_id": f"t{number}", "uri": f"music/{number}.flac"})
    rows.append({"track_id": "gone", "uri": "music/gone.flac"})
    (folder / "m.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def killed(folder: Path) -> None:
    say("\n## ArtifactNetRunDead: the process is killed half-way\n\n```console")
    command = [str(ARTIFACTNET), "audit", "m.jsonl", "--output", "out", "--workers", "2"]
    process = subprocess.Popen(
        command, cwd=folder, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while len(list((folder / "out" / "tracks").glob("*.parquet"))) < 2:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    say("$ artifactnet audit m.jsonl --output out --workers 2 &   # kill -9 after two shards")
    typed("artifactnet status out", folder, expected=1)
    typed("artifactnet audit m.jsonl --output out --workers 2 --json", folder, lines=0)
    typed("artifactnet status out", folder)
    say("```")


def unrecorded(folder: Path) -> None:
    say("\n## ArtifactNetRunUnrecorded: the last step did not write the record\n\n```console")
    run = json.loads((folder / "out" / "_SUCCESS").read_text())["run_id"]
    typed(f"rm out/_SUCCESS out/run.json out/runs/{run}.json", folder)
    typed("artifactnet status out", folder)
    typed("artifactnet finish out", folder)
    say("```")


def held(folder: Path) -> None:
    from tests.emulators import STORES, Faults, put

    say("\n## ArtifactNetOverdue: a second run is refused, since a dead job holds the lease\n")
    say("```console")
    with STORES["s3"](Faults()) as bucket:
        put(f"{bucket}/music/0.flac", (folder / "music" / "0.flac").read_bytes())
        audit = f"artifactnet audit {bucket}/music --output {bucket}/out --workers 1 --json"
        lease = {"run_id": "29991231T000000-aaaaaa", "holder": "launcher-7:1", "minutes": 60,
                 "taken": round(time.time() - 1200)}  # fmt: skip
        put(f"{bucket}/out/runs/lease.json", json.dumps(lease).encode())
        say("# twenty minutes ago a job on another engine took the lease; it committed nothing")
        typed(audit, folder, expected=2)
        typed(f"artifactnet finish {bucket}/out --release", folder)
        typed(audit, folder, lines=0)
        lease |= {"taken": round(time.time() - 3700)}
        put(f"{bucket}/out/runs/lease.json", json.dumps(lease).encode())
        say("# and one that expired two minutes ago needs nobody")
        typed(audit, folder, lines=0)
        typed(f"artifactnet status {bucket}/out", folder)
    say("```")


def errors(folder: Path) -> None:
    say("\n## ArtifactNetErrors: what went wrong, by stage and class\n\n```console")
    query = (
        "SELECT stage, error_class, count(*), any_value(message) "
        "FROM 'out/errors/*.parquet' GROUP BY ALL"
    )
    say(f'>>> duckdb.sql("{query}")')
    import duckdb

    os.chdir(folder)
    for row in duckdb.sql(query).fetchall():
        say(" | ".join(map(str, row)).replace(str(folder) + "/", ""))
    typed("artifactnet audit m.jsonl --output out --fail-on-errors 0.01", folder, lines=6)
    typed("artifactnet audit m.jsonl --output out2 --fail-on-errors 0.01 --json", folder, 1, 0)
    say("```")


def damaged(folder: Path) -> None:
    say("\n## Tables are lost or damaged afterwards\n\n```console")
    table = max((folder / "out" / "segments").glob("*.parquet"), key=lambda one: one.stat().st_size)
    table.unlink()
    say(f"$ rm out/segments/{table.name}")
    typed("artifactnet verify out", folder, expected=1)
    typed("artifactnet audit m.jsonl --output out --repair --json", folder, lines=0)
    typed("artifactnet verify out", folder)
    say("```")


def moved(folder: Path) -> None:
    say("\n## ArtifactNetScoresMoved, ArtifactNetMoreAi: what changed, and why\n\n```console")
    time_ = np.arange(44_100 * 9) / 44_100
    noise = np.random.default_rng(1).standard_normal(len(time_)) * 0.1
    soundfile.write(folder / "music" / "3.flac", noise, 44_100)
    say("$ cp new/3.flac music/3.flac      # a track was delivered again")
    before = json.loads((folder / "out" / "_SUCCESS").read_text())["run_id"]
    typed("artifactnet audit m.jsonl --output out --json", folder, lines=0)
    typed(f"artifactnet diff out/runs/{before}.json out", folder)
    say("```")


def main() -> None:
    say(HEADING)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch).resolve()
        music(folder, 48)
        for exercise in (killed, unrecorded, errors, damaged, moved, held):
            exercise(folder)
        os.chdir(ROOT)


if __name__ == "__main__":
    main()
