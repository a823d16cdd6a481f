"""What a process does that has no role yet: it imports what any role needs, and waits for its order.

The imports run in a thread of a low priority, which leaves the processors to the processes that carry calls. The main
thread, which waits for it, keeps its own priority for the role. The process holds no file of the node. It ends with its
supervisor, and ignores the signals that a whole service gets: they are meant for processes with a role.
"""

import os
import select
import signal
import socket
import threading
from typing import Final

from ..host import kernel, running_node

NICE: Final = 5
"""Priority of the imports (setpriority(2)): of one busy processor they get a quarter."""
WARM: Final = b"w"
"""What the supervisor gets once everything is imported."""
_IGNORED: Final = (signal.SIGTERM, signal.SIGHUP)


def wait(line: socket.socket) -> None:
    """Import what any role needs, and wait until an order has come, or the supervisor has closed the line.

    Args:
        line: to the supervisor.
    """
    kernel.name_process(f"{running_node.RUNS}{running_node.SPARE}")
    kernel.die_with_parent()
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _IGNORED}
    thread = threading.Thread(target=_import_slowly)
    thread.start()
    thread.join()
    try:
        line.sendall(WARM)
    except BrokenPipeError:
        return
    poll = select.poll()
    poll.register(line, select.POLLIN)
    poll.poll()
    for number, handler in before.items():
        signal.signal(number, handler)


def _import_slowly() -> None:
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
    import_all()


def import_all() -> None:
    """Import the modules of all roles and applications."""
    from .. import dispatcher, media_worker  # noqa: F401
    from ..robots import answering, file_robot  # noqa: F401
    from . import applications, load_application  # noqa: F401
