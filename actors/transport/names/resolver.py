"""Hops of a SIP URI, by DNS: NAPTR, SRV, then addresses (RFC 3263, RFC 2782), never blocking the loop.

An address needs no query. A port rules out NAPTR and SRV; without one NAPTR chooses the transport, SRV the hosts, and
the addresses of the name itself come last. Answers are kept for their TTL, failures for 5 s; the same query is on its
way only once. A `Lookup` sends the queries: `dns_lookup`, or one that a user gives (CALL.md `dnsresolv`).
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Final

from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.uri import Uri

from ...diagnosis.user_code import is_asked_for, where_failed
from ...diagnosis.user_failure import UserCodeFailed
from ...errors import ConfigurationError, HostUnreachable
from .addresses import is_address
from .dns_records import FAILURE_TTL, LOOKUP_TIME, Answer, Lookup, Naptr, Srv

LONGEST_TTL: Final = 86400.0
MOST: Final = 4096
"""Answers kept."""
MOST_HOPS: Final = 16
DEFAULT_PORTS: Final = {"udp": 5060, "tcp": 5060, "tls": 5061}
_SERVICES: Final = {"SIP+D2U": "udp", "SIP+D2T": "tcp", "SIPS+D2T": "tls"}
_SRV: Final = {"udp": "_sip._udp.", "tcp": "_sip._tcp.", "tls": "_sips._tcp."}
_ADDRESSES: Final = {4: "A", 6: "AAAA"}


class Resolver:
    """One per user of it; keeps what it has learnt.

    Args:
        lookup: sends queries to DNS.
        random: draws among SRV rows of one priority by their weights.
        now: monotonic seconds.
    """

    def __init__(
        self, lookup: Lookup | None = None, *, random: Random, now: Callable[[], float] = time.monotonic
    ) -> None:
        if lookup is None:
            from .dns_lookup import DnsLookup  # here: it loads slowly, most calls go to addresses

            lookup = DnsLookup()
        self._lookup = lookup
        self._random = random
        self._now = now
        self._known: dict[tuple[str, str], tuple[float, Answer]] = {}
        self._asking: dict[tuple[str, str], asyncio.Future[Answer]] = {}

    async def hops(
        self, uri: Uri, reachable: Sequence[tuple[str, int]], random: Random | None = None
    ) -> tuple[Hop, ...]:
        """Return the hops of a request for this URI, in the order in which to try them (RFC 3263 section 4).

        Args:
            uri: of the request.
            reachable: transports and IP versions that have a listener, the preferred first.
            random: draws for this request, so that the same one is drawn the same again; None = that of the resolver.

        Raises:
            ConfigurationError: the name leads to no address that a listener reaches.
        """
        wanted = (uri.transport or "").lower()
        secure = uri.scheme == "sips"
        host = uri.maddr or uri.host
        if secure:
            if wanted == "udp":
                raise ConfigurationError(f"{uri}: sips is never sent over udp; drop transport=udp")
            wanted = "tls"  # sips with transport=tcp is TLS over TCP (RFC 3261 section 26.2.2)
        if wanted and wanted not in DEFAULT_PORTS:
            raise ConfigurationError(f"{uri}: transport {wanted!r} is not known; write udp, tcp or tls")
        if is_address(host):
            transport = wanted or "udp"
            return (Hop(transport, host, uri.port or DEFAULT_PORTS[transport]),)
        if uri.port is not None:
            found = await self._addresses(host, wanted or "udp", uri.port, reachable)
        else:
            found = await self._by_service(host, wanted, reachable, random or self._random)
        if not found:
            raise HostUnreachable(f"{uri}: the name {host!r} has no address that a local listener can reach", host)
        return tuple(dict.fromkeys(found))[:MOST_HOPS]

    async def _by_service(
        self, name: str, wanted: str, reachable: Sequence[tuple[str, int]], random: Random
    ) -> list[Hop]:
        """Without port: NAPTR chooses the transport, SRV the hosts; missing records are skipped (4.1, 4.2)."""
        transports = [wanted] if wanted else list(dict.fromkeys(transport for transport, _ in reachable))
        services: list[tuple[str, str]] = []
        if not wanted:
            rows = [row for row in await self._ask("NAPTR", name) if isinstance(row, Naptr)]
            for row in sorted(rows, key=lambda row: (row.order, row.preference)):
                transport = _SERVICES.get(row.service.upper())
                if transport in transports:
                    services.append((transport, row.replacement))
        if not services:
            services = [(transport, _SRV[transport] + name) for transport in transports]
        hops: list[Hop] = []
        found = False
        for transport, service in services:
            rows_of_service = [row for row in await self._ask("SRV", service) if isinstance(row, Srv)]
            found = found or bool(rows_of_service)
            for srv in self._ordered(rows_of_service, random):
                if srv.target not in ("", "."):  # "." = decidedly not here (RFC 2782)
                    hops += await self._addresses(srv.target, transport, srv.port, reachable)
        if not found:
            transport = wanted or "udp"
            return await self._addresses(name, transport, DEFAULT_PORTS[transport], reachable)
        return hops

    def _ordered(self, rows: Iterable[Srv], random: Random | None = None) -> list[Srv]:
        """By priority; among equals by lot, with chances in proportion to the weights (RFC 2782)."""
        ordered: list[Srv] = []
        left = sorted(
            rows, key=lambda row: (row.priority, row.weight, row.target, row.port)
        )  # DNS may turn them around
        while left:
            equals = [row for row in left if row.priority == left[0].priority]
            lot = (random or self._random).randint(0, sum(row.weight for row in equals))
            for row in equals:
                lot -= row.weight
                if lot <= 0:
                    ordered.append(row)
                    left.remove(row)
                    break
        return ordered

    async def _addresses(self, name: str, transport: str, port: int, reachable: Sequence[tuple[str, int]]) -> list[Hop]:
        versions = [version for each, version in reachable if each == transport]
        if is_address(name):
            return [Hop(transport, name, port)]
        hops = []
        for version in dict.fromkeys(versions):
            rows = await self._ask(_ADDRESSES[version], name)
            hops += [Hop(transport, row, port) for row in rows if isinstance(row, str)]
        return hops

    async def _ask(self, kind: str, name: str) -> tuple[Naptr | Srv | str, ...]:
        """Return the rows that are kept, else those of DNS; silence counts as "there is none" for a while."""
        key = (kind, name.lower().rstrip("."))
        known = self._known.get(key)
        if known is not None and known[0] > self._now():
            return known[1].rows
        asking = self._asking.get(key)
        if asking is None:
            asking = self._asking[key] = asyncio.ensure_future(self._answer(*key))
            asking.add_done_callback(lambda _: self._asking.pop(key, None))
        return (await asyncio.shield(asking)).rows

    async def _answer(self, kind: str, name: str) -> Answer:
        try:
            async with asyncio.timeout(LOOKUP_TIME):
                answer = await self._lookup(kind, name)
        except OSError:  # TimeoutError is one
            answer = Answer((), FAILURE_TTL)
        except asyncio.CancelledError as error:
            if is_asked_for(error):
                raise
            raise UserCodeFailed("the lookup of DNS", where_failed(error)) from error
        if not answer.rows:
            answer = Answer((), FAILURE_TTL)
        if len(self._known) >= MOST:
            self._forget()
        self._known[kind, name] = (self._now() + min(answer.ttl, LONGEST_TTL), answer)
        return answer

    def _forget(self) -> None:
        """Drop what has run out, or the older half."""
        now = self._now()
        self._known = {key: known for key, known in self._known.items() if known[0] > now}
        for key in list(self._known)[: len(self._known) // 2] if len(self._known) >= MOST else ():
            del self._known[key]


def resolve_now(uri: Uri, reachable: Sequence[tuple[str, int]]) -> tuple[Hop, ...]:
    """As `Resolver.hops`, for code that runs before or beside a loop: it blocks until DNS has answered."""

    async def ask() -> tuple[Hop, ...]:
        return await Resolver(random=Random()).hops(uri, reachable)

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(ask())).result()
