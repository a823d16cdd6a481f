"""Perl Net::SIP as a peer: a script of tests/interop/perl, bounded in time, that prints what it saw as one JSON object.

The script's arguments are `name=value` words. A script that waits for calls prints a line `ready` when it does.
"""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sipswarm.actors.config import TlsConfig, format_host
from tests.certificates import Authority

from .peers import NET_SIP, require
from .processes import LOOPBACK, Program, free_port, wait_until

SCRIPTS = Path(__file__).parent / "perl"

HEARD = 10
"""Frames that Perl hears at least in a phase in which we heard 25: both sides start and stop at their own moment."""


class NetSip:
    """One run of a script."""

    def __init__(self, folder: Path, script: str, seconds: float, **arguments: object) -> None:
        """Start it; it ends itself after that many seconds."""
        perl = require(NET_SIP)
        self._seconds = seconds
        words = [f"{name}={value}" for name, value in arguments.items()]
        argv = [perl, "-I", str(SCRIPTS), str(SCRIPTS / script), f"seconds={seconds:g}", *words]
        self.program = Program(argv, folder, script.removesuffix(".pl"))

    def ready(self) -> None:
        """Wait until it says that it listens."""
        wait_until(
            lambda: "ready" in self.program.output.splitlines() or self.program.exit_code is not None,
            10,
            lambda: f"the script's line `ready`\n{self.program.account()}",
        )
        assert self.program.exit_code is None, self.program.account()

    def stop(self) -> dict[str, Any]:
        """Ask a script that serves for ever to end, and what it saw."""
        self.program.signal(signal.SIGTERM)
        return self.report()

    def report(self) -> dict[str, Any]:
        """What it saw, once it has ended.

        Raises:
            AssertionError: it ended with an error, or not in time.
        """
        assert self.program.wait(self._seconds + 5) == 0, self.program.account()
        said: dict[str, Any] = json.loads(self.program.output.splitlines()[-1])
        return said


class Wire(NamedTuple):
    """How the messages of a call travel, and who is certified where that is asked for."""

    transport: str = "udp"
    host: str = LOOPBACK
    authority: Authority | None = None

    @property
    def leg(self) -> str:
        """A leg of ours, on any port."""
        return f"{self.transport}:{format_host(self.host)}:0"

    @property
    def tls(self) -> TlsConfig | None:
        """The certificates of our side."""
        return TlsConfig(self.authority.ca, *self._certified("ours")) if self.authority else None

    def uri(self, user: str, port: int, *, host: str = "", more: str = "") -> str:
        """A SIP URI that is reached over this wire, in brackets: Net::SIP takes parameters outside for the header's.

        host: in place of the real one. more: further parameters.
        """
        return f"<{self.plain_uri(f'{user}@{host or format_host(self.host)}', port)}{more}>"

    def plain_uri(self, host: str, port: int) -> str:
        """A SIP URI over this wire without brackets. host: as it stands in a URI."""
        return f"sip:{host}:{port}{'' if self.transport == 'udp' else f';transport={self.transport}'}"

    def sips_uri(self, user: str, port: int) -> str:
        """The SIPS URI of a user on this wire, which has to be of TLS, in brackets."""
        return f"<sips:{user}@{format_host(self.host)}:{port}>"

    def server(self, port: int) -> str:
        """The SIP URI of a registrar or proxy."""
        return self.plain_uri(format_host(self.host), port)

    def of_perl(self, port: int = 0) -> dict[str, str]:
        """The arguments by which a script has its leg on this wire."""
        scheme = "sips" if self.transport == "tls" else "sip"
        suffix = ";transport=tcp" if self.transport == "tcp" else ""
        leg = {"local": f"{scheme}:{format_host(self.host)}:{port or free_port(self.host)}{suffix}"}
        if self.authority is None:
            return leg
        certificate, key = self._certified("perl")
        return {**leg, "ca": self.authority.ca, "cert": certificate, "key": key}

    def _certified(self, name: str) -> tuple[str, str]:
        assert self.authority is not None
        return self.authority.issue(name, "IP:127.0.0.1", "IP:::1")

    def __str__(self) -> str:
        return self.transport + ("6" if ":" in self.host else "")


WIRES = tuple(Wire(transport, host) for host in (LOOPBACK, "::1") for transport in ("udp", "tcp", "tls"))


over_tls = pytest.mark.parametrize("wire", [WIRES[2]], ids=str, indirect=True)


ALL = tuple(map(str, WIRES))


def over_every_wire(*gate: str) -> Callable[[Any], Any]:
    """Parametrise by `wire`. gate: those that run without -m slow too; by default only UDP over IPv4."""
    return pytest.mark.parametrize(
        "wire",
        [
            pytest.param(wire, id=str(wire), marks=() if str(wire) in (gate or ALL[:1]) else pytest.mark.slow)
            for wire in WIRES
        ],
        indirect=True,
    )
