"""A file that breaks a decoder costs one process; the next file is decoded."""

import io
import multiprocessing
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest

from artifactnet.transforms.audio.codec_spec import FORMATS, CodecSpec, parse_codec
from artifactnet.transforms.audio.decoder.pool import (
    DecoderPool,
    DecoderStartError,
    PoolOptions,
    decoder_pool,
)
from artifactnet.transforms.audio.lossy_codec import PyAVBackend, codec_roundtrip
from artifactnet.transforms.audio.pyav_reader import PyAVReader
from artifactnet.transforms.audio.soundfile_reader import SoundfileReader
from artifactnet.transforms.audio.windows import DecodedAudio, DecodeLimits, decode_windows
from artifactnet.transforms.elements.errors import (
    AudioUnreachableError,
    CodecError,
    DecodeLimitError,
    DecoderCrashError,
    NotAudioError,
)
from tests.conftest import music

SHORT = DecodeLimits(base_seconds=6.0, max_seconds=6.0)
DOUBLE = PoolOptions(command=(sys.executable, "-m", "tests.transforms.audio.decoder.double"))


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    pool = DecoderPool()
    yield pool
    pool.close()


@pytest.fixture
def double() -> Iterator[DecoderPool]:
    pool = DecoderPool(DOUBLE)
    yield pool
    pool.close()


def decode(
    pool: DecoderPool, file: BinaryIO, limits: DecodeLimits = SHORT, segments: int | None = 7
) -> DecodedAudio:
    return pool.decode(
        file, sample_rate=44_100, window_samples=176_400, segments=segments, limits=limits
    )


def processes(pool: DecoderPool) -> set[int]:
    return {one._process.pid for one in pool._all}


def test_decodes_as_in_process(pool: DecoderPool, wav) -> None:
    path = wav("a.wav", 13.0)
    wanted = decode_windows(
        io.BytesIO(path.read_bytes()),
        sample_rate=44_100,
        window_samples=176_400,
        segments=7,
        limits=SHORT,
        readers=(SoundfileReader, PyAVReader),
    )
    with path.open("rb") as local:
        for file in (local, io.BytesIO(path.read_bytes())):
            found = decode(pool, file)
            np.testing.assert_array_equal(found.facts, wanted.facts)  # some are NaN
            np.testing.assert_array_equal(found.each, wanted.each)
            same = {name: getattr(wanted, name) for name in ("windows", "facts", "each")}
            assert found._replace(**same) == wanted
            np.testing.assert_array_equal(found.windows, wanted.windows)


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_every_codec_works_where_no_file_can_be_opened(pool: DecoderPool, name: str) -> None:
    spec = parse_codec(f"{name}:128k") if name != "wav" else CodecSpec("wav")
    windows = np.stack([music(4)[:, 0]] * 2).astype(np.float32)
    coded = pool.reencode(windows, 44_100, spec, 30.0)
    wanted = codec_roundtrip(windows[0], 44_100, spec, PyAVBackend())
    np.testing.assert_allclose(coded, np.stack([wanted] * 2), atol=1e-4)


def test_an_encoder_that_refuses_is_an_error(pool: DecoderPool) -> None:
    windows = np.zeros((1, 44_100), np.float32)
    with pytest.raises(CodecError, match="no_such"):
        pool.reencode(windows, 44_100, CodecSpec("mp3", 128_000, "no_such"), 30.0)


def test_what_is_no_audio_keeps_its_error(pool: DecoderPool) -> None:
    with pytest.raises(NotAudioError, match="no decoder recognises"):
        decode(pool, io.BytesIO(b"not audio at all" * 100))


@pytest.mark.parametrize(
    ("what", "error", "message"),
    [
        ("SEGFAULT", DecoderCrashError, r"the decoder crashed \(SIGSEGV\)"),
        ("ABORT", DecoderCrashError, r"the decoder crashed \(SIGABRT\)"),
        ("SPIN", DecodeLimitError, "stopped after 8 s"),
        ("BALLOON", DecodeLimitError, "needs more than 1024 MiB"),
        ("MALLOC", DecoderCrashError, r"the decoder crashed \(SIGSEGV\)"),
        ("CLOSE", DecoderCrashError, "closed its pipe"),
        ("FLOOD", DecoderCrashError, "what can't be read"),
        ("BABBLE", DecoderCrashError, "what can't be read"),
    ],
)
def test_a_bad_file_costs_one_process(
    double: DecoderPool, tmp_path: Path, wav, what: str, error: type[Exception], message: str
) -> None:
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"RIFF DOUBLE-" + what.encode() + bytes(4096))
    good = wav("good.wav", 5.0)
    began = time.monotonic()
    with bad.open("rb") as file, pytest.raises(error, match=message):
        decode(double, file)
    assert time.monotonic() - began < 30
    with good.open("rb") as file:
        assert len(decode(double, file).starts) == 2
    assert len(processes(double)) == 1


@pytest.mark.parametrize("what", ["OPEN", "WRITE", "CONNECT"])
@pytest.mark.parametrize("local", [True, False])
def test_nothing_can_be_opened(double: DecoderPool, tmp_path: Path, what: str, local: bool) -> None:
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"RIFF DOUBLE-" + what.encode() + bytes(4096))
    with bad.open("rb") as local_file, pytest.raises(RuntimeError, match="Too many open files"):
        decode(double, local_file if local else io.BytesIO(bad.read_bytes()))


def test_an_innocent_file_is_tried_again(pool: DecoderPool, wav) -> None:
    path = wav("a.wav", 5.0)
    with path.open("rb") as file:
        decode(pool, file)
        (process,) = pool._all
        os.kill(process._process.pid, 9)  # as the kernel does where memory runs out
        assert len(decode(pool, file).starts) == 2


class Interrupting(io.BytesIO):
    """A file in the middle of which somebody presses Ctrl-C."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() > 100_000:
            raise KeyboardInterrupt
        return super().read(size)


def test_an_interrupted_job_leaves_its_answer_to_nobody(pool: DecoderPool, wav) -> None:
    long, short = wav("long.wav", 13.0).read_bytes(), wav("short.wav", 5.0).read_bytes()
    with pytest.raises(KeyboardInterrupt):
        decode(pool, Interrupting(long))
    for content, windows in ((short, 2), (long, 4), (short, 2)):
        assert len(decode(pool, io.BytesIO(content)).starts) == windows


def durations(paths: list[str]) -> list[float]:
    found = []
    for path in paths:
        with Path(path).open("rb") as file:
            found.append(decode(decoder_pool(), file).info.duration)
    return found


def test_forked_processes_have_decoders_of_their_own(wav) -> None:
    paths = [str(wav("a.wav", 9.0)), str(wav("b.wav", 5.0))] * 3
    assert durations(paths) == [9.0, 5.0] * 3
    with multiprocessing.get_context("fork").Pool(2) as workers:
        assert workers.map(durations, [paths] * 4, chunksize=1) == [[9.0, 5.0] * 3] * 4
    assert durations(paths) == [9.0, 5.0] * 3


def test_a_default_time_out_of_the_worker_changes_nothing(wav) -> None:
    socket.setdefaulttimeout(5.0)  # as clients of object stores do
    try:
        pool = DecoderPool()
        found = decode(pool, io.BytesIO(wav("a.wav", 5.0).read_bytes()))
        pool.close()
    finally:
        socket.setdefaulttimeout(None)
    assert len(found.starts) == 2


def test_slow_storage_is_not_the_files_fault(pool: DecoderPool, wav) -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() == 0:
                time.sleep(2.5)
            return super().read(size)

    limits = DecodeLimits(max_seconds=1.0)
    found = decode(pool, Slow(wav("a.wav", 5.0).read_bytes()), limits)
    assert len(found.starts) == 2


def test_a_command_that_is_not_there_ends_the_job() -> None:
    descriptors = Path("/proc/self/fd")
    before = len(list(descriptors.iterdir())) if descriptors.is_dir() else 0
    for _ in range(5):
        with pytest.raises(DecoderStartError, match="did not start"):
            decode(DecoderPool(PoolOptions(command=("/nonexistent/python",))), io.BytesIO(b"x"))
    if before:
        assert len(list(descriptors.iterdir())) <= before + 1


def test_threads_have_a_process_each(wav) -> None:
    pool = DecoderPool()
    path, found = wav("a.wav", 9.0), []

    def work() -> None:
        for _ in range(5):
            with path.open("rb") as file:
                found.append(decode(pool, file).windows.sum())

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert len(found) == 15
    assert 1 <= len(processes(pool)) <= 3
    pids = processes(pool)
    pool.close()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_process_is_replaced_after_a_while(monkeypatch: pytest.MonkeyPatch, wav) -> None:
    monkeypatch.setattr("artifactnet.transforms.audio.decoder.pool.FILES", 3)
    pool, path, seen = DecoderPool(), wav("a.wav", 5.0), set()
    for _ in range(7):
        with path.open("rb") as file:
            decode(pool, file)
        seen |= processes(pool)
    assert len(seen) >= 2
    assert len(processes(pool)) <= 1
    pool.close()


class Unreachable(io.BytesIO):
    """A store that goes away."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() > 100_000:
            raise ConnectionError("503 slow down")
        return super().read(size)


def test_a_store_that_fails_is_not_the_files_fault(pool: DecoderPool, wav) -> None:
    content = wav("a.wav", 13.0).read_bytes()
    with pytest.raises(AudioUnreachableError, match="503 slow down"):
        decode(pool, Unreachable(content))
    assert len(decode(pool, io.BytesIO(content)).starts) == 4


def test_shared_memory_is_given_back(
    pool: DecoderPool, wav, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("artifactnet.transforms.audio.decoder.pool.KEPT_BYTES", 8 << 20)
    path = wav("a.wav", 80.0)
    with path.open("rb") as file:
        found = decode(pool, file, DecodeLimits(), segments=None)
    assert found.windows.shape == (20, 176_400)
    (process,) = pool._all
    assert os.fstat(process._memory).st_blocks == 0


def test_a_command_that_is_no_decoder_is_said_so() -> None:
    pool = DecoderPool(PoolOptions(command=(sys.executable, "-c", "raise SystemExit(3)")))
    with pytest.raises(DecoderStartError, match=r"did not start \(exit code 3\)"):
        decode(pool, io.BytesIO(b"x"))
