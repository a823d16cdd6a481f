"""Keys on a terminal while a load runs, as SIPp has them.

`+ - * /` change the rate by 1 and by 10, `p` pauses, `q` drains, `Q` stops, `?` helps.

`Keyboard` reads single keys and `Keys` acts on them. The terminal must be restored afterwards, and a process in the
background must not read from it.
"""

import asyncio
import os
import termios
import tty
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

STANDARD_INPUT: Final = 0
HELP: Final = "keys: + - one call/s more or less, * / ten more or less, p pause or go on, q drain, Q stop, ? this"
STEPS: Final = {"+": 1.0, "-": -1.0, "*": 10.0, "/": -10.0}
"""Calls per second by which keys change the rate, as in SIPp, which goes down to 0 too."""
MOST_RATE: Final = 100_000.0
"""Calls per second."""


class Keys:
    """The action of each key.

    Args:
        rate: calls per second at the start.
        set_rate: commands another, 0 pauses.
        drain, stop: as SIGUSR1 and SIGINT do.
        say: shows a line.
    """

    def __init__(
        self,
        rate: float,
        *,
        set_rate: Callable[[float], None],
        drain: Callable[[], None],
        stop: Callable[[], None],
        say: Callable[[str], None],
    ) -> None:
        self.rate = rate
        self.paused = False
        self._set_rate = set_rate
        self._drain = drain
        self._stop = stop
        self._say = say

    def press(self, key: str) -> None:
        """Do what a key means; one that means nothing is ignored."""
        if key in STEPS:
            self.rate = min(MOST_RATE, max(0.0, self.rate + STEPS[key]))
            if self.paused:
                self._say(f"rate {self.rate:g} calls/s once p goes on")
            else:
                self._say(f"rate {self.rate:g} calls/s" if self.rate else "rate 0: no new calls; + or * goes on")
                self._set_rate(self.rate)
        elif key == "p":
            self.paused = not self.paused
            self._say("paused; p goes on" if self.paused else f"going on with {self.rate:g} calls/s")
            self._set_rate(0.0 if self.paused else self.rate)
        elif key == "q":
            self._say("no new calls; waiting for live ones")
            self._drain()
        elif key == "Q":
            self._say("stopping")
            self._stop()
        elif key == "?":
            self._say(HELP)


class Keyboard:
    """Reads single keys of a terminal within an event loop, and restores the terminal afterwards.

    A descriptor that is no terminal is left alone.

    Args:
        press: takes each key.
        descriptor: of the terminal; standard input when not given.
    """

    def __init__(self, press: Callable[[str], None], descriptor: int = STANDARD_INPUT) -> None:
        self._press = press
        self._descriptor = descriptor
        self._before: list[Any] | None = None

    def open(self) -> bool:
        """Begin to read; False when there is no terminal, or another process group reads it."""
        if not os.isatty(self._descriptor) or os.tcgetpgrp(self._descriptor) != os.getpgrp():
            return False
        self._before = termios.tcgetattr(self._descriptor)
        # Ctrl-C is a signal as ever. What the terminal has not shown yet is not waited for: Ctrl-S may hold it.
        tty.setcbreak(self._descriptor, termios.TCSANOW)
        asyncio.get_running_loop().add_reader(self._descriptor, self._read)
        return True

    def close(self) -> None:
        """Restore the terminal."""
        if self._before is not None:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            with suppress(termios.error):  # the terminal may be gone
                termios.tcsetattr(self._descriptor, termios.TCSANOW, self._before)
            self._before = None

    def _read(self) -> None:
        try:
            octets = os.read(self._descriptor, 64)
        except OSError:  # EIO: the terminal is gone
            octets = b""
        if not octets:
            asyncio.get_running_loop().remove_reader(self._descriptor)
        for key in octets.decode("ascii", "ignore"):
            self._press(key)
