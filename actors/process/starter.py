"""What the starter does: it imports what any role needs, then forks a child for each request of the supervisor.

A child has no role yet: it waits for its order, as a process does that was started with exec. The starter must have one
thread, no event loop, no context of ZeroMQ and no open file beside its standard streams, because a child would get a
copy of them. It reads no user's file. It ends with its supervisor, and ignores the signals that a whole service gets:
they are meant for processes with a role.
"""

import gc
import os
import signal
import socket
from typing import Final

from ..host import kernel, running_node
from ..host.forking import Forks

_SIGNALS: Final = {signal.SIGTERM: signal.SIG_IGN, signal.SIGHUP: signal.SIG_IGN, signal.SIGCHLD: signal.SIG_DFL}
_THREADS: Final = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""Variables of the libraries below numpy, which else start threads when they are loaded."""


def serve(line: socket.socket) -> bool:
    """Fork children until the supervisor is gone.

    Args:
        line: to the supervisor: standard input. It is detached in a child, whose standard input is another socket.

    Returns:
        Whether this is a child whose order has come.
    """
    kernel.name_process(f"{running_node.RUNS}{running_node.STARTER}")
    kernel.die_with_parent()
    before = {number: signal.signal(number, handler) for number, handler in _SIGNALS.items()}
    gc.disable()  # a pass would write to pages that the children share
    _import_with_one_thread()
    gc.freeze()
    if not Forks(line).serve():
        return False
    gc.enable()
    if not _has_order():
        return False
    os.setsid()  # not earlier: a child without an order is found by the process group of the starter
    for number, handler in before.items():
        signal.signal(number, handler)
    return True


def _has_order() -> bool:
    """Wait until an order has come, which stays where it is; return whether one has."""
    line = socket.socket(fileno=0)
    try:
        return bool(line.recv(1, socket.MSG_PEEK))
    finally:
        line.detach()


def _import_with_one_thread() -> None:
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    import_all()
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value


def import_all() -> None:
    """Import the modules of all roles and applications."""
    from .. import dispatcher, media_worker  # noqa: F401
    from ..robots import answering, file_robot  # noqa: F401
    from . import applications, file_application, load_application, server_application  # noqa: F401
