"""A file whose appearance ends a run early.

A thread of its own looks for it, because a file system that hangs holds up whoever asks it. The thread is never waited
for: it ends at the next look after the end of the run, or with the process.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ..errors import ConfigurationError

LOOK_EVERY: Final = 0.5
"""Seconds between two looks."""


def check(path: Path) -> None:
    """See that a stop file can be waited for.

    Raises:
        ConfigurationError: it is there already, or its folder is not.
    """
    if os.path.lexists(path):
        raise ConfigurationError(f"--stop-file {path} is there already and would end the run at once; remove it")
    if not path.absolute().parent.is_dir():
        raise ConfigurationError(f"--stop-file {path}: its folder is not there; make it, or name another one")


@contextmanager
def watching(path: Path | None, came: Callable[[], object], *, every: float = LOOK_EVERY) -> Iterator[None]:
    """Look for a file as long as the context is open.

    Args:
        path: None = look for nothing.
        came: called once, in another thread, when the file is there.
        every: seconds between two looks.
    """
    if path is None:
        yield
        return
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            if os.path.lexists(path):
                came()
                return
            over.wait(every)

    threading.Thread(target=look, name="stop-file", daemon=True).start()
    try:
        yield
    finally:
        over.set()
