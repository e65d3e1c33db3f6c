"""Objects of both stores, read by ranges, through a proxy that fails on purpose."""

import hashlib
import io
from collections.abc import Iterator

import numpy as np
import pytest
import soundfile

from artifactnet.transforms.audio.source import open_audio
from artifactnet.transforms.audio.windows import DecodeLimits
from artifactnet.transforms.elements.errors import (
    AudioForbiddenError,
    AudioNotFoundError,
    AudioUnreachableError,
    DecodeLimitError,
)
from artifactnet.transforms.elements.records import ManifestRow
from artifactnet.transforms.manifests.parquet import EmbeddedAudioReader
from artifactnet.transforms.storage import object_store
from artifactnet.transforms.storage.fingerprint import content_id, object_facts
from artifactnet.transforms.storage.object_store import (
    S3Access,
    passes,
    split_address,
    storage_error,
    with_retries,
)
from artifactnet.transforms.storage.range_file import BLOCK, RangeFile
from tests.conftest import music
from tests.emulators import STORES, Faults, put


@pytest.fixture(scope="module", params=sorted(STORES))
def store(request: pytest.FixtureRequest) -> Iterator[tuple[str, Faults]]:
    faults = Faults()
    with STORES[request.param](faults) as bucket:
        object_store._open.cache_clear()
        yield bucket, faults
        object_store._open.cache_clear()


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_store, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(object_store, "LONGEST_PAUSE", 0.01)


def row(uri: str) -> ManifestRow:
    return ManifestRow("t", uri, "m.jsonl", 1)


def ranged(uri: str) -> RangeFile:
    found, facts = object_facts(uri, S3Access())
    return RangeFile(found, *split_address(uri)[1:], facts.size)


def test_small_objects_come_whole_with_their_hash(store) -> None:
    bucket, _ = store
    content = b"abc" * 1000
    put(f"{bucket}/small.bin", content)
    with open_audio(row(f"{bucket}/small.bin"), DecodeLimits(), EmbeddedAudioReader()) as opened:
        assert opened.file.read() == content
        assert opened.sha256 == hashlib.sha256(content).hexdigest()


def test_random_reads_are_those_of_the_object_even_when_requests_fail(store) -> None:
    bucket, faults = store
    content = np.random.default_rng(0).bytes(160 * BLOCK + 17)
    put(f"{bucket}/large.bin", content)
    reference = io.BytesIO(content)
    faults.rate, before = 0.2, faults.counts["unavailable"] + faults.counts["reset"]
    try:
        with io.BufferedReader(ranged(f"{bucket}/large.bin")) as file:
            rng = np.random.default_rng(1)
            for _ in range(25):
                position, size = int(rng.integers(len(content))), int(rng.integers(1, 5000))
                for one in (reference, file):
                    one.seek(position)
                assert file.read(size) == reference.read(size)
            file.seek(-10, io.SEEK_END)
            assert file.read() == content[-10:]
    finally:
        faults.rate = 0.0
    assert faults.counts["unavailable"] + faults.counts["reset"] > before


def test_a_file_read_to_its_end_is_fetched_once(store) -> None:
    bucket, _ = store
    content = np.random.default_rng(0).bytes(100 * BLOCK + 5)
    put(f"{bucket}/medium.bin", content)
    file = ranged(f"{bucket}/medium.bin")
    with io.BufferedReader(file) as buffered:
        assert buffered.read() == content
        assert file.requests < 25
        assert file.fetched == len(content)


def test_windows_of_a_long_file_cost_a_part_of_it(store) -> None:
    bucket, _ = store
    buffer = io.BytesIO()
    soundfile.write(buffer, np.tile(music(10), (12, 1)), 44_100, format="FLAC")
    put(f"{bucket}/long.flac", buffer.getvalue())
    with open_audio(row(f"{bucket}/long.flac"), DecodeLimits(), EmbeddedAudioReader()) as opened:
        sound = soundfile.SoundFile(opened.file)
        sound.seek(60 * 44_100)
        window = sound.read(44_100)
        assert opened.sha256 is None
        assert opened.ranges
        assert opened.ranges.fetched < 0.3 * len(buffer.getvalue())
    with soundfile.SoundFile(io.BytesIO(buffer.getvalue())) as sound:
        sound.seek(60 * 44_100)
        np.testing.assert_array_equal(window, sound.read(44_100))


def test_identity_changes_with_the_content(store) -> None:
    bucket, _ = store
    identities = []
    for content in (b"one", b"two"):
        put(f"{bucket}/changing.bin", content)
        identities.append(content_id(row(f"{bucket}/changing.bin"), S3Access(), "run"))
    assert identities[0] != identities[1]


def test_missing_objects_are_not_asked_for_again(store) -> None:
    bucket, faults = store
    before = faults.counts["requests"]
    with pytest.raises(AudioNotFoundError, match=f"no such object: {bucket}/none"):
        content_id(row(f"{bucket}/none"), S3Access(), "run")
    assert faults.counts["requests"] - before <= 2


def test_too_large_objects_are_refused_unread(store) -> None:
    bucket, faults = store
    put(f"{bucket}/big.bin", bytes(2_000_000))
    before = faults.counts["bytes"]
    with (
        pytest.raises(DecodeLimitError),
        open_audio(row(f"{bucket}/big.bin"), DecodeLimits(max_bytes=10), EmbeddedAudioReader()),
    ):
        pass
    assert faults.counts["bytes"] - before < 10_000


def test_a_store_that_stays_away_is_an_error_in_the_end(store) -> None:
    bucket, faults = store
    put(f"{bucket}/any", b"there")
    faults.rate = 1.0
    try:
        with pytest.raises(AudioUnreachableError, match=r"7 attempts"):
            content_id(row(f"{bucket}/any"), S3Access(), "run")
    finally:
        faults.rate = 0.0


class FakeError(Exception):
    def __init__(self, status: int) -> None:
        self.code = status


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (FakeError(503), True),
        (FakeError(429), True),
        (FakeError(500), True),
        (FakeError(403), False),
        (FakeError(404), False),
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (FileNotFoundError(), False),
        (ValueError("bug"), False),
    ],
)
def test_what_is_tried_again(error: Exception, again: bool) -> None:
    assert passes(error) == again
    calls = []

    def work() -> None:
        calls.append(1)
        raise error

    with pytest.raises(type(error)):
        with_retries(work)
    assert len(calls) == (object_store.ATTEMPTS if again else 1)


def test_errors_name_the_address() -> None:
    assert isinstance(storage_error("gs://b/a", FakeError(403)), AudioForbiddenError)
    assert isinstance(storage_error("gs://b/a", FakeError(404)), AudioNotFoundError)
    assert "gs://b/a" in str(storage_error("gs://b/a", ValueError("odd")))
