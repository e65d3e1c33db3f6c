"""Windows and macOS as far as Linux can play them: what they lack is taken away, an audit runs.

Not shown by this: paths with backslashes, locks and signals of a real Windows, its multiprocessing.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PLAY = """
import builtins, os, signal, socket, sys
lacking, without = {platform}
real = builtins.__import__

def importing(name, globals=None, *rest, **more):
    ours = str((globals or {{}}).get("__name__", "")).startswith("artifactnet")
    if ours and name.partition(".")[0] in lacking:
        raise ModuleNotFoundError(f"No module named '{{name}}'", name=name)
    return real(name, globals, *rest, **more)

builtins.__import__ = importing
for one in without:
    module, name = one.split(".")
    if hasattr(sys.modules[module], name):
        delattr(sys.modules[module], name)
"""
PLATFORMS = {
    "macos": ((), ("os.memfd_create", "os.sched_getaffinity")),
    "windows": (
        ("fcntl", "resource", "pwd", "grp", "termios"),
        ("os.memfd_create", "os.sched_getaffinity", "os.getuid",
         "signal.SIGHUP", "socket.send_fds", "socket.recv_fds"),
    ),
}  # fmt: skip
IMPORT_ALL = """
import importlib, pkgutil
import artifactnet
for one in pkgutil.walk_packages(artifactnet.__path__, "artifactnet."):
    if "training" not in one.name:  # its extras aren't part of an audit
        importlib.import_module(one.name)
print("imported")
"""
AUDIT = """
from artifactnet.pipeline.cli.main import main
sys.argv = ["artifactnet", "audit", {manifest!r}, "--output", {output!r}, "--model", {model!r},
            "--codecs", "wav,mp3:128k", "--workers", "1", "--json"]
main()
"""


def played(platform: str, code: str) -> subprocess.CompletedProcess[str]:
    play = PLAY.format(platform=PLATFORMS[platform])
    environment = os.environ | {"USERNAME": "somebody"}  # as Windows has it
    return subprocess.run(
        [sys.executable, "-c", play + code],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_module_is_imported(platform: str) -> None:
    done = played(platform, IMPORT_ALL)
    assert done.stdout == "imported\n", done.stderr[-2000:]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_an_audit_runs(platform: str, wav, tmp_path: Path, free_weights: Path) -> None:
    (tmp_path / "broken.mp3").write_bytes(b"no music" * 100)
    rows = [
        {"track_id": "a", "uri": str(wav("a.wav", 5.0))},
        {"track_id": "b", "uri": "broken.mp3"},
    ]
    (tmp_path / "m.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    code = AUDIT.format(
        manifest=str(tmp_path / "m.jsonl"), output=str(tmp_path / "out"), model=str(free_weights)
    )
    done = played(platform, code)
    assert done.returncode == 0, done.stderr[-2000:]
    counts = json.loads(done.stdout)["counts"]
    assert (counts["tracks"], counts["errors"]) == (1, 1)
    assert ("can't be confined" in done.stderr) == (platform == "windows")
