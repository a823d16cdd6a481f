"""RFC 3263: which hops a SIP URI leads to, with a made-up DNS."""

import asyncio
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from sipswarm.actors.diagnosis.user_failure import UserCodeFailed
from sipswarm.actors.errors import ConfigurationError
from sipswarm.actors.transport.names.dns_lookup import DnsLookup, _row
from sipswarm.actors.transport.names.dns_records import FAILURE_TTL, Answer, Naptr, Srv
from sipswarm.actors.transport.names.resolver import Resolver
from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.uri import Uri

ALL = (("udp", 4), ("tcp", 4), ("tls", 4))
DNS: dict[tuple[str, str], tuple[Naptr | Srv | str, ...]] = {
    ("NAPTR", "full.test"): (
        Naptr(20, 1, "SIP+D2U", "_sip._udp.full.test."),
        Naptr(10, 2, "SIP+D2T", "_sip._tcp.full.test."),
        Naptr(10, 1, "SIPS+D2T", "_sips._tcp.full.test."),
        Naptr(5, 1, "E2U+sip", "nothing.test."),
    ),
    ("SRV", "_sip._udp.full.test"): (Srv(1, 0, "a.test.", 5070),),
    ("SRV", "_sip._tcp.full.test"): (Srv(2, 0, "b.test.", 5071), Srv(1, 0, "a.test.", 5072)),
    ("SRV", "_sips._tcp.full.test"): (Srv(1, 0, "a.test.", 5073),),
    ("SRV", "_sip._udp.srv.test"): (Srv(1, 0, "b.test.", 5080),),
    ("SRV", "_sip._tcp.srv.test"): (Srv(1, 0, "a.test.", 5081),),
    ("SRV", "_sip._udp.closed.test"): (Srv(0, 0, ".", 0),),
    ("A", "closed.test"): ("192.0.2.7",),
    ("A", "a.test"): ("192.0.2.1", "192.0.2.2"),
    ("A", "b.test"): ("192.0.2.3",),
    ("AAAA", "b.test"): ("2001:db8::3",),
    ("A", "plain.test"): ("192.0.2.4",),
}


class Dns:
    """Answers from the table; counts the questions."""

    def __init__(self, ttl: float = 60.0) -> None:
        self.asked: Counter[tuple[str, str]] = Counter()
        self.ttl = ttl
        self.silent = False

    async def __call__(self, kind: str, name: str) -> Answer:
        self.asked[kind, name] += 1
        await asyncio.sleep(0)
        if self.silent:
            raise OSError("nobody answers")
        return Answer(DNS.get((kind, name), ()), self.ttl)


def hops(uri: str, reachable: tuple[tuple[str, int], ...] = ALL) -> list[str]:
    found = asyncio.run(Resolver(Dns(), random=Random(1)).hops(Uri.parse(uri), reachable))
    return [f"{hop.transport} {hop.host} {hop.port}" for hop in found]


@pytest.mark.parametrize(
    ("uri", "reachable", "found"),
    [
        ("sip:b@192.0.2.9", ALL, ["udp 192.0.2.9 5060"]),
        ("sip:b@[2001:db8::1]:5070;transport=tcp", ALL, ["tcp 2001:db8::1 5070"]),
        ("sips:b@192.0.2.9", ALL, ["tls 192.0.2.9 5061"]),
        ("sip:b@plain.test;maddr=192.0.2.8", ALL, ["udp 192.0.2.8 5060"]),
        # a port says: no SRV (4.2)
        ("sip:b@srv.test:5060;maddr=a.test", ALL, ["udp 192.0.2.1 5060", "udp 192.0.2.2 5060"]),
        # NAPTR by order and preference, only services of SIP (4.1)
        (
            "sip:b@full.test",
            ALL,
            [
                *("tls 192.0.2.1 5073", "tls 192.0.2.2 5073"),
                *("tcp 192.0.2.1 5072", "tcp 192.0.2.2 5072", "tcp 192.0.2.3 5071"),
                *("udp 192.0.2.1 5070", "udp 192.0.2.2 5070"),
            ],
        ),
        ("sip:b@full.test", (("udp", 4),), ["udp 192.0.2.1 5070", "udp 192.0.2.2 5070"]),
        ("sips:b@full.test", ALL, ["tls 192.0.2.1 5073", "tls 192.0.2.2 5073"]),
        ("sip:b@full.test;transport=udp", ALL, ["udp 192.0.2.1 5070", "udp 192.0.2.2 5070"]),
        # no NAPTR: SRV of each transport, ours first
        ("sip:b@srv.test", ALL, ["udp 192.0.2.3 5080", "tcp 192.0.2.1 5081", "tcp 192.0.2.2 5081"]),
        ("sip:b@srv.test", (("udp", 6), ("udp", 4)), ["udp 2001:db8::3 5080", "udp 192.0.2.3 5080"]),
        # no SRV: addresses with the default port
        ("sip:b@plain.test", ALL, ["udp 192.0.2.4 5060"]),
        ("sip:b@plain.test;transport=tls", ALL, ["tls 192.0.2.4 5061"]),
    ],
)
def test_a_uri_leads_to_hops_in_order(uri: str, reachable: tuple[tuple[str, int], ...], found: list[str]) -> None:
    assert hops(uri, reachable) == found


@pytest.mark.parametrize(
    ("uri", "part"),
    [
        ("sip:b@nobody.test", "'nobody.test' has no address that a local listener can reach"),
        ("sip:b@closed.test;transport=udp", "has no address"),
        ("sip:b@plain.test;transport=sctp", "'sctp' is not known"),
        ("sips:b@plain.test;transport=udp", "sips is never sent over udp"),
    ],
)
def test_what_leads_nowhere_says_so(uri: str, part: str) -> None:
    with pytest.raises(ConfigurationError, match=part):
        hops(uri)


def test_srv_rows_of_one_priority_are_drawn_by_weight() -> None:
    resolver = Resolver(Dns(), random=Random(7))
    rows = [Srv(1, 30, "light", 1), Srv(1, 70, "heavy", 1), Srv(0, 0, "first", 1)]
    draws = [[row.target for row in resolver._ordered(rows)] for _ in range(2000)]
    assert {draw[0] for draw in draws} == {"first"}
    heavy = sum(draw[1] == "heavy" for draw in draws) / len(draws)
    assert 0.65 < heavy < 0.75


def test_answers_are_kept_by_their_ttl_failures_for_5_seconds_and_a_question_is_asked_once_at_a_time() -> None:
    async def main() -> None:
        dns, now = Dns(), [100.0]
        resolver = Resolver(dns, random=Random(1), now=lambda: now[0])
        uri = Uri.parse("sip:b@plain.test:5060")
        await asyncio.gather(*(resolver.hops(uri, ALL) for _ in range(5)))
        assert dns.asked["A", "plain.test"] == 1
        now[0] += 59.0
        await resolver.hops(uri, ALL)
        assert dns.asked["A", "plain.test"] == 1
        now[0] += 2.0
        dns.silent = True
        for wait, asked in ((0.0, 2), (FAILURE_TTL - 1, 2), (2.0, 3)):
            now[0] += wait
            with pytest.raises(ConfigurationError):
                await resolver.hops(uri, ALL)
            assert dns.asked["A", "plain.test"] == asked
        dns.silent = False
        now[0] += FAILURE_TTL + 1
        assert await resolver.hops(uri, ALL) == (Hop("udp", "192.0.2.4", 5060),)

    asyncio.run(main())


def test_what_is_kept_is_bounded() -> None:
    async def main() -> None:
        resolver = Resolver(Dns(), random=Random(1))
        for number in range(5000):
            await resolver._ask("A", f"{number}.test")
        assert len(resolver._known) <= 4096

    asyncio.run(main())


def test_names_of_the_hosts_file_are_not_asked_for(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("# comment\n192.0.2.1 pbx pbx.test # ours\n192.0.2.2 PBX\n2001:db8::1 pbx\nnonsense\n\n")
    lookup = DnsLookup(hosts)

    async def main() -> None:
        assert (await lookup("A", "pbx")).rows == ("192.0.2.1", "192.0.2.2")
        assert (await lookup("AAAA", "pbx")).rows == ("2001:db8::1",)
        assert (await lookup("A", "localhost")).rows == ("127.0.0.1",)
        assert (await lookup("SRV", "localhost")).rows == ()
        assert (await lookup("A", "nobody.invalid")).rows == ()
        assert (await DnsLookup(tmp_path / "none")("AAAA", "localhost")).rows == ("::1",)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("kind", "text", "row"),
    [
        ("NAPTR", '10 5 "s" "SIP+D2U" "" _sip._udp.a.test.', Naptr(10, 5, "SIP+D2U", "_sip._udp.a.test.")),
        ("SRV", "1 2 5060 a.test.", Srv(1, 2, "a.test.", 5060)),
        ("A", "192.0.2.1", "192.0.2.1"),
        ("AAAA", "2001:db8::1", "2001:db8::1"),
    ],
)
def test_rows_of_dnspython_become_ours(kind: str, text: str, row: Naptr | Srv | str) -> None:
    class Row:
        def to_text(self) -> str:
            return text

    assert _row(kind, Row()) == row


def test_a_lookup_that_awaits_what_was_cancelled_fails_and_cancels_nobody() -> None:
    async def lookup(kind: str, name: str) -> Answer:
        waiting = asyncio.ensure_future(asyncio.sleep(10, Answer((), 1.0)))
        waiting.cancel()
        return await waiting

    async def main() -> None:
        resolver = Resolver(lookup, random=Random(1))
        with pytest.raises(UserCodeFailed, match=r"the lookup of DNS failed at .*test_resolver.py:"):
            await resolver.hops(Uri.parse("sip:a.test:5060"), ALL)

    asyncio.run(main())
