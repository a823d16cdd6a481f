"""What peers see as our address: never 0.0.0.0 or ::, per destination, or what is advertised."""

import socket

import pytest

from sipswarm.actors.call_worker.sessions import SessionConfigs
from sipswarm.actors.config import Listener, NodeConfig, checked_advertise
from sipswarm.actors.counting.totals import Totals
from sipswarm.actors.errors import ConfigurationError
from sipswarm.actors.identity import Identity
from sipswarm.actors.transport import packet_info
from sipswarm.actors.transport.counters import SipCounters
from sipswarm.actors.transport.listeners import bind_all
from sipswarm.actors.transport.local_addresses import MOST, LocalAddresses, is_of_this_host, route_to
from sipswarm.actors.transport.output import SipOutput
from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.tokens import Tokens

ROUTES = {"192.0.2.9": "192.0.2.1", "10.0.0.9": "10.0.0.1", "127.0.0.9": "127.0.0.1", "2001:db8::9": "2001:db8::5"}
TRANSPORTS = ("udp", "tcp", "tls")


def addresses(*listeners: Listener, advertise: tuple[str, ...] = ()) -> LocalAddresses:
    return LocalAddresses(listeners, advertise, route=lambda host: ROUTES.get(host, ""), now=lambda: 0.0)


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize(
    ("host", "peer", "seen"),
    [
        ("0.0.0.0", "192.0.2.9", "192.0.2.1"),
        ("0.0.0.0", "10.0.0.9", "10.0.0.1"),
        ("0.0.0.0", "203.0.113.1", "127.0.0.1"),  # no route: it is lost when it is sent, and not written as 0.0.0.0
        ("0.0.0.0", "pbx.example", "127.0.0.1"),
        ("0.0.0.0", "2001:db8::9", "127.0.0.1"),
        ("::", "2001:db8::9", "2001:db8::5"),
        ("::", "2001:db8::77", "::1"),
        ("192.0.2.7", "10.0.0.9", "192.0.2.7"),
    ],
)
def test_each_peer_sees_the_address_that_the_kernel_sends_from(transport: str, host: str, peer: str, seen: str) -> None:
    known = addresses(Listener(transport, host, 5060))
    assert known.toward(0, peer).seen == known.toward(0, peer).bound == Hop(transport, seen, 5060)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7"])
def test_an_advertised_address_is_seen_and_never_bound(host: str) -> None:
    known = addresses(Listener("udp", host, 5060), Listener("udp", "::", 5060), advertise=("203.0.113.5",))
    for local in (known.toward(0, "192.0.2.9"), known.usual(0), known.at(0, "192.0.2.7", "192.0.2.9")):
        assert local.seen == Hop("udp", "203.0.113.5", 5060)
        assert local.bound.host not in ("203.0.113.5", "0.0.0.0")
        assert local.media == local.bound.host
    assert known.toward(1, "2001:db8::9").seen.host == "2001:db8::5"


def test_an_advertised_address_of_this_host_is_bound_by_a_wildcard_only() -> None:
    known = addresses(Listener("udp", "0.0.0.0", 5060), Listener("udp", "127.0.0.1", 5062), advertise=("127.0.0.2",))
    assert [known.toward(index, "127.0.0.9").bound.host for index in (0, 1)] == ["127.0.0.2", "127.0.0.1"]
    assert [known.toward(index, "127.0.0.9").media for index in (0, 1)] == ["127.0.0.2", "127.0.0.1"]
    assert [known.toward(index, "127.0.0.9").seen.host for index in (0, 1)] == ["127.0.0.2", "127.0.0.2"]


@pytest.mark.parametrize(("advertise", "media"), [("127.0.0.2", "127.0.0.2"), ("203.0.113.5", "127.0.0.3")])
def test_a_call_that_came_in_is_answered_from_the_address_that_was_called(advertise: str, media: str) -> None:
    known = addresses(Listener("udp", "0.0.0.0", 5060), advertise=(advertise,))
    local = known.at(0, "127.0.0.3", "127.0.0.9")
    assert (local.bound.host, local.seen.host, local.media) == ("127.0.0.3", advertise, media)
    assert known.following(local, Hop("udp", "127.0.0.9", 5060)) == local
    without = known.at(0, "", "127.0.0.9")
    assert without == known.toward(0, "127.0.0.9")._replace(arrived=True)


def test_a_call_that_came_in_stays_on_its_address_unless_that_is_of_loopback() -> None:
    known = addresses(Listener("udp", "0.0.0.0", 5060), Listener("tcp", "0.0.0.0", 5061))
    came, placed = known.at(0, "10.0.0.1", "10.0.0.9"), known.toward(0, "10.0.0.9")
    hop = Hop("udp", "192.0.2.9", 5060)
    following = [known.following(local, hop) for local in (came, placed, known.at(0, "127.0.0.1", "127.0.0.9"))]
    assert [local and local.seen.host for local in following] == ["10.0.0.1", "192.0.2.1", "192.0.2.1"]
    over_tcp = known.following(came, Hop("tcp", "192.0.2.9", 5060))
    assert over_tcp is not None
    assert over_tcp.seen == Hop("tcp", "192.0.2.1", 5061)
    assert known.following(came, Hop("tls", "192.0.2.9", 5061)) is None
    assert known.following(came, Hop("udp", "2001:db8::9", 5061)) is None
    assert known.following(placed, Hop("udp", "pbx.example", 5060)) == placed
    assert known.at(0, "", "10.0.0.9").seen.host == known.at(0, "0.0.0.0", "10.0.0.9").seen.host == "10.0.0.1"


def test_of_several_listeners_the_one_is_taken_that_the_kernel_would_send_from() -> None:
    known = addresses(*(Listener("udp", host, 5060) for host in ("127.0.0.1", "10.0.0.1", "192.0.2.1")))
    chosen = [known.listener_for(Hop("udp", host, 5060)) for host in ("192.0.2.9", "10.0.0.9", "127.0.0.9", "8.8.8.8")]
    assert chosen == [2, 1, 0, 0]
    assert known.listener_for(Hop("udp", "::1", 5060)) is None
    mixed = addresses(Listener("udp", "127.0.0.1", 5060), Listener("udp", "0.0.0.0", 5062))
    assert [mixed.listener_for(Hop("udp", host, 5060)) for host in ("127.0.0.9", "10.0.0.9")] == [0, 1]


def test_addresses_are_used_once_messages_leave_from_them() -> None:
    assert addresses(Listener("udp", "192.0.2.1", 5060)).used == {"192.0.2.1"}
    found = addresses(Listener("udp", "0.0.0.0", 5060))
    found.usual(0)  # for no peer
    assert found.used == set()
    host = next(iter(ROUTES))
    found.toward(0, host)
    assert found.used == {ROUTES[host]}
    found.at(0, "192.0.2.77", host)
    assert found.used == {ROUTES[host], "192.0.2.77"}


def test_own_addresses_are_those_of_sockets_of_this_host_and_the_advertised_one() -> None:
    known = addresses(Listener("udp", "0.0.0.0", 5060), advertise=("203.0.113.5",))
    ours = {host: known.is_ours(host) for host in ("127.0.0.1", "127.0.0.7", "203.0.113.5", "203.0.113.6", "::1", "x")}
    assert [host for host, own in ours.items() if own] == ["127.0.0.1", "127.0.0.7", "203.0.113.5"]
    for number in range(MOST + 5):
        known.is_ours(f"203.{number // 256}.{number % 256}.1")
        known.toward(0, f"203.{number // 256}.{number % 256}.1")
    assert len(known._local) == MOST
    assert len(known._routes) == MOST
    assert not addresses(Listener("udp", "127.0.0.1", 5060)).is_ours("127.0.0.7")
    assert (route_to("127.0.0.9"), route_to("255.255.255.255"), is_of_this_host("203.0.113.5")) == (
        "127.0.0.1",
        "",
        False,
    )


@pytest.mark.parametrize("text", ["::0", "0:0:0:0:0:0:0:0", "[::]:5060"])
def test_every_spelling_of_the_wildcard_is_one(text: str) -> None:
    assert Listener.parse(f"udp:{text}").host == "::"


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ("", "it is empty"),
        ("nat.example.org", "names are not looked up"),
        ("203.0.113.5:5060", "drop :5060"),
        ("[2001:db8::1]:5060", "drop :5060"),
        ("0.0.0.0", "no peer can send to it"),
        ("0:0:0:0:0:0:0:0", "no peer can send to it"),
        ("::ffff:203.0.113.5", "write 203.0.113.5"),
        ("::ffff:0.0.0.0", "no peer can send to it"),
        ("224.0.0.1", "unicast"),
        ("ff02::1", "unicast"),
        ("255.255.255.255", "unicast"),
        ("fe80::1%eth0", "unicast"),
        ("2001:db8::1", "it is IPv6, and no listener is .udp:127.0.0.1:5060."),
    ],
)
def test_what_cannot_be_advertised_is_told_with_the_fix(given: str, error: str) -> None:
    with pytest.raises(ConfigurationError, match=error):
        checked_advertise((given,), (Listener("udp", "127.0.0.1", 5060),))


def test_one_address_is_advertised_per_ip_version() -> None:
    both = (Listener("udp", "127.0.0.1", 5060), Listener("udp", "::1", 5060))
    assert checked_advertise(("203.0.113.5", "[2001:DB8::1]"), both) == ("203.0.113.5", "2001:db8::1")
    with pytest.raises(ConfigurationError, match="one address per IP version"):
        checked_advertise(("203.0.113.5", "203.0.113.6"), both)


@pytest.mark.parametrize(("every", "ours", "family"), [("0.0.0.0", "127.0.0.3", 2), ("::", "::1", 10)])
def test_a_datagram_tells_where_it_came_to_and_leaves_from_there(every: str, ours: str, family: int) -> None:
    (listening,), (bound,) = bind_all([Listener("udp", every, 0)])
    with listening, socket.socket(socket.AddressFamily(family), socket.SOCK_DGRAM) as peer:
        listening.setblocking(True)
        listening.settimeout(10)
        peer.settimeout(10)
        peer.connect((ours, bound.port))  # takes datagrams of that address only
        peer.send(b"hello")
        buffer = memoryview(bytearray(100))
        size, source, local = packet_info.receive(listening, buffer)
        assert (bytes(buffer[:size]), source, local) == (b"hello", peer.getsockname()[:2], ours)
        packet_info.send(listening, b"answer", source, local)
        assert peer.recv(100) == b"answer"


def test_a_source_that_does_not_fit_leaves_the_choice_to_the_kernel() -> None:
    (listening,), _ = bind_all([Listener("udp", "0.0.0.0", 0)])
    with listening, socket.socket() as unused, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        assert unused
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(10)
        packet_info.send(listening, b"hello", peer.getsockname(), "203.0.113.77")
        assert peer.recvfrom(100) == (b"hello", ("127.0.0.1", listening.getsockname()[1]))


@pytest.mark.parametrize("advertise", [(), ("203.0.113.5",)])
def test_the_configuration_of_a_call_follows_its_destination(advertise: tuple[str, ...]) -> None:
    totals = Totals()
    listeners = (Listener("udp", "0.0.0.0", 5060), Listener("tcp", "0.0.0.0", 5060))
    output = SipOutput(listeners, (), SipCounters(totals), totals, lambda failed: None, advertise)
    configs = SessionConfigs(output, NodeConfig("", (), 0), Tokens(bytes), b"")
    config = configs.of(output.addresses.toward(0, "127.0.0.9"), Identity("sip:a@example.org"))
    assert config.roams
    assert config.leaves_from == Hop("udp", "127.0.0.1", 5060)
    seen = advertise[0] if advertise else "127.0.0.1"
    assert config.via_start.startswith(f"Via: SIP/2.0/UDP {seen}:5060;")
    assert config.contact == f"<sip:a@{seen}:5060>"
    assert config.way_to is not None
    other = config.way_to(Hop("tcp", "127.0.0.9", 5060))
    assert other is not None
    assert other.contact == f"<sip:a@{seen}:5060;transport=tcp>"
    assert config.way_to(Hop("udp", "::1", 5060)) is None
