"""The worker's image without a Docker daemon: its packages into an empty root, an audit by them.

Not shown by this: the base images, Beam's boot program, and torch's CPU index.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "templates" / "dataflow"
UV = shutil.which("uv") or str(Path(sys.executable).parent / "uv")
LEFT_OUT = ("matplotlib", "sklearn", "tensorboard", "librosa", "starlette", "pytest", "triton")
MOST_BYTES = 5.2e9
"""With CUDA; every extra, Triton and what nothing loads would be 6.9e9."""


def test_the_image_runs_as_nobody_and_holds_what_it_copies() -> None:
    lines = (FOLDER / "Dockerfile").read_text().splitlines()
    last = max(number for number, line in enumerate(lines) if line.startswith("FROM"))
    assert "USER artifactnet" in lines[last:]
    assert any("--require-hashes" in line for line in lines)
    copied = [line.split()[1:-1] for line in lines if re.match(r"COPY (?!--from)", line)]
    assert all((ROOT / name).exists() for names in copied for name in names)
    version = re.search(r"ARG BEAM_VERSION=(\S+)", "\n".join(lines))
    assert version
    assert f'"apache-beam=={version[1]}"' in (ROOT / "pyproject.toml").read_text()


@pytest.mark.slow(30)
@pytest.mark.skipif(not Path(UV).exists(), reason="uv is not here to install with")
def test_its_packages_are_enough_for_an_audit(wav, tmp_path: Path, free_weights: Path) -> None:
    build, root, home = tmp_path / "build", tmp_path / "venv", tmp_path / "home"
    build.mkdir()
    home.mkdir()
    for name in ("pyproject.toml", "uv.lock", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, build)
    environment = os.environ | {
        "PATH": f"{Path(UV).parent}:{os.environ['PATH']}",
        "UV_PROJECT_ENVIRONMENT": str(root),
    }
    installed = subprocess.run(
        [FOLDER / "install.sh", "cuda"], cwd=build, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if installed.returncode:
        pytest.skip(f"the lock can't be installed here: {installed.stderr[-200:]}")
    for name in ("src", "models", "transforms", "pipeline"):
        shutil.copytree(ROOT / name, build / name, symlinks=True)
    subprocess.run(
        [UV, "pip", "install", "--quiet", "--python", root / "bin" / "python", "--no-deps", build],
        check=True, env=environment, capture_output=True,
    )  # fmt: skip
    wav("music/a.wav", 5.0)
    wav("music/b.wav", 5.0)
    done = subprocess.run(
        [root / "bin" / "artifactnet", "audit", tmp_path / "music", "--output", tmp_path / "out",
         "--workers", "2", "--segments", "1", "--json"],
        cwd=home, env={"HOME": str(home), "PATH": f"{root}/bin:/usr/bin:/bin"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    record = json.loads(done.stdout)
    assert record["counts"]["tracks"] == 2
    assert record["configuration"]["weights"] is None  # those inside
    packages = {one.name for one in root.glob("lib/python*/site-packages/*")}
    assert not packages & set(LEFT_OUT)
    assert not list(root.rglob("libcusolverMg.so*"))
    size = sum(one.lstat().st_size for one in root.rglob("*") if not one.is_dir())
    assert size < MOST_BYTES
    for name in ("boto3", "onnxruntime", "google"):
        assert name in packages
