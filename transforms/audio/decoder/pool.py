"""Decoder processes of a worker: as many as it has threads that decode, kept and reused.

Enters: an open file, or windows to re-encode. Leaves: ``DecodedAudio``, or windows after a codec.
libsndfile and FFmpeg read untrusted bytes; on some file out of millions they crash, spin, or ask
for all memory. Here that costs one process and one error row, not the job.
"""

import atexit
import io
import mmap
import os
import queue
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, BinaryIO

try:
    import fcntl
except ImportError:  # Windows has none, nor memfd_create
    fcntl = None  # type: ignore[assignment]

import numpy as np
from numpy.typing import NDArray

from artifactnet.transforms.audio.codec_spec import UNPROCESSED, CodecSpec
from artifactnet.transforms.audio.decoder.protocol import (
    LONGEST_PIECE,
    SHARED_BYTES,
    ProtocolError,
    receive,
    send,
)
from artifactnet.transforms.audio.decoder.unconfined import UnconfinedDecoder
from artifactnet.transforms.audio.sound_facts import SoundFacts
from artifactnet.transforms.audio.windows import AudioInfo, DecodedAudio, DecodeLimits, Tally
from artifactnet.transforms.elements import errors
from artifactnet.transforms.elements.errors import (
    AudioUnreachableError,
    AuditError,
    CodecError,
    DecodeLimitError,
    DecoderCrashError,
)

START_SECONDS = 120.0
"""To load the libraries, on a machine that does much else."""
GRACE_SECONDS = 2.0
"""A decoder minds its own limit between packets; so long after it, it is killed."""
PROCESS = "artifactnet.transforms.audio.decoder.process"
KEPT_BYTES = 64 << 20
"""Of shared memory; what one track needed beyond this is given back after it."""
FILES = 500
"""Jobs after which a process is replaced: what leaks, or is quietly damaged, ends with it."""


@dataclass(frozen=True)
class PoolOptions:
    """Bounds on a decoder process.

    Attributes:
      memory_bytes: of address space that decoding may take.
      command: that starts a process; for tests.
    """

    memory_bytes: int = 1 << 30
    command: tuple[str, ...] = (sys.executable, "-m", PROCESS)


class DecoderStartError(RuntimeError):
    """No decoder runs here: no track's fault, so it ends the job."""


class _ProcessDiedError(Exception):
    """The process is gone or was killed; the message says how."""


class DecoderProcess:
    """One process, used by one thread at a time."""

    def __init__(self, options: PoolOptions) -> None:
        """Start it, and wait until it is ready.

        Raises:
          DecoderStartError: it did not.
        """
        self._memory = shared_file(SHARED_BYTES)
        self._mapped = mmap.mmap(self._memory, SHARED_BYTES)
        self._channel, theirs = socket.socketpair()
        self._process: subprocess.Popen | None = None
        self.jobs = 0
        self.closed = False
        try:
            with theirs:
                handle = theirs.fileno()
                self._process = subprocess.Popen(  # noqa: S603 (our own module)
                    (*options.command, str(handle), str(self._memory), str(options.memory_bytes)),
                    pass_fds=(handle, self._memory),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    env={name: value for name, value in os.environ.items() if _is_harmless(name)},
                    start_new_session=True,  # Ctrl-C is the worker's to answer
                )
            receive(self._channel, time.monotonic() + START_SECONDS)
        except (ProtocolError, OSError) as error:
            how = self._ended() if self._process else str(error)
            self.close()
            raise DecoderStartError(f"the decoder process did not start ({how})") from error
        except BaseException:
            self.close()
            raise
        self._memory_bytes = options.memory_bytes

    def job(self, message: dict[str, Any], file: BinaryIO | None, seconds: float) -> dict[str, Any]:
        """Have it do one job.

        Args:
          message: of ``protocol.py``, without the fields that are set here.
          file: what it reads, if it does.
          seconds: limit of wall time.

        Raises:
          AuditError: what the decoder says of the file, or that it took too long.
          _ProcessDiedError: it crashed, or fell out of step.
        """
        self.jobs += 1
        answered = False
        end = time.monotonic() + seconds + GRACE_SECONDS
        try:
            self._channel.settimeout(GRACE_SECONDS + seconds)
            local = file is not None and _is_local(file)
            if local and file is not None:
                socket.send_fds(self._channel, [b"\0"], [file.fileno()])
            else:
                self._channel.sendall(b"\0")
            send(self._channel, message | {"seconds": seconds})
            while "read" in (answer := receive(self._channel, end)):
                began = time.monotonic()
                self._hand_over(None if local else file, answer["read"], end)
                end += time.monotonic() - began  # how slow a store is says nothing of the file
            answered = True
            return self._result(answer)
        except TimeoutError as error:
            raise DecodeLimitError(
                f"the decoder was stopped after {seconds + GRACE_SECONDS:.0f} s on this file"
            ) from error
        except AuditError:
            answered = True  # it was told that the file can't be read, and has said so
            raise
        except (ProtocolError, OSError, KeyError, TypeError, ValueError) as error:
            raise _ProcessDiedError(self._ended()) from error
        finally:
            # Whatever else ends a job, Ctrl-C for one, leaves an answer that must reach nobody.
            if not answered:
                self.close()

    def _hand_over(self, file: BinaryIO | None, piece: Any, end: float) -> None:
        offset, size = (int(number) for number in piece)
        if file is None or offset < 0 or not 0 < size <= LONGEST_PIECE:
            raise ProtocolError("asked for what is no piece of the file")
        try:
            file.seek(offset)
            content = file.read(size)
        except Exception as error:
            # The decoder is told, ends its job and stays in step; what storage said is the error.
            send(self._channel, {"bytes": -1})
            while "read" in receive(self._channel, end):
                send(self._channel, {"bytes": -1})
            if isinstance(error, AuditError):
                raise
            raise AudioUnreachableError(f"reading stopped at byte {offset}: {error}") from error
        send(self._channel, {"bytes": len(content)}, content)

    def _result(self, answer: dict[str, Any]) -> dict[str, Any]:
        if "done" in answer:
            return dict(answer["done"])
        kind, text = str(answer["error"]), str(answer["message"])
        if kind == "MemoryError":
            raise DecodeLimitError(
                f"decoding needs more than {self._memory_bytes >> 20} MiB of memory"
            )
        known = getattr(errors, kind, None)
        if isinstance(known, type) and issubclass(known, AuditError):
            raise known(text)
        raise RuntimeError(text)

    def _ended(self) -> str:
        """How the process ended, as a person says it; it is killed if it has not."""
        assert self._process is not None, "it was started"
        try:
            code = self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return "it closed its pipe or said what can't be read, and was stopped"
        if code >= 0:
            return f"exit code {code}"
        try:
            return signal.Signals(-code).name
        except ValueError:
            return f"signal {-code}"

    def shared(self, shape: tuple[int, int]) -> NDArray[np.float32]:
        """The memory that both map, as float32 ``shape``."""
        return np.frombuffer(self._mapped, np.float32, shape[0] * shape[1]).reshape(shape)

    def give_back(self, used_bytes: int) -> None:
        """Free shared memory beyond what a usual track needs."""
        if used_bytes > KEPT_BYTES and hasattr(mmap, "MADV_REMOVE"):
            self._mapped.madvise(mmap.MADV_REMOVE)

    def close(self) -> None:
        """End the process."""
        if self.closed:
            return
        self.closed = True
        self._channel.close()  # it ends by itself, unless it spins
        if self._process is not None:
            try:
                self._process.wait(0.2)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        os.close(self._memory)

    def leave(self) -> None:
        """Let go of what a fork made this process hold of another one's decoder."""
        self.closed = True
        self._channel.close()
        os.close(self._memory)


KEPT_NAMES = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV", "SYSTEMROOT", "OMP_NUM_THREADS")
KEPT_PREFIXES = ("PYTHON", "LD_", "DYLD_", "LC_", "CONDA_")


def _is_harmless(name: str) -> bool:
    """Whether a decoder may see a variable: what Python needs to start, and no credentials."""
    return name in KEPT_NAMES or name.startswith(KEPT_PREFIXES)


def _is_local(file: BinaryIO) -> bool:
    return isinstance(file, io.BufferedReader) and isinstance(file.raw, io.FileIO)


def shared_file(size: int) -> int:
    """Descriptor of memory that two processes can map; neither can make it shorter."""
    if hasattr(os, "memfd_create"):
        memory = os.memfd_create("artifactnet-windows", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(memory, size)
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
        fcntl.fcntl(memory, fcntl.F_ADD_SEALS, seals)
        return memory
    with tempfile.TemporaryFile() as file:
        os.ftruncate(file.fileno(), size)
        return os.dup(file.fileno())


class DecoderPool:
    """Decoder processes that threads borrow."""

    def __init__(self, options: PoolOptions = PoolOptions()) -> None:
        self._options = options
        self._idle: queue.LifoQueue[DecoderProcess] = queue.LifoQueue()
        self._all: set[DecoderProcess] = set()
        self._lock = threading.Lock()
        self._owner = os.getpid()

    def _borrow(self) -> DecoderProcess:
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            process = DecoderProcess(self._options)
            with self._lock:
                self._all.add(process)
            return process

    def _forget(self, process: DecoderProcess) -> None:
        with self._lock:
            self._all.discard(process)

    def _with_process(
        self, do: Callable[[DecoderProcess], Any], rewind: Callable[[], object] = lambda: None
    ) -> Any:
        """``do`` by an idle process; a second one where a used one died of it."""
        while True:
            process = self._borrow()
            fresh = process.jobs == 0
            try:
                result = do(process)
            except _ProcessDiedError as error:
                self._forget(process)
                if fresh:
                    raise DecoderCrashError(f"the decoder crashed ({error})") from error
                rewind()  # an earlier file may have hurt it, or the system ended it
                continue
            except BaseException:
                self._return(process)
                raise
            self._return(process)
            return result

    def _return(self, process: DecoderProcess) -> None:
        if process.closed:
            self._forget(process)
        elif process.jobs >= FILES:
            self._forget(process)
            process.close()
        else:
            self._idle.put(process)

    def decode(
        self,
        file: BinaryIO,
        *,
        sample_rate: int,
        window_samples: int,
        segments: int | None,
        limits: DecodeLimits,
        half_steps: bool = False,
        block: tuple[int, int] | None = None,
    ) -> DecodedAudio:
        """Decode the windows of one track, see ``windows.decode_windows``.

        Args:
          file: seekable; a plain file on a disk is handed over as such, of any other the pieces.
          sample_rate: Hz of the windows.
          window_samples: samples a window.
          segments: windows a track, ``None`` for all.
          limits: bounds on the cost.
          half_steps: whether the windows of a short track may overlap.
          block: first window and how many, where the track comes in pieces.

        Raises:
          AuditError: what is wrong with the file; ``DecoderCrashError`` where the decoder died.
        """
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        seconds = limits.seconds_for(size) if _is_local(file) else limits.max_seconds
        message = {
            "job": "decode",
            "size": size,
            "sample_rate": sample_rate,
            "window_samples": window_samples,
            "segments": segments,
            "half_steps": half_steps,
            "block": block,
            "limits": asdict(limits) | {"max_seconds": seconds},
        }

        def do(process: DecoderProcess) -> DecodedAudio:
            done = process.job(message, file, seconds)
            starts = tuple(float(start) for start in done["starts"])
            windows = process.shared((len(starts), window_samples)).copy()
            process.give_back(windows.nbytes)
            info = AudioInfo(*done["info"])
            notes = tuple(map(str, done["notes"]))
            each = tuple(SoundFacts(*map(float, one)) for one in done["each"])
            planned, tried, unreadable, silent, problem = done["tally"]
            tally = Tally(int(planned), int(tried), int(unreadable), int(silent), str(problem))
            facts = SoundFacts(*map(float, done["facts"]))
            return DecodedAudio(info, starts, windows, notes, facts, each, tally)

        return self._with_process(do, lambda: file.seek(0))

    def reencode(
        self, windows: NDArray[np.float32], sample_rate: int, spec: CodecSpec, seconds: float
    ) -> NDArray[np.float32]:
        """Each of ``windows`` ``[segments, samples]`` through a codec.

        Raises:
          CodecError: naming the codec.
        """
        if spec.name == UNPROCESSED:
            return windows
        message = {
            "job": "reencode",
            "shape": windows.shape,
            "sample_rate": sample_rate,
            "codec": str(spec),
        }

        def do(process: DecoderProcess) -> NDArray[np.float32]:
            shared = process.shared(windows.shape)
            shared[:] = windows
            process.job(message, None, seconds)
            coded = shared.copy()
            process.give_back(coded.nbytes)
            return coded

        try:
            return self._with_process(do)
        except (DecoderCrashError, DecodeLimitError) as error:
            raise CodecError(f"{spec}: {error}") from error

    def leave(self) -> None:
        """Let go of the processes of the one that this process was forked from."""
        for process in self._all:
            if not process.closed:
                process.leave()
        self._all.clear()

    def close(self) -> None:
        """End all processes."""
        if os.getpid() != self._owner:
            return
        with self._lock:
            everyone, self._all = self._all, set()
        for process in everyone:
            process.close()


@lru_cache
def decoder_pool() -> DecoderPool | UnconfinedDecoder:
    """The pool of this worker."""
    pool = DecoderPool() if hasattr(socket, "send_fds") else UnconfinedDecoder()
    atexit.register(pool.close)
    return pool


def _after_fork() -> None:
    """Two processes that use one decoder would get each other's sound."""
    if decoder_pool.cache_info().currsize:
        decoder_pool().leave()
        decoder_pool.cache_clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
