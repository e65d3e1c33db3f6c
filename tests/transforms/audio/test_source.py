import hashlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from artifactnet.transforms.audio.source import open_audio
from artifactnet.transforms.audio.windows import DecodeLimits
from artifactnet.transforms.elements.errors import (
    AudioNotFoundError,
    AudioUnreachableError,
)
from artifactnet.transforms.elements.records import EmbeddedAudio, ManifestRow
from artifactnet.transforms.manifests.parquet import EmbeddedAudioReader


def row(uri: str, embedded: EmbeddedAudio | None = None) -> ManifestRow:
    return ManifestRow("t", uri, "m.jsonl", 1, embedded)


def test_local_file_and_its_hash(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"abc" * 1000)
    with open_audio(row(str(tmp_path / "a.bin")), DecodeLimits(), EmbeddedAudioReader()) as opened:
        assert opened.file.read() == b"abc" * 1000
        assert opened.sha256 == hashlib.sha256(b"abc" * 1000).hexdigest()
    assert opened.file.closed


@pytest.fixture
def manifest(tmp_path: Path) -> str:
    audio = [{"bytes": b"%d" % n, "path": None} for n in range(50)]
    audio[7] = {"bytes": None, "path": "elsewhere.wav"}
    path = str(tmp_path / "m.parquet")
    pq.write_table(pa.table({"audio": audio}), path, row_group_size=20)
    return path


def test_embedded_bytes_in_any_order(manifest: str) -> None:
    reader = EmbeddedAudioReader()
    for position in (0, 1, 5, 30, 31, 49, 2, 3, 45):
        place = EmbeddedAudio(manifest, "audio", position // 20, position % 20)
        assert reader.read(place) == b"%d" % position


def test_embedded_row_without_bytes(manifest: str) -> None:
    with pytest.raises(AudioNotFoundError, match="holds no bytes"):
        EmbeddedAudioReader().read(EmbeddedAudio(manifest, "audio", 0, 7))


def test_embedded_row_that_is_gone(manifest: str) -> None:
    with pytest.raises(AudioNotFoundError):
        EmbeddedAudioReader().read(EmbeddedAudio(manifest, "audio", 2, 10))


def test_manifest_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(AudioUnreachableError):
        EmbeddedAudioReader().read(EmbeddedAudio(str(tmp_path / "no.parquet"), "audio", 0, 0))
