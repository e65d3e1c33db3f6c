"""The command as a user types it, in a process of its own."""

import io
import json
import signal
import subprocess
import sys
import threading
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import pytest

from artifactnet.pipeline.cli.main import main, share_arenas
from artifactnet.pipeline.options import detector_address
from tests.conftest import SAMPLES

ROOT = Path(__file__).parents[3]


class Done(NamedTuple):
    """What a command left behind."""

    returncode: int
    stdout: str
    stderr: str


def artifactnet(*arguments: object, cwd: Path | None = None) -> Done:
    """Run a command in this process: importing Beam and torch each time would take minutes."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["artifactnet", *map(str, arguments)])
        patch.setattr(signal, "signal", lambda *_: None)
        patch.setattr(threading, "excepthook", threading.excepthook)
        patch.setenv("COLUMNS", "160")
        patch.chdir(cwd or ROOT)
        try:
            main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    return Done(code, out.getvalue(), err.getvalue())


def in_a_process(*arguments: object) -> Done:
    """Run a command as a user types it."""
    command = [sys.executable, "-m", "artifactnet", *map(str, arguments)]
    environment = {"PATH": "/usr/bin:/bin", "COLUMNS": "160"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory, free_weights: Path):
    output = tmp_path_factory.mktemp("cli") / "out"
    return output, in_a_process("audit", SAMPLES, "-o", output, "--weights", free_weights)


def test_audit_prints_a_table_and_where_the_parquet_is(audited) -> None:
    output, done = audited
    assert done.returncode == 0, done.stderr
    for name in ("march-real", "waltz-ai", "broken"):
        assert name in done.stdout
    assert "1 error" in done.stdout
    assert f"{output}/{{tracks,segments,errors}}/*.parquet" in done.stdout


def test_audit_says_nothing_alarming(audited) -> None:
    _, done = audited
    assert done.stderr == ""


def test_audit_json_and_fail_on_errors(tmp_path: Path, free_weights: Path) -> None:
    arguments = ("audit", SAMPLES, "--output", tmp_path, "--weights", free_weights, "--json")
    done = artifactnet(*arguments, "--fail-on-errors", "0.1", "--workers", "1")
    assert json.loads(done.stdout)["counts"]["errors"] == 1
    assert done.returncode == 1
    assert "12.5% of the rows are errors" in done.stderr


def test_score_json(free_weights: Path, tmp_path: Path) -> None:
    good, bad = SAMPLES.parent / "stomp-real.wav", SAMPLES.parent / "broken.mp3"
    done = artifactnet("score", good, bad, "--json", "--weights", free_weights, "--codecs", "opus")
    assert done.returncode == 0, done.stderr
    first, second = map(json.loads, done.stdout.splitlines())
    assert set(first["codec_scores"]) == {"wav", "opus:96k"}
    assert len(first["segments"]) == 2
    assert second["verdict"] == "error"
    assert second["stage"] == "decode"


def test_score_table(free_weights: Path) -> None:
    done = artifactnet("score", SAMPLES.parent / "stomp-real.wav", "--weights", free_weights)
    assert "stomp-real.wav" in done.stdout
    assert done.returncode == 0


def test_manifest(tmp_path: Path) -> None:
    done = artifactnet("manifest", SAMPLES.parent, "-o", "m.jsonl", cwd=tmp_path)
    assert done.stdout == "m.jsonl: 8 tracks\n"
    assert len((tmp_path / "m.jsonl").read_text().splitlines()) == 8


def test_model_prints_size_and_cost() -> None:
    done = artifactnet("model", "--json")
    size = json.loads(done.stdout)
    assert size["unet_parameters"] == pytest.approx(3.6e6, rel=0.03)
    assert size["unet_gflop"] <= 10
    assert "GFLOP per segment" in artifactnet("model").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("audit", "gone.jsonl", "-o", "{tmp}"), "gone.jsonl: no such file or folder"),
        (("audit", SAMPLES, "-o", "{tmp}", "--segmnts", "3"), "did you mean --segments?"),
        (("audit", SAMPLES, "-o", "{tmp}", "--device", "toaster"), "can't be used here"),
        (("audit", SAMPLES, "-o", "{tmp}", "--weights", "none.st"), "no such weights file"),
        (("train", "none.toml"), "none.toml"),
    ],
)
def test_errors_are_one_line(arguments: tuple, said: str, tmp_path: Path) -> None:
    done = artifactnet(*(str(a).format(tmp=tmp_path) for a in arguments))
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--segments", "0", "use a number of windows per track, or 'all'"),
        ("--codecs", "mp5", "unknown codec 'mp5'"),
        ("--codec-backend", "x", "use one of pyav, pydub"),
        ("--fail-on-errors", "2", "less than or equal to 1"),
    ],
)
def test_bad_values_name_the_option(option: str, value: str, said: str) -> None:
    done = artifactnet("audit", SAMPLES, "-o", "/nowhere", option, value)
    assert done.returncode == 2
    assert option in done.stderr
    assert said in done.stderr


def test_a_detector_may_be_a_path_or_an_address(tmp_path: Path) -> None:
    import typer

    assert detector_address("", "") == (None, "")
    assert detector_address("w.safetensors", "") == (Path("w.safetensors"), "")
    assert detector_address("s3://b/w.safetensors", "") == (None, "s3://b/w.safetensors")
    assert detector_address("", "gs://b/m.onnx") == (None, "gs://b/m.onnx")
    for pair in (("a.safetensors", "b.onnx"), ("", "gs://b/m.safetensors")):
        with pytest.raises(typer.BadParameter):
            detector_address(*pair)


def test_help_and_version_load_neither_torch_nor_beam() -> None:
    code = (
        "import sys; sys.argv = ['artifactnet', '--help']\n"
        "from artifactnet.pipeline.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'apache_beam', 'numpy', 'pyarrow'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert artifactnet("--version").stdout.startswith("artifactnet 0.")


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.metrics", None)
    monkeypatch.delitem(sys.modules, "artifactnet.pipeline.evaluation.metrics", raising=False)
    monkeypatch.delitem(sys.modules, "artifactnet.pipeline.evaluation.calibrate", raising=False)
    done = artifactnet("calibrate", "--scores", "none.parquet")
    assert done.returncode == 2
    assert (
        done.stderr == "error: this needs the package sklearn: pip install 'artifactnet[bench]'\n"
    )


@pytest.mark.parametrize("missing", [OSError, AttributeError, TypeError])
def test_memory_that_cannot_be_shared_is_left_as_it_is(
    missing: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def without(_: None) -> None:
        raise missing

    share_arenas()
    monkeypatch.setattr("ctypes.CDLL", without)
    share_arenas()
