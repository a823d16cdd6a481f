"""The stateless proxy: where requests go, what is written into them, the same way for repetitions, and the way back."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from sipswarm.sipcore.message.fields import NameAddr
from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse
from sipswarm.sipcore.message.uri import Uri
from sipswarm.sipcore.server.filters import Decision
from sipswarm.sipcore.server.location import Binding
from sipswarm.sipcore.server.proxy import Forward, Lookup, ProxySettings, StatelessProxy
from tests.sipcore.wire import SDP, sample

CALLER = Hop("udp", "192.0.2.10", 5060)
OURS = {
    "udp": Hop("udp", "192.0.2.1", 5060),
    "tcp": Hop("tcp", "192.0.2.1", 5060),
    "tls": Hop("tls", "192.0.2.1", 5061),
}
PHONES = {
    "bob": (Binding(NameAddr.parse("<sip:bob@192.0.2.20:5080>"), 60.0, "one", 1),),
    "carol": (
        Binding(
            NameAddr.parse("<sip:carol@192.0.2.30;transport=tcp>"),
            60.0,
            "one",
            1,
            ("<sip:192.0.2.40;lr>", "<sip:192.0.2.41;lr>"),
        ),
    ),
    "eve": (),
}


def locate(uri: Uri, domain: str, now: float) -> Sequence[Binding] | None:
    assert domain == "example.org"
    return PHONES.get(uri.user or "")


SETTINGS = ProxySettings(
    b"0123456789abcdef",
    is_own=lambda host, port: host == "192.0.2.1" and port in (5060, 5061),
    egress=lambda hop: OURS[hop.transport],
    domain_of=lambda host: "example.org" if host in ("example.org", "192.0.2.1") else None,
    locate=locate,
)


def request_of(uri: str = "sip:bob@example.org", *extra: str, method: str = "INVITE", to_tag: str = "") -> Request:
    data = sample(method, *extra, body=SDP if method == "INVITE" else b"")
    data = data.replace(b" sip:bob@192.0.2.20 SIP", f" {uri} SIP".encode())
    if to_tag:
        data = data.replace(b"To: Bob <sip:bob@192.0.2.20>", f"To: Bob <sip:bob@192.0.2.20>;tag={to_tag}".encode())
    request = parse(data)
    assert isinstance(request, Request)
    return request


def taken(
    request: Request, settings: ProxySettings = SETTINGS, *, source: Hop = CALLER, way: str = ""
) -> Forward | Response | Decision | Lookup:
    return StatelessProxy(settings).take(request, source, OURS[source.transport], 0.0, way)


def forwarded(
    request: Request, settings: ProxySettings = SETTINGS, *, source: Hop = CALLER, way: str = ""
) -> tuple[Request, Hop]:
    onward = taken(request, settings, source=source, way=way)
    assert isinstance(onward, Forward), onward
    message = parse(onward.data)
    assert isinstance(message, Request)
    return message, onward.hop


def refused(request: Request, settings: ProxySettings = SETTINGS) -> Response:
    response = taken(request, settings)
    assert isinstance(response, Response), response
    assert response.to_tag
    return response


def answer_to(request: Request, status: int = 200) -> Response:
    """What a callee answers, as it comes off the wire."""
    response = parse(Response.to_request(request, status, to_tag="callee").to_bytes())
    assert isinstance(response, Response)
    return response


def test_a_request_goes_to_the_contact_of_its_address_and_the_response_comes_back() -> None:
    onward, hop = forwarded(request_of())
    assert hop == Hop("udp", "192.0.2.20", 5080)
    assert (onward.uri, onward.max_forwards, onward.body) == ("sip:bob@192.0.2.20:5080", 69, SDP)
    assert [(each.transport, each.sent_by) for each in onward.vias] == [
        ("UDP", "192.0.2.1:5060"),
        ("UDP", "192.0.2.10:5060"),
    ]
    assert onward.vias[1].rport == 5060
    assert "record-route" not in onward.headers
    back = StatelessProxy(SETTINGS).take_response(answer_to(onward))
    assert back is not None
    response = parse(back.data)
    assert (back.hop, back.way, len(response.vias), response.to_tag) == (CALLER, "", 1, "callee")


def test_a_repetition_its_cancel_and_the_ack_of_a_refusal_go_the_same_way_with_the_same_branch() -> None:
    invite, hop = forwarded(request_of())
    for request in (
        request_of(),
        request_of(method="CANCEL"),
        request_of(method="ACK", to_tag="callee"),
    ):
        again, where = forwarded(request)
        assert (again.branch, where) == (invite.branch, hop)
    other = sample().replace(b"776asdhds", b"other").replace(b"sip:bob@192.0.2.20 SIP", b"sip:bob@example.org SIP")
    another = parse(other)
    assert isinstance(another, Request)
    assert forwarded(another)[0].branch != invite.branch


def test_of_the_bindings_the_first_is_taken_and_its_path_is_the_route() -> None:
    onward, hop = forwarded(request_of("sip:carol@example.org"))
    assert hop == Hop("udp", "192.0.2.40", 5060)
    assert onward.uri == "sip:carol@192.0.2.30;transport=tcp"
    assert onward.headers.values("route") == ["<sip:192.0.2.40;lr>", "<sip:192.0.2.41;lr>"]


@pytest.mark.parametrize(
    ("uri", "headers", "status"),
    [
        ("sip:mallory@example.org", (), 404),
        ("sip:eve@example.org", (), 480),
        ("sip:bob@example.org", ("Proxy-Require: foo, bar",), 420),
        ("mailto:bob@example.org", (), 416),
        ("sips:bob@192.0.2.50;transport=udp", (), 416),
        ("sip:bob@192.0.2.50;transport=sctp", (), 416),
        ("sip:bob@192.0.2.50", ("Route: <sip:192 0 2 9>",), 400),
    ],
)
def test_what_cannot_go_on_is_refused_with_its_code_and_the_ack_ends_here(
    uri: str, headers: tuple[str, ...], status: int
) -> None:
    response = refused(request_of(uri, *headers))
    assert response.status == status
    if status == 420:
        assert response.headers.get("Unsupported") == "foo, bar"
    ack = request_of(uri, *headers, method="ACK", to_tag=response.to_tag or "")
    assert taken(ack) is Decision.DROP
    stray = request_of(uri, *headers, method="ACK", to_tag="another")
    assert taken(stray) is Decision.DROP


def test_max_forwards_ends_at_zero_and_begins_where_it_is_missing() -> None:
    zero = parse(request_of().to_bytes().replace(b"Max-Forwards: 70", b"Max-Forwards: 0"))
    none = parse(request_of().to_bytes().replace(b"Max-Forwards: 70\r\n", b""))
    assert isinstance(zero, Request)
    assert isinstance(none, Request)
    assert refused(zero).status == 483
    assert forwarded(none)[0].max_forwards == 70


def test_a_loop_is_found_and_a_spiral_goes_on() -> None:
    onward, _ = forwarded(request_of("sip:bob@192.0.2.50"))
    assert refused(onward).status == 482
    spiral = parse(onward.to_bytes().replace(b"sip:bob@192.0.2.50 SIP", b"sip:bob@example.org SIP"))
    assert isinstance(spiral, Request)
    again, hop = forwarded(spiral)
    assert hop.host == "192.0.2.20"
    assert len({each.branch for each in again.vias}) == 3


def test_routes_to_this_proxy_are_taken_out_and_the_next_one_decides_with_its_maddr() -> None:
    routes = (
        "Route: <sip:192.0.2.1;lr>, <sip:192.0.2.1:5061;transport=tls;lr>",
        "Route: <sip:x@a.invalid;maddr=172.25.2.1;lr>",
    )
    onward, hop = forwarded(request_of("sip:b%6Fb@192.0.2.50", *routes))
    assert hop == Hop("udp", "172.25.2.1", 5060)
    assert onward.uri == "sip:b%6Fb@192.0.2.50"
    assert onward.headers.values("route") == ["<sip:x@a.invalid;maddr=172.25.2.1;lr>"]
    ended, hop = forwarded(request_of("sip:bob@192.0.2.50:5070;transport=tcp", routes[0]))
    assert (hop, "route" in ended.headers) == (Hop("tcp", "192.0.2.50", 5070), False)


def test_a_maddr_of_the_request_uri_is_the_next_hop_unless_it_is_ours() -> None:
    assert forwarded(request_of("sip:bob@b.invalid:5077;maddr=192.0.2.60"))[1] == Hop("udp", "192.0.2.60", 5077)
    onward, hop = forwarded(request_of("sip:bob@example.org;maddr=192.0.2.1"))
    assert (hop.host, onward.uri) == ("192.0.2.20", "sip:bob@192.0.2.20:5080")


def test_strict_routers_before_and_behind_are_served() -> None:
    before, hop = forwarded(request_of("sip:192.0.2.1;lr", "Route: <sip:192.0.2.40;lr>, <sip:bob@192.0.2.50>"))
    assert (before.uri, hop.host) == ("sip:bob@192.0.2.50", "192.0.2.40")
    assert before.headers.values("route") == ["<sip:192.0.2.40;lr>"]
    behind, hop = forwarded(request_of("sip:bob@192.0.2.50", "Route: <sip:192.0.2.40>, <sip:192.0.2.41;lr>"))
    assert (behind.uri, hop.host) == ("sip:192.0.2.40", "192.0.2.40")
    assert behind.headers.values("route") == ["<sip:192.0.2.41;lr>", "<sip:bob@192.0.2.50>"]


def test_record_route_names_each_address_of_the_dialog_the_next_hops_first() -> None:
    settings = replace(SETTINGS, record_route=True)
    same, _ = forwarded(request_of(), settings)
    assert same.headers.values("record-route") == ["<sip:192.0.2.1:5060;lr>"]
    changed, _ = forwarded(request_of("sip:bob@192.0.2.50;transport=tcp", "Record-Route: <sip:first;lr>"), settings)
    assert changed.headers.values("record-route") == [
        "<sip:192.0.2.1:5060;transport=tcp;lr>",
        "<sip:192.0.2.1:5060;lr>",
        "<sip:first;lr>",
    ]
    secure, _ = forwarded(request_of("sips:bob@192.0.2.50"), settings)
    assert secure.headers.values("record-route") == [
        "<sips:192.0.2.1:5061;transport=tls;lr>",
        "<sip:192.0.2.1:5060;lr>",  # the caller's side has no TLS there
    ]
    assert "record-route" not in forwarded(request_of(method="OPTIONS"), settings)[0].headers
    back, _ = forwarded(
        request_of("sip:alice@192.0.2.10", f"Route: {', '.join(changed.headers.values('record-route')[:2])}")
    )
    assert "route" not in back.headers


def test_what_is_for_the_proxy_itself_is_left_to_its_caller() -> None:
    for uri, method in (("sip:192.0.2.1", "OPTIONS"), ("sip:example.org", "REGISTER")):
        assert taken(request_of(uri, method=method)) is Decision.PASS
    assert forwarded(request_of("sip:example.net", method="REGISTER"))[1].host == "example.net"


def test_without_bindings_and_with_a_next_hop_strangers_go_there() -> None:
    settings = replace(SETTINGS, locate=None, next_hop="<sip:192.0.2.70;transport=tcp;lr>")
    onward = taken(request_of("sip:bob@192.0.2.50"), settings)
    assert isinstance(onward, Forward)
    assert (onward.hop, onward.chosen) == (Hop("tcp", "192.0.2.70", 5060), True)
    assert b"Route: <sip:192.0.2.70;transport=tcp;lr>\r\n" in onward.data
    assert refused(request_of(), settings).status == 404
    assert forwarded(request_of("sip:bob@192.0.2.50", "Route: <sip:192.0.2.40;lr>"), settings)[1].host == "192.0.2.40"


def test_a_hop_without_a_way_is_503() -> None:
    assert refused(request_of(), replace(SETTINGS, egress=lambda hop: None)).status == 503


def only(transport: str) -> Callable[[Hop], Hop | None]:
    """The addresses of a proxy that has this transport alone."""
    return lambda hop: OURS[transport] if hop.transport == transport else None


def test_a_proxy_without_udp_takes_another_transport_where_the_uri_names_none() -> None:
    for transport, port in (("tcp", 5060), ("tls", 5061)):
        settings = replace(SETTINGS, egress=only(transport))
        onward, hop = forwarded(request_of("sip:bob@192.0.2.50"), settings)
        assert (hop, onward.via.transport) == (Hop(transport, "192.0.2.50", port), transport.upper())
        assert refused(request_of("sip:bob@192.0.2.50;transport=udp"), settings).status == 503


def test_credentials_for_this_proxy_end_here_and_others_go_on() -> None:
    ours, theirs = ('Digest username="a", realm="example.org"', 'Digest username="a", realm="example.net"')
    headers = (f"Proxy-Authorization: {ours}", f"Proxy-Authorization: {theirs}")
    onward, _ = forwarded(request_of("sip:bob@192.0.2.50", *headers), replace(SETTINGS, realm="example.org"))
    assert onward.headers.get_all("Proxy-Authorization") == [theirs]


def test_a_response_goes_back_by_the_connection_of_its_request() -> None:
    data = request_of().to_bytes().replace(b"SIP/2.0/UDP 192.0.2.10:5060", b"SIP/2.0/TCP 192.0.2.10:5066")
    request = parse(data)
    assert isinstance(request, Request)
    onward, _ = forwarded(request, source=Hop("tcp", "192.0.2.10", 33000), way="1.7")
    back = StatelessProxy(SETTINGS).take_response(answer_to(onward, 180))
    assert back is not None
    assert (back.hop, back.way) == (Hop("tcp", "192.0.2.10", 5066), "1.7")


def test_a_response_goes_to_where_the_request_came_from_whatever_its_via_says() -> None:
    data = request_of().to_bytes().replace(b"UDP 192.0.2.10:5060;", b"UDP 10.0.0.5:5060;maddr=192.0.2.99;")
    for without in (b"", b";rport"):
        request = parse(data.replace(without, b"") if without else data)
        assert isinstance(request, Request)
        onward, _ = forwarded(request, source=Hop("udp", "192.0.2.10", 40000))
        back = StatelessProxy(SETTINGS).take_response(answer_to(onward))
        assert back is not None
        assert back.hop == Hop("udp", "192.0.2.10", 5060 if without else 40000)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"branch=z9hG4bK", b"branch=z9hG4bK0"),
        (b"Call-ID: a84", b"Call-ID: b84"),
        (b"CSeq: 314159", b"CSeq: 314160"),
        (b"tag=1928301774", b"tag=1928301775"),
        (b"UDP 192.0.2.10:5060;branch=z9hG4bK776asdhds", b"UDP 192.0.2.99:5060;branch=z9hG4bK776asdhds"),
        (b"UDP 192.0.2.10:5060;branch=z9hG4bK776asdhds", b"SCTP 192.0.2.10:5060;branch=z9hG4bK776asdhds"),
    ],
)
def test_a_response_that_answers_no_request_of_this_proxy_is_dropped(old: bytes, new: bytes) -> None:
    onward, _ = forwarded(request_of())
    genuine = answer_to(onward).to_bytes()
    forged = parse(genuine.replace(old, new))
    assert isinstance(forged, Response)
    proxy = StatelessProxy(SETTINGS)
    assert proxy.take_response(forged) is None
    response = parse(genuine)
    assert isinstance(response, Response)
    assert proxy.take_response(response) is not None
    alone = parse(answer_to(request_of()).to_bytes())
    assert isinstance(alone, Response)
    assert proxy.take_response(alone) is None


def test_a_response_with_all_vias_in_one_line_is_understood() -> None:
    onward, _ = forwarded(request_of())
    text = answer_to(onward).to_bytes().decode()
    top, second = [line for line in text.split("\r\n") if line.startswith("Via: ")]
    joined = parse(text.replace(f"{top}\r\n{second}", f"v: {top[5:]}, {second[5:]}").encode())
    assert isinstance(joined, Response)
    back = StatelessProxy(SETTINGS).take_response(joined)
    assert back is not None
    assert [each.host for each in parse(back.data).vias] == ["192.0.2.10"]


def test_a_key_that_is_too_short_is_refused() -> None:
    with pytest.raises(ValueError, match="16 to 32"):
        StatelessProxy(replace(SETTINGS, key=b"short"))


def test_a_next_hop_without_port_is_looked_up_first_and_a_cancel_draws_the_same_lot() -> None:
    settings = replace(SETTINGS, looks_up=True)
    invite, cancel = (request_of("sip:bob@far.test", method=method) for method in ("INVITE", "CANCEL"))
    asked = [taken(each, settings) for each in (invite, invite, cancel)]
    assert all(isinstance(each, Lookup) for each in asked)
    assert len({(str(each.uri), each.lot) for each in asked if isinstance(each, Lookup)}) == 1
    found = Hop("tcp", "192.0.2.77", 5070)
    onward = StatelessProxy(settings).take(invite, CALLER, OURS["udp"], 0.0, hops=(found,))
    assert isinstance(onward, Forward)
    assert (onward.hop, parse(onward.data).via.transport) == (found, "TCP")
    nowhere = StatelessProxy(settings).take(invite, CALLER, OURS["udp"], 0.0, hops=())
    assert isinstance(nowhere, Response)
    assert nowhere.status == 503


@pytest.mark.parametrize("uri", ["sip:bob@far.test:5060", "sip:bob@192.0.2.9", "sip:bob@[2001:db8::1]"])
def test_a_next_hop_with_port_or_address_is_not_looked_up(uri: str) -> None:
    settings = replace(SETTINGS, looks_up=True)
    assert isinstance(taken(request_of(uri), settings), Forward)


# ---- who is within a dialog


def test_only_who_follows_the_recorded_route_of_the_dialog_is_within_it() -> None:
    settings = replace(SETTINGS, record_route=True, realm="example.org")
    proxy = StatelessProxy(settings)
    onward, _ = forwarded(request_of(), settings)
    (recorded,) = onward.headers.values("record-route")
    assert proxy.is_within(request_of("sip:bob@192.0.2.20", f"Route: {recorded}", method="BYE", to_tag="b"))
    strict = recorded.strip("<>")
    assert proxy.is_within(request_of(strict, "Route: <sip:bob@192.0.2.20>", method="BYE", to_tag="b"))
    for route in (
        "",
        "Route: <sip:192.0.2.1:5060;lr>",
        "Route: <sip:192.0.2.1:5060;lr;dialog=0011>",
        f"Route: {recorded.replace('192.0.2.1', '192.0.2.7')}",
        "Route: <sip:",
    ):
        lines = [route] if route else []
        assert not proxy.is_within(request_of("sip:bob@192.0.2.20", *lines, method="INVITE", to_tag="b")), route
    other = request_of("sip:bob@192.0.2.20", f"Route: {recorded}", method="BYE", to_tag="b")
    other.headers.set("Call-ID", "another")
    assert not proxy.is_within(other), "the route of one dialog is of no use for another"


def test_without_challenges_the_recorded_route_says_nothing_of_the_dialog() -> None:
    onward, _ = forwarded(request_of(), replace(SETTINGS, record_route=True))
    assert onward.headers.values("record-route") == ["<sip:192.0.2.1:5060;lr>"]


# ---- sips


def bound(*contacts: str) -> ProxySettings:
    """Settings of a proxy where each user has these contacts."""
    bindings = [Binding(NameAddr.parse(f"<{each}>"), 60.0, "one", 1) for each in contacts]
    return replace(SETTINGS, locate=lambda uri, domain, now: bindings)


def test_a_request_for_an_address_of_sips_goes_to_a_contact_over_tls_alone() -> None:
    plain, secure, marked = "sip:bob@192.0.2.20", "sips:bob@192.0.2.21", "sip:bob@192.0.2.22:5071;transport=tls"
    onward, hop = forwarded(request_of("sips:bob@example.org"), bound(plain, secure))
    assert (onward.uri, hop) == (secure, Hop("tls", "192.0.2.21", 5061))
    onward, hop = forwarded(request_of("sips:bob@example.org"), bound(plain, marked))
    assert (onward.uri, hop) == (marked, Hop("tls", "192.0.2.22", 5071))
    response = refused(request_of("sips:bob@example.org"), bound(plain, "sip:bob@192.0.2.20;transport=tcp"))
    assert (response.status, response.headers.get("Warning")) == (480, '380 sipswarm "SIPS Not Allowed"')
    assert refused(request_of("sips:bob@example.org"), bound()).headers.get("Warning") is None
    assert forwarded(request_of(), bound(plain, secure))[1].host == "192.0.2.20"


def test_a_next_hop_of_a_request_for_sips_is_one_over_tls_whatever_its_own_scheme() -> None:
    chosen = replace(SETTINGS, next_hop="<sip:192.0.2.70;lr>")
    assert forwarded(request_of("sips:bob@other.test"), chosen)[1] == Hop("tls", "192.0.2.70", 5061)
    route = "Route: <sip:192.0.2.40:5071;transport=tcp;lr>"
    assert forwarded(request_of("sips:bob@192.0.2.50", route))[1] == Hop("tls", "192.0.2.40", 5071)
    datagrams = replace(SETTINGS, next_hop="<sip:192.0.2.70;transport=udp;lr>")
    response = refused(request_of("sips:bob@other.test"), datagrams)
    assert (response.status, response.headers.get("Warning")) == (480, '380 sipswarm "SIPS Not Allowed"')
    looked_up = replace(SETTINGS, looks_up=True, next_hop="<sip:gw.test;lr>")
    asked = taken(request_of("sips:bob@other.test"), looked_up)
    assert isinstance(asked, Lookup)
    assert asked.uri.scheme == "sips"


# ---- what does not arrive


def test_a_request_that_could_not_be_sent_on_gets_the_503_of_its_next_hop() -> None:
    proxy = StatelessProxy(SETTINGS)
    onward = taken(request_of(), way="1.7")
    assert isinstance(onward, Forward)
    response = proxy.take_loss(onward.data)
    assert response is not None
    back = proxy.take_response(response)
    assert back is not None
    came = parse(back.data)
    assert isinstance(came, Response)
    assert (came.status, len(came.vias), back.hop, back.way) == (503, 1, CALLER, "1.7")
    again = proxy.take_loss(onward.data)
    assert again is not None
    assert came.to_tag == again.to_tag, "a repetition gets the same response"
    assert taken(request_of(method="ACK", to_tag=came.to_tag or "")) is Decision.DROP
    ack = taken(request_of(method="ACK", to_tag="callee"))
    assert isinstance(ack, Forward)
    assert [proxy.take_loss(each) for each in (ack.data, back.data, b"x")] == [None, None, None]
    others = StatelessProxy(replace(SETTINGS, key=b"another key of 1")).take_loss(onward.data)
    assert others is not None
    assert StatelessProxy(replace(SETTINGS, key=b"another key of 1")).take_response(others) is None


# ---- bindings that change meanwhile


def test_a_request_and_what_belongs_to_it_go_to_one_contact_whatever_is_registered_meanwhile() -> None:
    hosts = ["192.0.2.20"]

    def locate_now(uri: Uri, domain: str, now: float) -> Sequence[Binding]:
        return [Binding(NameAddr.parse(f"<sip:bob@{each}>"), 9999.0, "one", 1) for each in hosts]

    proxy = StatelessProxy(replace(SETTINGS, locate=locate_now))

    def way(request: Request, now: float) -> str | int:
        onward = proxy.take(request, CALLER, OURS["udp"], now)
        if isinstance(onward, Response):
            return onward.status
        assert isinstance(onward, Forward), onward
        return onward.hop.host

    assert way(request_of(), 0.0) == "192.0.2.20"
    hosts[:] = ["192.0.2.21"]
    assert [way(request_of(method=method), 200.0) for method in ("INVITE", "CANCEL")] == ["192.0.2.20"] * 2
    hosts.clear()
    assert way(request_of(method="ACK", to_tag="callee"), 250.0) == "192.0.2.20"
    other = parse(request_of().to_bytes().replace(b"776asdhds", b"other"))
    assert isinstance(other, Request)
    assert way(other, 250.0) == 480
    hosts[:] = ["192.0.2.22"]
    assert way(request_of(), 300.0) == "192.0.2.22"


def test_a_request_that_is_refused_before_it_goes_on_takes_no_place_among_the_choices() -> None:
    refusal = Response.to_request(request_of(), 407, to_tag="x")
    asked: list[str] = []

    def judge(request: Request) -> Response | None:
        asked.append(request.method)
        return refusal if len(asked) == 1 else None

    def nobody(uri: Uri, domain: str, now: float) -> Sequence[Binding] | None:
        return PHONES["bob"] if len(asked) > 1 else None

    proxy = StatelessProxy(replace(SETTINGS, judge=judge, locate=nobody))
    assert proxy.take(request_of(), CALLER, OURS["udp"], 0.0) is refusal
    assert isinstance(proxy.take(request_of(), CALLER, OURS["udp"], 0.0), Forward)
    assert proxy.take(request_of("sip:192.0.2.1", method="OPTIONS"), CALLER, OURS["udp"], 0.0) is Decision.PASS
    assert asked == ["INVITE", "INVITE"]


@pytest.mark.parametrize(
    ("name", "given", "error"),
    [
        ("is_own", "192.0.2.1", TypeError),
        ("egress", None, TypeError),
        ("domain_of", {"example.org"}, TypeError),
        ("locate", {}, TypeError),
        ("judge", True, TypeError),
        ("next_hop", "<sip:", ValueError),
    ],
)
def test_a_setting_of_the_wrong_kind_is_an_error_at_once(name: str, given: object, error: type[Exception]) -> None:
    with pytest.raises(error, match=name):
        replace(SETTINGS, **{name: given})  # type: ignore[arg-type]
