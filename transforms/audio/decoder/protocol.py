"""What a worker and its decoder process say to each other, over one socket.

Enters and leaves: a message is four bytes of length and that many of JSON; a file's bytes follow
the message that announces them. The decoder has read hostile input, so nothing that it says is
unpickled, and its messages are bounded. Samples don't come this way: they lie in memory that both
processes map.

A worker sends a byte, with the descriptor of a local file, and a job: ``{"job": "decode" |
"reencode", ...}``. The decoder may ask for a piece of a file that isn't local, ``{"read": [offset,
size]}``, answered by ``{"bytes": count}`` and the bytes. It ends with ``{"done": {...}}`` or
``{"error": class, "message": text}``.
"""

import json
import socket
import struct
import time
from typing import Any

LONGEST_MESSAGE = 4 << 20
"""Bytes of JSON: 900 starts of windows are under 20 kB, the rest is for file names and notes."""
LONGEST_PIECE = 8 << 20
"""Bytes of a file that may be asked for at once."""
SHARED_BYTES = 640 << 20
"""Of memory that both map; pages that nothing was written to cost nothing. 900 windows of 4 s."""

_LENGTH = struct.Struct("<I")


class ProtocolError(Exception):
    """The other side closed, or said what is no message."""


def send(channel: socket.socket, message: dict[str, Any], payload: bytes = b"") -> None:
    """Send ``message`` and ``payload``."""
    text = json.dumps(message).encode()
    channel.sendall(_LENGTH.pack(len(text)) + text + payload)


def receive(channel: socket.socket, end: float | None = None) -> dict[str, Any]:
    """The next message.

    Args:
      channel: to read from.
      end: by the monotonic clock, until when the whole message must be there; ``None`` for ever.

    Raises:
      ProtocolError: the other side closed, or sent something else.
      TimeoutError: it is not there by then.
    """
    (length,) = _LENGTH.unpack(receive_bytes(channel, _LENGTH.size, end))
    if length > LONGEST_MESSAGE:
        raise ProtocolError(f"a message of {length} bytes")
    try:
        message = json.loads(receive_bytes(channel, length, end))
    except ValueError as error:
        raise ProtocolError("a message that is no JSON") from error
    if not isinstance(message, dict):
        raise ProtocolError("a message without fields")
    return message


def receive_bytes(channel: socket.socket, count: int, end: float | None = None) -> bytes:
    """Exactly ``count`` bytes.

    Raises:
      ProtocolError: the other side closed before.
      TimeoutError: they are not there by ``end``.
    """
    content = bytearray(count)
    view = memoryview(content)
    while view:
        if end is not None:
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError
            channel.settimeout(left)
        got = channel.recv_into(view)
        if not got:
            raise ProtocolError("closed")
        view = view[got:]
    return bytes(content)
