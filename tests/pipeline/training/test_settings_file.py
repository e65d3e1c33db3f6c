"""A folder is used again for the same settings only."""

from pathlib import Path

import pytest

from artifactnet.pipeline.training.config import keep_settings


def test_other_settings_are_refused_by_name(tmp_path: Path) -> None:
    kept = tmp_path / "run" / "settings.json"
    keep_settings(kept, {"steps": 3, "sources": ("a", "b"), "manifest": Path("m")})
    keep_settings(kept, {"steps": 3, "sources": ("a", "b"), "manifest": Path("m")})
    (tmp_path / "run" / "checkpoint.pt").write_bytes(b"")
    with pytest.raises(ValueError, match=r"run holds the work of other settings \(sources, steps"):
        keep_settings(kept, {"steps": 4, "sources": ("a",), "manifest": Path("m")})
    with pytest.raises(ValueError, match=r"\(more differ\); name another folder, or delete it"):
        keep_settings(kept, {"steps": 3, "sources": ("a", "b"), "manifest": Path("m"), "more": 1})


def test_settings_that_made_nothing_may_be_mended(tmp_path: Path) -> None:
    kept = tmp_path / "settings.json"
    keep_settings(kept, {"steps": -1})
    keep_settings(kept, {"steps": 1})
    (tmp_path / "checkpoint.pt").write_bytes(b"")
    keep_settings(kept, {"steps": 1})
    with pytest.raises(ValueError, match="steps differ"):
        keep_settings(kept, {"steps": 2})
