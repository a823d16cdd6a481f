"""The gate of the listeners: which sources are read at all, asked before anything of theirs is read or answered.

Networks of the allow list may send anything. Any other source may send only what cannot begin anything: responses, and
requests with a tag in To, since a call may have been placed to it. The call worker hands these to a call that exists,
or drops them. A connection of any other source is closed at once, unless this node has connected to its host before.
What is turned away is counted, and nothing of it is kept.
"""

from collections.abc import Sequence
from typing import Final

from sipswarm.sipcore.message import peek
from sipswarm.sipcore.transaction.refusals import Refusals

from ..counting.totals import Totals
from ..diagnosis.black_box import BlackBox
from .networks import Networks
from .poison_gate import PoisonGate

HOSTS: Final = 4096
"""Hosts that are remembered because connections to them were opened here."""


class Gate:
    """The gate of one dispatcher.

    Args:
        networks: the allow list; None = everybody may come in.
        box: the black box of the process; None = nothing reads it.

    Attributes:
        poison: asked after the sources.
        refusals: datagrams that were refused for want of room; asked last.
    """

    __slots__ = ("_called", "_networks", "_turned_away", "poison", "refusals")

    def __init__(self, networks: Sequence[str] | None, totals: Totals, box: BlackBox | None = None) -> None:
        self.poison = PoisonGate(box or BlackBox(), totals)
        self.refusals = Refusals()
        self._networks = Networks(networks) if networks is not None else None
        self._called: dict[str, None] = {}
        self._turned_away = totals.cell("sipswarm_sip_refused_total", "stranger")

    @property
    def is_open(self) -> bool:
        """Whether everybody may come in."""
        return self._networks is None

    def admits(self, host: str) -> bool:
        """Whether a source may send anything."""
        return self._networks is None or host in self._networks

    def lets_pass(self, host: str, data: bytes) -> bool:
        """Whether a datagram goes to its call worker; else it is counted."""
        if self.admits(host) or not peek.is_request(data) or peek.to_tag(data):
            return True
        self._turned_away.value += 1
        return False

    def takes_connection(self, host: str) -> bool:
        """Whether a connection from a host is taken; else it is counted."""
        if self.admits(host) or host in self._called:
            return True
        self._turned_away.value += 1
        return False

    def called(self, host: str) -> None:
        """Remember a host that a connection is opened to: its own connections are taken from now on."""
        if self._networks is None or host in self._called:
            return
        if len(self._called) >= HOSTS:
            del self._called[next(iter(self._called))]
        self._called[host] = None
