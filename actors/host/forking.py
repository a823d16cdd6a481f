"""How a process asks another one to fork a child for it, and how the child gets the right parent.

The request is one octet with the standard streams of the child, through a stream socket (unix(7), SCM_RIGHTS). The
answer is the process number of the child. Its parent is the one that asked, which must be the parent of the process
that forks, and a subreaper until the answer comes (`host.subreaper`).
"""

import mmap
import os
import socket
import struct
from typing import Final

ANSWER: Final = struct.Struct("=i")
"""Process number of the child; 0 = the system has forked none."""
REQUEST: Final = b"f"
FILES: Final = 3
"""Descriptors of a request: standard input, output and error."""


class Forks:
    """The side that forks.

    Args:
        line: to the process that asks.
    """

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._number = mmap.mmap(-1, ANSWER.size)  # shared: without an open file that a child would inherit

    def serve(self) -> bool:
        """Report that children can be forked, then fork one for each request.

        Returns:
            Whether this is a child, which has new standard streams; False = the other process is gone.
        """
        answer = os.getpid()
        while True:
            try:
                self._line.sendall(ANSWER.pack(answer))
                request, files, _, _ = socket.recv_fds(self._line, 1, FILES)
            except (BrokenPipeError, ConnectionResetError):
                return False
            if not request:
                return False
            answer = self._fork() if len(files) == FILES else 0
            if answer < 0:
                self._line.detach()
                for standard, file in enumerate(files):
                    os.dup2(file, standard)
            for file in files:
                os.close(file)
            if answer < 0:
                self._number.close()
                return True

    def _fork(self) -> int:
        """Fork a child whose parent is the parent of this process; return its number, 0 = there is none.

        The child itself gets -1.

        Raises:
            RuntimeError: this process has a thread, which no child would have.
        """
        if len(os.listdir("/proc/self/task")) > 1:
            raise RuntimeError("a library has started a thread in the process that forks the others")
        self._number[:] = ANSWER.pack(0)
        try:
            between = os.fork()
        except OSError:
            return 0
        if between:
            os.waitpid(between, 0)  # then the child has its new parent
            return int(ANSWER.unpack(self._number)[0])
        try:
            pid = os.fork()
        except OSError:
            os._exit(1)
        if pid:
            self._number[:] = ANSWER.pack(pid)
            os._exit(0)
        return -1
