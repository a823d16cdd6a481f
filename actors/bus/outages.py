"""Times in which an address of this host carried nothing, and the calls that they fall into.

An address carries nothing while no interface that is up and has its carrier has it. The kernel reports that for some
interfaces with each packet that is sent. For others, loopback and many virtual ones among them, it takes the packets
and drops them. So a call is judged with what the kernel says of the interfaces themselves. An address that was never on
an interface is judged by none, but one of loopback by the loopback interface. Pure: times are arguments, in monotonic
seconds.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterator
from math import inf
from typing import Final, NamedTuple

KEPT: Final = 64
"""Outages that are kept of an interface; older ones are dropped."""
MOST: Final = 4096
"""Addresses and interfaces that are known; the address that was taken away first is forgotten for another one."""
SECONDS: Final = "sipswarm_network_down_seconds_total"
Row = tuple[str, tuple[str, ...], tuple[float, ...]]


class Outage(NamedTuple):
    """A time in which an interface carried nothing, or an address was on none."""

    since: float
    until: float


class _Interface:
    """One interface, by its index."""

    __slots__ = ("addresses", "is_loopback", "name", "outages", "since")

    def __init__(self, *, is_loopback: bool) -> None:
        self.name = ""
        self.is_loopback = is_loopback
        self.addresses: set[str] = set()
        self.since: float | None = inf
        """When it went down; None = it carries packets, inf = it was never seen to."""
        self.outages: deque[Outage] = deque(maxlen=KEPT)

    def down(self, now: float) -> Iterator[Outage]:
        """The outages; the last one may not be over."""
        yield from self.outages
        if self.since is not None:
            yield Outage(self.since, now)


class Outages:
    """Those of the interfaces of this host, as the kernel tells them, and of the addresses that calls use."""

    def __init__(self) -> None:
        self._interfaces: dict[int, _Interface] = {}
        self._owners: dict[str, int] = {}
        """Index of the interface that has an address, or had it last."""
        self._names: dict[str, str] = {}
        """Of the interface that an address was taken from."""
        self._missing: dict[str, float] = {}
        """When an address was taken from its interface, which may be up."""
        self._past: dict[str, deque[Outage]] = {}
        """Times in which an address was on no interface, and outages of interfaces that had it."""
        self._in_use: Callable[[], Collection[str]] = tuple
        self._counted: dict[str, float] = {}
        self._read_at = 0.0
        self._calm = True
        """No interface and no address has gone."""

    def attend(self, in_use: Callable[[], Collection[str]]) -> None:
        """Have the addresses asked for that calls of this process use."""
        self._in_use = in_use

    # ---- what the kernel says

    def link(self, index: int, name: str, now: float, *, carries: bool, is_loopback: bool) -> None:
        """Take the state of an interface: whether it is up and has its carrier."""
        found = self._interfaces.get(index)
        if found is None:
            if len(self._interfaces) >= MOST:
                return
            found = self._interfaces[index] = _Interface(is_loopback=is_loopback)
        found.name = name
        if not carries and found.since is None:
            found.since, self._calm = now, False
        elif carries:
            if found.since is not None and found.since < inf:
                found.outages.append(Outage(found.since, now))
            found.since = None

    def link_gone(self, index: int, now: float) -> None:
        """Take that an interface was removed; its addresses are on none from now on."""
        found = self._interfaces.pop(index, None)
        if found is not None:
            for address in found.addresses:
                self._lose(found, address, now)

    def address(self, index: int, address: str, now: float) -> None:
        """Take that an interface has an address."""
        found = self._interfaces.get(index)
        if found is None:
            return
        if address not in self._owners and len(self._owners) >= MOST:
            if not self._missing:
                return
            self._forget(next(iter(self._missing)))
        found.addresses.add(address)
        self._owners[address] = index
        since = self._missing.pop(address, None)
        if since is not None:
            self._past.setdefault(address, deque(maxlen=KEPT)).append(Outage(since, now))

    def address_gone(self, index: int, address: str, now: float) -> None:
        """Take that an address was taken from an interface."""
        found = self._interfaces.get(index)
        if found is not None and address in found.addresses:
            found.addresses.discard(address)
            self._lose(found, address, now)

    # ---- what follows for calls

    def seconds(self, since: float, now: float, addresses: Collection[str] | None = None) -> float:
        """Return for how long an address carried nothing since a time, of the worst of some.

        Args:
            since: when a call began.
            addresses: local ones that the call uses; None = all that calls of this process use.
        """
        if self._calm:
            return 0.0
        chosen = self._in_use() if addresses is None else addresses
        return max((_sum(self._of(each, now), since) for each in chosen), default=0.0)

    def rows(self, now: float) -> Iterator[Row]:
        """Count and yield the metric: seconds in which addresses in use carried nothing, by interface."""
        worst: dict[str, float] = {}
        for address in () if self._calm else self._in_use():
            name = self._name_of(address)
            worst[name] = max(worst.get(name, 0.0), _sum(self._of(address, now), self._read_at))
        self._read_at = now
        for name, seconds in worst.items():
            if seconds:
                self._counted[name] = self._counted.get(name, 0.0) + seconds
        for name, seconds in self._counted.items():
            yield SECONDS, (name,), (seconds,)

    def _forget(self, address: str) -> None:
        for each in (self._missing, self._owners, self._names, self._past):
            each.pop(address, None)

    def _name_of(self, address: str) -> str:
        owner = self._interfaces.get(self._owner(address))
        return owner.name if owner is not None else self._names.get(address, address)

    def _lose(self, interface: _Interface, address: str, now: float) -> None:
        """Note that an address is on no interface; its past ones may be the interface's last trace."""
        self._names[address] = interface.name
        self._missing.setdefault(address, now)
        self._past.setdefault(address, deque(maxlen=KEPT)).extend(interface.down(now))
        self._calm = False

    def _of(self, address: str, now: float) -> Iterator[Outage]:
        """The outages of an address; the last one may not be over."""
        yield from self._past.get(address, ())
        if address in self._missing:
            yield Outage(self._missing[address], now)
        owner = self._interfaces.get(self._owner(address))
        if owner is not None:
            yield from owner.down(now)

    def _owner(self, address: str) -> int:
        """Return the index of the interface that has an address, or had it last; 0 = none (ifinfomsg)."""
        if address not in self._owners and (address.startswith("127.") or address == "::1"):
            return next((index for index, each in self._interfaces.items() if each.is_loopback), 0)
        return self._owners.get(address, 0)


def _sum(outages: Iterator[Outage], since: float) -> float:
    """Seconds since a time that lie in some outage; they may overlap."""
    total, reached = 0.0, since
    for each in sorted(outages):
        total += max(0.0, each.until - max(reached, each.since))
        reached = max(reached, each.until)
    return total
