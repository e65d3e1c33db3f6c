from pathlib import Path

import pytest

from artifactnet.models.whole_file import whole_file


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "a.bin"
    with whole_file(target) as partial:
        partial.write_bytes(b"one")
        assert not target.exists()
    assert target.read_bytes() == b"one"
    with pytest.raises(KeyboardInterrupt), whole_file(target) as partial:
        partial.write_bytes(b"half")
        raise KeyboardInterrupt
    assert target.read_bytes() == b"one"
    assert [path.name for path in target.parent.iterdir()] == ["a.bin"]
