"""The function of a user that sees each SIP message before it leaves: `UserAgent.on_send`.

It may change, replace or withhold the message. It runs where the message is about to leave, for repetitions too, so it
must be a plain function. One that fails costs nothing but a line in the log: the message leaves as it was.
"""

import re
from typing import Any, Final

from sipswarm.sipcore.errors import LocalProtocolError, ParseError
from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Message
from sipswarm.sipcore.message.parser import parse

from ..diagnosis.crash_log import CrashLog
from ..diagnosis.foreign_text import said
from ..diagnosis.user_code import called, place_of
from ..diagnosis.user_failure import UserCodeFailed, user_error
from ..errors import ConfigurationError
from ..handle.given_text import checked_callback
from ..runtime.callbacks import Callback, answers_later, ask

WHAT: Final = "the function of on_send()"


class SendHook:
    """Calls the function with each message that leaves a call worker.

    Args:
        function: of (message, hop), in any form of a callback but a coroutine function.
        crashes: logs its failures.

    Raises:
        ConfigurationError: it is a coroutine function, or does not take two arguments.
    """

    __slots__ = ("_crashes", "_function")

    def __init__(self, function: Callback, crashes: CrashLog) -> None:
        self._function = checked_callback("function", function, ("message", "hop"))
        if answers_later(function) or isinstance(function, re.Pattern):
            raise ConfigurationError(f"function {said(function)} is no plain function; messages wait for none")
        self._crashes = crashes

    def __call__(self, data: bytes, hop: Hop) -> bytes:
        """Return the octets that are sent instead of these; empty = none."""
        try:
            message = parse(data)
        except ParseError:
            return data  # octets of a user's own, which are no message
        try:
            result = called(WHAT, ask, self._function, message, hop, given=self._function)
            return self._octets(message if result is None else result)
        except (UserCodeFailed, LocalProtocolError) as error:
            where = error.where if isinstance(error, UserCodeFailed) else place_of(self._function)
            self._crashes.tell(f"{error}, and the message leaves as it was", user_error(error), where)
            return data

    def _octets(self, result: Any) -> bytes:
        """Return what the function decided, as octets."""
        if isinstance(result, Message):
            return result.to_bytes()
        if isinstance(result, bytes):
            return result
        if result is False:
            return b""
        raise UserCodeFailed(f"what {WHAT} returned ({said(result)}, no message)", place_of(self._function))
