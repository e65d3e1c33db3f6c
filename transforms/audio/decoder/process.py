"""A decoder process: reads what it is handed, and owns nothing that a crash could take along.

Enters: jobs by ``protocol.py`` on the socket whose descriptor is the first argument. Leaves:
float32 ``[segments, samples]`` in the memory whose descriptor is the second, or the reason why
there is none. The third argument bounds its memory in bytes. ``pool.py`` starts it.
"""

import io
import mmap
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import av
import av.subtitles.codeccontext  # PyAV imports it where it meets a picture's or a text's track
import av.subtitles.stream
import av.subtitles.subtitle
import av.video.codeccontext  # the same
import numpy as np
import soundfile
from numpy.typing import NDArray

from artifactnet.transforms.audio.codec_spec import parse_codec
from artifactnet.transforms.audio.decoder.confinement import bound_processor_time, confine
from artifactnet.transforms.audio.decoder.protocol import (
    LONGEST_PIECE,
    SHARED_BYTES,
    ProtocolError,
    receive,
    receive_bytes,
    send,
)
from artifactnet.transforms.audio.decoder.readers import READERS
from artifactnet.transforms.audio.lossy_codec import PyAVBackend, codec_roundtrip
from artifactnet.transforms.audio.windows import DecodeLimits, decode_windows
from artifactnet.transforms.elements.errors import AuditError
from artifactnet.transforms.storage.sized_file import SizedFile

PIECE = 64 << 10
"""Bytes that are asked for at once; a store's file fetches blocks behind it."""


class AskedFile(SizedFile):
    """A file that lies with the worker, who hands over the pieces that are asked for."""

    def __init__(self, channel: socket.socket, size: int) -> None:
        super().__init__(size)
        self._channel = channel
        self.waited = 0.0

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
        """Fill ``buffer`` from the position on.

        Raises:
          OSError: the worker could not read, and knows why.
        """
        wanted = min(len(buffer), self.size - self._position, LONGEST_PIECE)
        if wanted <= 0:
            return 0
        began = time.monotonic()
        send(self._channel, {"read": [self._position, wanted]})
        count = receive(self._channel)["bytes"]
        if count < 0:
            raise OSError("the worker could not read the file")
        buffer[:count] = receive_bytes(self._channel, count)
        self.waited += time.monotonic() - began
        self._position += count
        return count


def _decode(job: dict[str, Any], file: BinaryIO, shared: NDArray[np.float32]) -> dict[str, Any]:
    asked = getattr(file, "raw", None)
    samples = job["window_samples"]
    audio = decode_windows(
        file,
        sample_rate=job["sample_rate"],
        window_samples=samples,
        segments=job["segments"],
        half_steps=job["half_steps"],
        block=tuple(job["block"]) if job["block"] else None,
        limits=DecodeLimits(**job["limits"]),
        readers=READERS,
        room=shared[: len(shared) // samples * samples].reshape(-1, samples),
        waited=(lambda: asked.waited) if isinstance(asked, AskedFile) else lambda: 0.0,
    )
    return {
        "info": audio.info,
        "starts": audio.starts,
        "notes": audio.notes,
        "facts": audio.facts,
        "each": audio.each,
        "tally": audio.tally,
    }


def _reencode(job: dict[str, Any], shared: NDArray[np.float32]) -> dict[str, Any]:
    count, samples = job["shape"]
    windows = shared[: count * samples].reshape(count, samples)
    spec, backend = parse_codec(job["codec"]), PyAVBackend()
    for window in windows:
        window[:] = codec_roundtrip(window.copy(), job["sample_rate"], spec, backend)
    return {}


def _run(
    job: dict[str, Any], channel: socket.socket, descriptor: int | None, shared: NDArray[np.float32]
) -> dict[str, Any]:
    bound_processor_time(job["seconds"])
    if job["job"] == "reencode":
        return _reencode(job, shared)
    with _opened(job, channel, descriptor) as file:
        return _decode(job, file, shared)


@contextmanager
def _opened(
    job: dict[str, Any], channel: socket.socket, descriptor: int | None
) -> Iterator[BinaryIO]:
    """The file of ``job``, with no slot left for a descriptor while it is read."""
    if descriptor is not None:
        with os.fdopen(descriptor, "rb") as file:
            yield file
        return
    taken = os.dup(0)
    try:
        asked = AskedFile(channel, job["size"])
        yield io.BufferedReader(asked, PIECE)
    finally:
        os.close(taken)


def serve(channel: socket.socket, shared: NDArray[np.float32]) -> None:
    """Do jobs until the worker closes."""
    while True:
        try:
            _, descriptors, _, _ = socket.recv_fds(channel, 1, 1)
            job = receive(channel)
        except (ProtocolError, ConnectionError):
            return
        try:
            result = _run(job, channel, descriptors[0] if descriptors else None, shared)
            send(channel, {"done": result})
        except MemoryError:
            send(channel, {"error": "MemoryError", "message": ""})
        except (ProtocolError, ConnectionError):
            return
        except Exception as error:  # the worker turns it into an error row
            kind = type(error).__name__ if isinstance(error, AuditError) else ""
            text = str(error) if kind else f"{type(error).__name__}: {error}"
            send(channel, {"error": kind, "message": text[:2000]})


def _load_libraries() -> None:
    """Use every library once, since no file can be opened later on."""
    tone = np.sin(np.arange(22_050, dtype=np.float32) / 8)
    for codec in ("mp3:128k", "vorbis:128k"):
        codec_roundtrip(tone, 44_100, parse_codec(codec), PyAVBackend())
    flac = io.BytesIO()
    soundfile.write(flac, tone, 22_050, format="FLAC")
    decode_windows(
        flac,
        sample_rate=44_100,
        window_samples=44_100,
        segments=1,
        limits=DecodeLimits(),
        readers=READERS,
    )


def main() -> None:
    """Load, confine, and serve the worker that started this process."""
    handle, memory, limit = (int(argument) for argument in sys.argv[1:4])
    channel = socket.socket(fileno=handle)
    channel.setblocking(True)  # it isn't where something in the worker set a default time-out
    mapped = mmap.mmap(memory, SHARED_BYTES)
    os.close(memory)
    shared = np.frombuffer(mapped, np.float32)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the worker's to answer
    _load_libraries()
    av.logging.set_level(av.logging.PANIC)
    os.dup2(0, 1)
    confine(limit)
    send(channel, {"ready": os.getpid()})
    os.dup2(0, 2)  # libraries complain to the terminal; what matters is in the error rows
    serve(channel, shared)


if __name__ == "__main__":
    main()
