"""Memory that two processes see."""

from __future__ import annotations

import fcntl
import mmap
import os
import sys
import tempfile

_STEP = 1 << 20


class Arena:
    """An anonymous file, mapped by both sides and passed on by its descriptor `fd`. It grows and never shrinks.

    It has no name: nothing is left behind whichever side is killed, no tracker process is needed, and the small
    /dev/shm of a container does not bound it. On Linux it is sealed, so that neither side can cut it under the other.
    """

    def __init__(self, fd: int | None = None) -> None:
        self.fd = _anonymous() if fd is None else fd
        self._memory = memoryview(b"")

    def memory(self, size: int) -> memoryview:
        """At least `size` bytes, mapped; what was written stays. Views made earlier stay valid."""
        if size > len(self._memory):
            size = -(-size // _STEP) * _STEP
            if os.fstat(self.fd).st_size < size:
                os.ftruncate(self.fd, size)
            self._memory = memoryview(mmap.mmap(self.fd, size))
        return self._memory

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
        self.fd, self._memory = -1, memoryview(b"")


def _anonymous() -> int:
    if sys.platform == "linux":
        fd = os.memfd_create("visionrouter", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
        return fd
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
