"""What a service reports to systemd: ready, reloading, stopping, how it is, and that it still lives (sd_notify(3)).

Datagrams of `NAME=value` lines to the socket that NOTIFY_SOCKET names; without one, or without a reader, nothing
happens. It uses no node and no clock: when to speak is decided by the supervisor.
"""

import os
import socket
from collections.abc import Mapping
from typing import Final

from ..diagnosis.foreign_text import shown

USEC: Final = 1_000_000


class Notifier:
    """One line to the service manager.

    Args:
        address: of its socket, a path or `@` and an abstract name; empty = there is none.
        watchdog: seconds within which it must receive a sign of life; 0 = it does not care.
    """

    def __init__(self, address: str = "", watchdog: float = 0.0) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog = watchdog if address else 0.0
        self._status = ""

    @classmethod
    def of(cls, environment: Mapping[str, str], pid: int) -> "Notifier":
        """The one that the environment describes.

        Args:
            pid: of this process; a watchdog may be meant for another process.
        """
        microseconds = environment.get("WATCHDOG_USEC", "")
        wanted = (
            microseconds.isascii() and microseconds.isdigit() and environment.get("WATCHDOG_PID", str(pid)) == str(pid)
        )
        return cls(environment.get("NOTIFY_SOCKET", ""), int(microseconds) / USEC if wanted else 0.0)

    def ready(self) -> None:
        """Calls may come: after the start, and after a reload."""
        self._tell("READY=1")

    def reloading(self, now: float) -> None:
        """A reload begins; `ready` follows.

        Args:
            now: monotonic seconds.
        """
        self._tell("RELOADING=1", f"MONOTONIC_USEC={round(now * USEC)}")

    def stopping(self) -> None:
        """The end has begun."""
        self._tell("STOPPING=1")

    def alive(self) -> None:
        """All is well; due every half of `watchdog`."""
        self._tell("WATCHDOG=1")

    def status(self, text: str) -> None:
        """How we are, in one line for people; sent again only when it has changed."""
        if text != self._status:
            self._status = text
            self._tell("STATUS=" + shown(" ".join(text.split())))

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
                line.setblocking(False)
                line.sendto("\n".join(lines).encode(), self._address)
        except OSError:
            pass  # it does not listen, or not now: a service must not fail for that


def from_environment() -> Notifier:
    """The service manager of this process, or one that gets nothing."""
    return Notifier.of(os.environ, os.getpid())
