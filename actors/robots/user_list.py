"""SIGHUP at a registrar or proxy: its list of users is read again. After an error the users before stay."""

import logging
from collections.abc import Callable

from ..errors import ConfigurationError
from .domains import Domains

_logger = logging.getLogger(__name__)


class UserList:
    """The list of users of one node.

    Args:
        forget_strangers: removes the bindings of those who are no users any more, and returns how many addresses had
            some.
        reloaded: gets the fault at the end of each reload, empty = none.
    """

    def __init__(self, domains: Domains, forget_strangers: Callable[[], int], reloaded: Callable[[str], None]) -> None:
        self._domains = domains
        self._forget_strangers = forget_strangers
        self._reloaded = reloaded

    def reload(self) -> None:
        """Read the list again: new passwords hold at once, and who is not in it has no bindings any more."""
        try:
            self._domains.reload()
        except ConfigurationError as error:
            _logger.error("%s; the users before stay", error)
            self._reloaded(str(error))
            return
        gone = self._forget_strangers()
        _logger.info("the users are read again; %d addresses have no user any more", gone)
        self._reloaded("")
