"""What a decoder process may not do, once it has loaded its libraries.

No library that goes astray opens a file or a socket: every descriptor that the limit allows is
taken, but for one slot that the next track's file comes into. Memory and processor time are
bounded, nothing grows a file, and a crash leaves no core dump. These are limits of POSIX, which
need no privilege and no library; where one is missing (Windows), the rest holds. They hold against
accidents, not against somebody's code: that could close a descriptor and open another.
"""

import os
from pathlib import Path

try:
    import resource
except ImportError:  # Windows has none
    resource = None  # type: ignore[assignment]

MOST_INHERITED = 1024
"""Descriptors that are looked at; a process begins with half a dozen."""
PROCESSOR_GRACE = 30
"""Seconds of processor time beyond a track's limit: a process that nobody is left to kill ends."""


def address_space() -> int:
    """Bytes of address space that this process has now; 0 where the system doesn't say."""
    try:
        with Path("/proc/self/statm").open() as file:
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def confine(memory_bytes: int) -> None:
    """Give up for good what a decoder doesn't need.

    Args:
      memory_bytes: of address space beyond what is mapped now.
    """
    if resource is None:
        return
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, 0)
    mapped = address_space()
    if mapped:
        _lower(resource.RLIMIT_AS, mapped + memory_bytes)
    top = 1 + max(one for one in range(MOST_INHERITED) if _is_open(one))
    for descriptor in range(top):
        if not _is_open(descriptor):
            os.dup2(0, descriptor)
    _lower(resource.RLIMIT_NOFILE, top + 1)


def _lower(limit: int, value: int) -> None:
    """Set a limit for good; one that is lower already stays."""
    value = _allowed(limit, value)
    resource.setrlimit(limit, (value, value))


def _allowed(limit: int, value: int) -> int:
    """``value``, or the hard limit where that is lower."""
    _, most = resource.getrlimit(limit)
    return value if most == resource.RLIM_INFINITY else min(value, most)


def bound_processor_time(seconds: float) -> None:
    """End this process after so many more seconds of processor time, whoever may be watching."""
    if resource is None:
        return
    used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    soon = _allowed(resource.RLIMIT_CPU, int(used + seconds) + PROCESSOR_GRACE)
    resource.setrlimit(resource.RLIMIT_CPU, (soon, most))
