"""The file of a bound socket, at which the next process connects: it is made again when somebody has removed it.

What is connected goes on without that file, so that nobody notices for days. Programs that clean temporary folders
remove such files, and whole run directories.
"""

import logging
import os
from collections.abc import Callable
from typing import Final

_SCHEME: Final = "ipc://"
_logger = logging.getLogger(__name__)


class BoundPath:
    """Keeps the file of a socket there.

    Args:
        endpoint: ipc://…, or inproc://…, which has no file.
        bind: binds the socket to it once more; returns what is wrong, empty where nothing is. The first listener stays,
            because its end would close what is connected by it.
    """

    def __init__(self, endpoint: str, bind: Callable[[], str]) -> None:
        self._path = endpoint.removeprefix(_SCHEME) if endpoint.startswith(_SCHEME) else ""
        self._bind = bind
        self._problem = ""

    def look(self) -> None:
        """Bind once more where the file is gone; later where its folder is gone too, which its owner makes again."""
        if not self._path or os.path.lexists(self._path) or not os.path.isdir(os.path.dirname(self._path)):
            return
        problem = self._bind()
        if not problem:
            _logger.warning("%s was removed, and is made again", self._path)
        elif problem != self._problem:
            _logger.error("%s was removed, and cannot be made again: %s", self._path, problem)
        self._problem = problem
