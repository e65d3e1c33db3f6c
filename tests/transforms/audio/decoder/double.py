"""A decoder process whose libraries misbehave on files that say so; ``test_pool.py`` starts it."""

import ctypes
import os
import socket
import sys

import soundfile

from artifactnet.transforms.audio.decoder import process

ORIGINAL = soundfile.SoundFile


def misbehave(head: bytes) -> None:
    """What a bug in native code does."""
    if b"DOUBLE-SEGFAULT" in head:
        ctypes.string_at(8)
    if b"DOUBLE-ABORT" in head:
        os.abort()
    if b"DOUBLE-SPIN" in head:  # as in C: no handler of Python gets a turn
        lock = ctypes.create_string_buffer(128)
        libc = ctypes.CDLL(None)
        libc.pthread_mutex_lock(lock)
        libc.pthread_mutex_lock(lock)
    if b"DOUBLE-BALLOON" in head:
        held = [bytearray(b"x") * (64 << 20) for _ in range(800)]
        raise AssertionError(len(held))
    if b"DOUBLE-MALLOC" in head:
        libc = ctypes.CDLL(None)
        libc.malloc.restype = ctypes.c_void_p
        while (block := libc.malloc(ctypes.c_size_t(1 << 30))) is not None:
            ctypes.memset(block, 1, 4096)
        ctypes.memset(0, 1, 8)  # a library that doesn't check what malloc says
    channel = socket.socket(fileno=int(sys.argv[1]))
    if b"DOUBLE-CLOSE" in head:
        channel.shutdown(socket.SHUT_RDWR)
        while True:
            pass
    if b"DOUBLE-FLOOD" in head:
        while True:
            channel.send(b"\xff" * 65536)
    if b"DOUBLE-BABBLE" in head:
        while True:
            channel.send(b"\x10\0\0\0" + b'{"read": [0, 1]}')
    if b"DOUBLE-OPEN" in head:
        with open("/etc/passwd", "rb") as file:  # noqa: PTH123
            file.read(1)
    if b"DOUBLE-WRITE" in head:
        with open("/tmp/written-by-a-decoder", "wb") as file:  # noqa: PTH123
            file.write(b"x")
    if b"DOUBLE-CONNECT" in head:
        socket.create_connection(("127.0.0.1", 9))
    channel.detach()


def sound_file(file, *arguments, **named):  # type: ignore[no-untyped-def]
    """In place of ``soundfile.SoundFile``."""
    if not isinstance(file, str):
        place = file.tell()
        misbehave(file.read(4096))
        file.seek(place)
    return ORIGINAL(file, *arguments, **named)


if __name__ == "__main__":
    soundfile.SoundFile = sound_file
    process.main()
