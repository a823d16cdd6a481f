"""Which addresses are sent to when a peer names them: by default, and with a list."""

import logging

import pytest

from sipswarm.actors.call_worker.destinations import REFUSED, REMEMBERED, Destinations
from sipswarm.actors.counting.totals import Totals
from sipswarm.actors.runtime.peer import Peer

PUBLIC, PRIVATE, LOCAL, LINK = "203.0.113.5", "10.0.0.5", "127.0.0.1", "169.254.3.4"
LOCAL_6, LINK_6, UNIQUE_6 = "::1", "fe80::5", "fd00::5"
EVERYBODY = (PUBLIC, PRIVATE, LOCAL, LINK, LOCAL_6, LINK_6, UNIQUE_6)


@pytest.mark.parametrize("peer", EVERYBODY)
@pytest.mark.parametrize(
    ("host", "only_for"),
    [
        ("198.51.100.7", EVERYBODY),
        ("10.1.2.3", EVERYBODY),
        ("2001:db8::7", EVERYBODY),
        ("fd00:ec2::253", EVERYBODY),
        ("pbx.example.org", EVERYBODY),
        # groups, broadcast, nobody, and the metadata service of a cloud
        ("0.0.0.0", ()),
        ("0.1.2.3", ()),
        ("224.0.0.1", ()),
        ("239.255.255.250", ()),
        ("255.255.255.255", ()),
        ("::", ()),
        ("ff02::1", ()),
        ("fd00:ec2::254", ()),
        # this link
        ("169.254.169.254", (LINK,)),
        ("fe80::1", (LINK_6,)),
        ("fe80::1%eth0", (LINK_6,)),
        ("febf::1", (LINK_6,)),
        # this host
        ("127.0.0.1", (LOCAL, LOCAL_6)),
        ("127.9.9.9", (LOCAL, LOCAL_6)),
        ("::1", (LOCAL, LOCAL_6)),
        # the same in IPv6 that carries IPv4 (RFC 4291 2.5.5, 6052, 8215)
        ("::ffff:127.0.0.1", (LOCAL, LOCAL_6)),
        ("::ffff:169.254.169.254", (LINK,)),
        ("::169.254.169.254", (LINK,)),
        ("64:ff9b::a9fe:a9fe", (LINK,)),
        ("64:ff9b:1::a9fe:a9fe", (LINK,)),
        ("64:ff9b:1:a9fe:a9:fe00:c000:207", (LINK,)),
        ("64:ff9b:1::10.1.2.3", EVERYBODY),
        ("64:ff9b::e000:1", ()),
        ("::ffff:0.0.0.0", ()),
        ("::ffff:10.1.2.3", EVERYBODY),
    ],
)
def test_what_no_peer_needs_is_refused_without_a_list(peer: str, host: str, only_for: tuple[str, ...]) -> None:
    destinations = Destinations((), Totals())
    assert destinations.may_send(host, Peer((peer,))) == (peer in only_for)


@pytest.mark.parametrize(("peer", "sent_to"), [("192.0.2.1", True), ("0.0.0.0", True), ("192.0.2.2", False)])
def test_a_peer_at_an_address_of_this_host_may_name_loopback(peer: str, sent_to: bool) -> None:
    destinations = Destinations((), Totals(), is_here={"192.0.2.1", "0.0.0.0"}.__contains__)
    assert destinations.may_send("127.0.0.1", Peer((peer,))) == sent_to
    assert not destinations.may_send("127.0.0.1", Peer((peer, "192.0.2.3")))
    assert not destinations.may_send("169.254.169.254", Peer((peer,)))


def test_the_peer_may_be_written_as_ipv6_that_carries_ipv4() -> None:
    destinations = Destinations((), Totals())
    assert destinations.may_send("127.0.0.2", Peer(("::ffff:127.0.0.1",)))
    assert not destinations.may_send("127.0.0.2", Peer(("::ffff:10.0.0.1",)))


@pytest.mark.parametrize(
    ("host", "sent_to"),
    [
        ("192.0.2.7", True),
        ("::ffff:192.0.2.7", True),
        ("2001:db8::7", True),
        ("169.254.169.254", True),
        ("192.0.3.7", False),
        (LOCAL, False),
        ("10.0.0.6", False),
        ("224.0.0.1", False),
        ("2001:db9::7", False),
        ("name.example.org", True),
    ],
)
def test_a_list_stands_instead_of_the_rules_without_one(host: str, sent_to: bool) -> None:
    destinations = Destinations(("192.0.2.0/24", "2001:db8::/32", "169.254.169.254"), Totals())
    assert destinations.may_send(host, Peer((LOCAL,))) == sent_to


@pytest.mark.parametrize("send_to", [(), ("192.0.2.0/24",)])
def test_what_the_user_chose_is_never_refused(send_to: tuple[str, ...]) -> None:
    destinations = Destinations(send_to, Totals())
    for host in (LOCAL, LINK, PUBLIC, "pbx"):
        assert destinations.may_send(host, Peer((PRIVATE,), (host,)))


def test_after_a_redirect_all_who_named_addresses_are_asked() -> None:
    destinations = Destinations((), Totals())
    redirected = Peer((LOCAL,), (LOCAL,)).joined_by(PRIVATE)
    assert not destinations.may_send("127.0.0.9", redirected)
    assert destinations.may_send("127.0.0.9", Peer((LOCAL,), (LOCAL,)).joined_by("127.0.0.7"))
    assert destinations.may_send("127.0.0.9", Peer((LOCAL,)).joined_by("pbx.example.org"))
    assert not destinations.may_send("127.0.0.9", Peer(("pbx.example.org",)))
    assert not destinations.may_send("127.0.0.9", Peer())


def test_refusals_are_counted_and_the_first_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    totals = Totals()
    destinations, peer = Destinations((), totals), Peer((PRIVATE,))
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert not destinations.may_send("169.254.169.254", peer, "sip")
        assert not destinations.may_send("169.254.169.254", peer, "media")
        assert not destinations.may_send("169.254.169.254", peer)
        assert destinations.may_send("10.0.0.6", peer, "sip")
    assert [totals.cell(REFUSED, what).value for what in ("sip", "media")] == [3, 1]
    (record,) = caplog.records
    assert record.getMessage() == (
        f"nothing is sent to 169.254.169.254, which {PRIVATE} has named; --send-to permits networks"
    )


def test_what_is_remembered_is_bounded_and_stays_right() -> None:
    destinations = Destinations((), Totals())
    for number in range(REMEMBERED + 10):
        host = f"169.254.{number >> 8}.{number & 255}"
        assert not destinations.may_send(host, Peer((PRIVATE,)))
        assert destinations.may_send(host, Peer((LINK,)))
