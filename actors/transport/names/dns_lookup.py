"""Queries to the DNS servers of this host. The only importer of dnspython."""

from pathlib import Path
from typing import Protocol

import dns.asyncresolver
import dns.exception
import dns.resolver

from .addresses import is_address
from .dns_records import FAILURE_TTL, LOOKUP_TIME, Answer, Naptr, Srv


class DnsLookup:
    """Queries to the servers of /etc/resolv.conf; names of /etc/hosts are not sent there (hosts(5))."""

    def __init__(self, hosts: Path = Path("/etc/hosts")) -> None:
        self._hosts_file = hosts
        self._hosts: dict[tuple[str, str], tuple[str, ...]] | None = None
        self._resolver: dns.asyncresolver.Resolver | None = None

    async def __call__(self, kind: str, name: str) -> Answer:
        """Send one query and return its answer.

        Args:
            kind: NAPTR, SRV, A or AAAA.
            name: the name to look up.

        Raises:
            OSError: no server answers.
        """
        if self._hosts is None:
            self._hosts = _read_hosts(self._hosts_file)
        local = self._hosts.get((kind, name))
        if local is not None:
            return Answer(local, 60.0)
        if name == "localhost" or name.endswith((".localhost", ".invalid")):  # RFC 6761 sections 6.3, 6.4
            return Answer((), FAILURE_TTL)
        try:
            if self._resolver is None:
                self._resolver = dns.asyncresolver.Resolver()
            found = await self._resolver.resolve(name, kind, search="." not in name, lifetime=LOOKUP_TIME)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return Answer((), FAILURE_TTL)
        except dns.exception.DNSException as error:
            raise OSError(f"{kind} {name}: {type(error).__name__}") from error
        return Answer(tuple(_row(kind, row) for row in found), float(found.rrset.ttl if found.rrset else 0))


class _HasText(Protocol):
    def to_text(self) -> str: ...


def _row(kind: str, row: _HasText) -> Naptr | Srv | str:
    """Convert a row of dnspython into one of `dns_records`, by its text in a zone file."""
    words = row.to_text().split()
    if kind == "NAPTR":
        order, preference, _, service, *_, replacement = words
        return Naptr(int(order), int(preference), service.strip('"'), replacement)
    if kind == "SRV":
        priority, weight, port, target = words
        return Srv(int(priority), int(weight), target, int(port))
    return words[0]


def _read_hosts(path: Path) -> dict[tuple[str, str], tuple[str, ...]]:
    hosts: dict[tuple[str, str], tuple[str, ...]] = {
        ("A", "localhost"): ("127.0.0.1",),
        ("AAAA", "localhost"): ("::1",),
    }
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return hosts
    for line in lines:
        address, *names = line.partition("#")[0].split() or ("",)
        if is_address(address):
            kind = "AAAA" if ":" in address else "A"
            for name in names:
                key = (kind, name.lower())
                hosts[key] = tuple(dict.fromkeys((*hosts.get(key, ()), address)))
    return hosts
