"""The places of a target by DNS: what is asked, once, and what becomes of names without an address."""

import asyncio
import socket
from collections import Counter

import pytest

from sipswarm.actors.errors import ConfigurationError
from sipswarm.actors.probe.reaching import ProbeLookup, connect, places
from sipswarm.actors.probe.report import OPTIONS_PHASES, Failure, ProbeFailed, ProbeReport
from sipswarm.actors.transport.names.dns_records import Answer, Naptr, Srv
from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.uri import Uri

ROWS: dict[tuple[str, str], tuple[Naptr | Srv | str, ...]] = {
    ("NAPTR", "sip.example"): (Naptr(1, 1, "SIPS+D2T", "_sips._tcp.sip.example"),),
    ("SRV", "_sips._tcp.sip.example"): (Srv(1, 1, "a.sip.example", 5065), Srv(2, 1, "b.sip.example", 5066)),
    ("A", "a.sip.example"): ("192.0.2.1",),
    ("AAAA", "a.sip.example"): ("2001:db8::1",),
    ("A", "b.sip.example"): ("192.0.2.2",),
    ("A", "plain.example"): ("192.0.2.3",),
    ("AAAA", "plain.example"): ("2001:db8::3",),
}


class Dns:
    """A DNS of the test, which counts what it is asked."""

    def __init__(self) -> None:
        self.asked: Counter[tuple[str, str]] = Counter()

    async def __call__(self, kind: str, name: str) -> Answer:
        self.asked[kind, name] += 1
        if name == "silent.example":
            raise OSError("no server answers")
        return Answer(ROWS.get((kind, name), ()), 60.0)


def report() -> ProbeReport:
    return ProbeReport("sip:a", phases=OPTIONS_PHASES, clock=lambda: 0.0)


def found(target: str, ip_protocol: str = "any") -> list[str]:
    hops = asyncio.run(places(Uri.parse(target), ip_protocol, ProbeLookup(Dns()), report()))
    return [f"{hop.transport} {hop.host} {hop.port}" for hop in hops]


def test_the_places_of_a_name_are_those_of_rfc_3263_in_order() -> None:
    assert found("sip:sip.example") == ["tls 192.0.2.1 5065", "tls 2001:db8::1 5065", "tls 192.0.2.2 5066"]
    assert found("sip:plain.example:5070") == ["udp 192.0.2.3 5070", "udp 2001:db8::3 5070"]
    assert found("sip:plain.example:5070;transport=tcp", "ip6") == ["tcp 2001:db8::3 5070"]
    assert found("sip:192.0.2.9") == ["udp 192.0.2.9 5060"]
    assert found("sips:[2001:db8::9]", "ip6") == ["tls 2001:db8::9 5061"]


@pytest.mark.parametrize("name", ["nowhere.example", "silent.example"])
def test_a_name_without_an_address_is_a_failure_by_name(name: str) -> None:
    with pytest.raises(ProbeFailed, match=f"the name {name} has no address") as failed:
        found(f"sip:{name}")
    assert failed.value.failure is Failure.RESOLVE


def test_an_address_of_the_other_ip_version_is_an_error_of_the_request() -> None:
    with pytest.raises(ConfigurationError, match="it is an address of IPv4, and not of ip6"):
        found("sip:192.0.2.9", "ip6")


@pytest.mark.parametrize("name", ["plain.example", "silent.example", "nowhere.example"])
def test_each_query_of_a_probe_is_sent_once(name: str) -> None:
    async def main() -> Counter[tuple[str, str]]:
        dns = Dns()
        lookup = ProbeLookup(dns)
        first = [await lookup(kind, name) for kind in ("A", "AAAA", "SRV")]
        assert [await lookup(kind, name) for kind in ("A", "AAAA", "SRV")] == first
        return dns.asked

    assert set(asyncio.run(main()).values()) == {1}


def test_the_first_place_that_takes_a_connection_is_the_one_and_without_any_the_probe_fails() -> None:
    async def main() -> None:
        with socket.socket() as refusing, socket.socket() as taking:
            for each in (refusing, taking):
                each.bind(("127.0.0.1", 0))
            taking.listen()
            dead, good = (Hop("tcp", "127.0.0.1", each.getsockname()[1]) for each in (refusing, taking))
            seen = report()
            await connect((dead, good), "127.0.0.1", None, "", seen)
            assert seen.hop == good
            with pytest.raises(ProbeFailed, match=f"tcp:127.0.0.1:{dead.port}: ") as failed:
                await connect((dead,), "127.0.0.1", None, "", report())
            assert failed.value.failure is Failure.CONNECT

    asyncio.run(main())
