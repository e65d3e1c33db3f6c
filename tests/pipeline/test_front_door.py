"""What ``import artifactnet`` offers gives what an audit gives."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import artifactnet
from artifactnet.pipeline.audit.request import AuditRequest
from artifactnet.pipeline.audit.run import run_audit
from artifactnet.pipeline.front_door import ScoringError
from tests.conftest import music


def test_a_file_its_samples_and_the_audit_have_one_score(
    tmp_path: Path, free_weights: Path, wav
) -> None:
    path = wav("a.wav", 9.0, 44_100, 2)
    detector = artifactnet.load_detector(free_weights)
    found = detector.score(path)
    samples, rate = soundfile.read(path)
    again = detector.score(samples, rate)
    assert again.p_ai == pytest.approx(found.p_ai, abs=1e-6)
    assert [one.start for one in again.segments] == [one.start for one in found.segments]
    run_audit(AuditRequest(str(path), str(tmp_path / "out"), weights=free_weights, quiet=True))
    tables = artifactnet.read_audit(tmp_path / "out")
    assert tables.tracks["p_ai"].to_pylist() == pytest.approx([found.p_ai], abs=1e-6)
    assert tables.segments.num_rows == len(found.segments) == 3
    assert tables.errors.num_rows == 0


def test_what_cannot_be_scored_says_why(tmp_path: Path, free_weights: Path) -> None:
    detector = artifactnet.load_detector(free_weights)
    with pytest.raises(ScoringError, match="no such file") as gone:
        detector.score(tmp_path / "gone.wav")
    assert (gone.value.stage, gone.value.error_class) == ("decode", "AudioNotFoundError")
    with pytest.raises(ScoringError, match=r"1\.00 s of sound"):
        detector.score(music(1), 44_100)
    with pytest.raises(ValueError, match="samples need their sample_rate"):
        detector.score(music(5))
    with pytest.raises(ValueError, match="sample_rate must be above 0"):
        detector.score(music(5), 0)
    with pytest.raises(ValueError, match="a file has its own sample_rate"):
        detector.score(tmp_path / "a.wav", 44_100)
    with pytest.raises(ValueError, match="segments must be 1 or more"):
        detector.score(music(5), 44_100, segments=0)
    with pytest.raises(ValueError, match="not list"):
        detector.score([0.0], 44_100)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"not int16 \[4\]"):
        detector.score(np.zeros(4, np.int16), 44_100)
    with pytest.raises(ValueError, match="no audit is there"):
        artifactnet.read_audit(tmp_path)


def test_importing_is_cheap() -> None:
    code = "import sys, artifactnet; assert not {'torch', 'apache_beam'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
