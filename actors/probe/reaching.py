"""The way to a target before any SIP: its places by DNS, and one connection to see how it is reached.

Names are looked up anew for each probe (RFC 3263), and each query is sent once; the user agent gets the same answers.
Over TCP and TLS a connection of the probe's own is opened and closed, which shows the time of the connect and of the
handshake, and the certificate. The SIP messages go over another connection. No SIP is sent from here.
"""

import asyncio
import ssl
from collections.abc import Sequence
from random import Random
from typing import Final

from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.uri import Uri

from ..errors import ConfigurationError, HostUnreachable
from ..transport.certificate_dates import UnknownDates, validity_of
from ..transport.names.addresses import ip_version, is_address
from ..transport.names.dns_records import FAILURE_TTL, Answer, Lookup
from ..transport.names.resolver import Resolver
from .report import Failure, ProbeFailed, ProbeReport, place_of

_VERSIONS: Final = {"any": (4, 6), "ip4": (4,), "ip6": (6,)}
_TRANSPORTS: Final = ("udp", "tcp", "tls")


class ProbeLookup:
    """The DNS answers of one probe: each query is sent once.

    Args:
        lookup: sends queries; None = to the system's servers.
    """

    def __init__(self, lookup: Lookup | None) -> None:
        self._lookup = lookup
        self._answers: dict[tuple[str, str], Answer] = {}

    async def __call__(self, kind: str, name: str) -> Answer:
        """Return the answer to a query; silence of all servers is an answer without rows."""
        key = (kind, name)
        if self._lookup is None:
            from ..transport.names.dns_lookup import DnsLookup  # here: it loads slowly, most targets are addresses

            self._lookup = DnsLookup()
        if key not in self._answers:
            try:
                self._answers[key] = await self._lookup(kind, name)
            except OSError:
                self._answers[key] = Answer((), FAILURE_TTL)
        return self._answers[key]


async def places(uri: Uri, ip_protocol: str, lookup: Lookup, report: ProbeReport) -> tuple[Hop, ...]:
    """Return the places of a target in the order in which they are tried.

    Args:
        ip_protocol: any, ip4 or ip6, of a name.

    Raises:
        ProbeFailed: the name has no address.
        ConfigurationError: the URI cannot be reached by any transport, or is an address of the other IP version.
    """
    host = uri.maddr or uri.host
    versions = _VERSIONS[ip_protocol]
    if is_address(host) and ip_version(host) not in versions:
        raise ConfigurationError(f"target {uri}: it is an address of IPv{ip_version(host)}, and not of {ip_protocol}")
    reachable = [(transport, version) for version in versions for transport in _TRANSPORTS]
    report.waits(f"the addresses of {host}", Failure.RESOLVE)
    before = report.elapsed
    try:
        hops = await Resolver(lookup, random=Random()).hops(uri, reachable)
    except HostUnreachable:
        report.took("resolve", report.elapsed - before)
        raise ProbeFailed(Failure.RESOLVE, f"the name {host} has no address") from None
    if not is_address(host):
        report.took("resolve", report.elapsed - before)
        report.note(f"{host} is {', '.join(place_of(hop) for hop in hops)}")
    return hops


async def connect(
    hops: Sequence[Hop], name: str, context: ssl.SSLContext | None, local_ip: str, report: ProbeReport
) -> None:
    """Open and close a connection to the first place that takes one; nothing where that place takes datagrams.

    Args:
        name: host that a certificate must show.
        context: for TLS.
        local_ip: empty = as the kernel chooses it.

    Raises:
        ProbeFailed: no place takes a connection, or the handshake with the first that does fails.
    """
    failed = ""
    for hop in hops:
        report.goes_to(hop)
        if hop.transport == "udp":
            return
        report.waits(f"a connection to {place_of(hop)}", Failure.CONNECT)
        before = report.elapsed
        try:
            transport, protocol = await asyncio.get_running_loop().create_connection(
                asyncio.Protocol, hop.host, hop.port, local_addr=(local_ip, 0) if local_ip else None
            )
        except OSError as error:
            failed = f"{place_of(hop)}: {error.strerror or error}"
            report.note(failed)
            continue
        report.took("connect", report.elapsed - before)
        report.note(f"connected to {place_of(hop)}")
        try:
            if hop.transport == "tls" and context is not None:
                await _shake_hands(transport, protocol, context, name, report)
        finally:
            transport.abort()
        return
    raise ProbeFailed(Failure.CONNECT, failed)


async def _shake_hands(
    transport: asyncio.Transport, protocol: asyncio.Protocol, context: ssl.SSLContext, name: str, report: ProbeReport
) -> None:
    report.waits("the end of the TLS handshake", Failure.TLS)
    before = report.elapsed
    try:
        secure = await asyncio.get_running_loop().start_tls(transport, protocol, context, server_hostname=name)
    except ssl.SSLCertVerificationError as error:
        raise ProbeFailed(Failure.TLS, f"certificate refused: {error.verify_message}") from error
    except OSError as error:  # SSLError is one
        why = (error.reason or "protocol error") if isinstance(error, ssl.SSLError) else (error.strerror or str(error))
        raise ProbeFailed(Failure.TLS, f"TLS failed: {why.lower().replace('_', ' ')}") from error
    report.took("tls", report.elapsed - before)
    if secure is None:
        raise ProbeFailed(Failure.TLS, "TLS failed: the other side closed the connection")
    shown = secure.get_extra_info("ssl_object").getpeercert(binary_form=True)
    try:
        expiry = validity_of(ssl.DER_cert_to_PEM_cert(shown or b"").encode()).not_after
    except UnknownDates:
        expiry = 0.0
    report.saw_certificate(expiry)
    secure.abort()
