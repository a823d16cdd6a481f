"""Peers behind a NAT: what the registrar keeps of a source, and how the proxy reaches who sends from elsewhere."""

from dataclasses import replace

import pytest

from sipswarm.sipcore.message.fields import NameAddr
from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse
from sipswarm.sipcore.message.uri import Uri
from sipswarm.sipcore.server.location import Binding, LocationStore
from sipswarm.sipcore.server.nat import Reach, Reached, answer_by_source, is_behind, is_elsewhere
from sipswarm.sipcore.server.proxy import Forward, ProxySettings, StatelessProxy
from sipswarm.sipcore.server.registrar import Registrar, RegistrarSettings
from tests.sipcore.wire import sample

KEY = b"0123456789abcdef"
CALLER, CALLEE = Hop("udp", "198.51.100.10", 40001), Hop("udp", "198.51.100.20", 40002)
OURS = {each: Hop(each, "192.0.2.1", 5061 if each == "tls" else 5060) for each in ("udp", "tcp", "tls")}
SETTINGS = ProxySettings(
    KEY,
    is_own=lambda host, port: host == "192.0.2.1",
    egress=lambda hop: OURS[hop.transport],
    domain_of=lambda host: host if host == "example.org" else None,
    locate=lambda uri, domain, now: (),
    record_route=True,
    nat=True,
)


def request_of(method: str = "INVITE", *extra: str, uri: str = "sip:bob@example.org", old: bytes = b"") -> Request:
    data = sample(method, *extra).replace(b" sip:bob@192.0.2.20 SIP", f" {uri} SIP".encode())
    request = parse(data.replace(b";rport", old))
    assert isinstance(request, Request)
    return request


def bound(*bindings: Binding) -> ProxySettings:
    return replace(SETTINGS, locate=lambda uri, domain, now: bindings)


def binding(contact: str, source: Hop | None, flow: int = 0, path: tuple[str, ...] = ()) -> Binding:
    return Binding(NameAddr.parse(contact), 60.0, "one", 1, path, source, flow)


def forwarded(
    request: Request, settings: ProxySettings, source: Hop = CALLER, flow: int = 0
) -> tuple[Request, Forward]:
    onward = StatelessProxy(settings).take(request, source, OURS[source.transport], 0.0, flow=flow)
    assert isinstance(onward, Forward), onward
    message = parse(onward.data)
    assert isinstance(message, Request)
    return message, onward


@pytest.mark.parametrize(
    ("host", "source", "elsewhere"),
    [
        ("192.0.2.9", "192.0.2.9", False),
        ("10.0.0.9", "192.0.2.9", True),
        ("phone.test", "192.0.2.9", True),
        ("2001:DB8:0::9", "2001:db8::9", False),
        ("2001:db8::8", "2001:db8::9", True),
        ("fe80::1", "fe80::1%eth0", True),
    ],
)
def test_a_host_is_elsewhere_when_it_is_not_that_of_the_source(host: str, source: str, elsewhere: bool) -> None:
    assert is_elsewhere(host, Hop("udp", source, 5060)) == elsewhere


def test_a_registrar_keeps_the_source_with_contacts_of_other_hosts_alone() -> None:
    store = LocationStore()
    registrar = Registrar(store, RegistrarSettings())
    contacts = f"Contact: <sip:bob@10.0.0.5:5060>, <sip:bob@{CALLEE.host}:5070>"

    def sources(request: Request, reached: Reached | None) -> list[tuple[Hop | None, int]]:
        store.replace("bob@192.0.2.20", ())
        assert registrar.take(request, 0.0, reached=reached).status == 200
        return [(each.source, each.flow) for each in store.in_order("bob@192.0.2.20", 0.0)]

    assert sources(request_of("REGISTER", contacts), Reached(CALLEE, 7)) == [(CALLEE, 7), (None, 0)]
    assert sources(request_of("REGISTER", contacts), None) == [(None, 0), (None, 0)]
    by_a_proxy = request_of("REGISTER", "Via: SIP/2.0/UDP 10.0.0.5:5060;branch=z9hG4bK2", contacts)
    assert sources(by_a_proxy, Reached(CALLEE)) == [(None, 0), (None, 0)]


def test_a_request_goes_to_the_source_of_the_binding_with_the_contact_as_request_uri() -> None:
    contact = "sip:bob@phone.invalid;transport=tcp"
    source = Hop("tcp", CALLEE.host, 40002)
    settings = replace(bound(binding(f"<{contact}>", source, 9)), looks_up=True)
    message, onward = forwarded(request_of(), settings)
    assert (message.uri, onward.hop, onward.flow, onward.chosen, onward.bound) == (contact, source, 9, False, True)
    assert message.via.transport == "TCP"
    path = replace(settings, locate=lambda *_: (binding(f"<{contact}>", source, 9, ("<sip:192.0.2.40;lr>",)),))
    message, onward = forwarded(request_of(), path)
    assert (onward.hop.host, onward.flow, onward.bound) == ("192.0.2.40", 0, False)
    plain = bound(binding("<sip:bob@192.0.2.77>", CALLEE))
    assert forwarded(request_of(), replace(plain, nat=False))[1].hop.host == "192.0.2.77"


def test_later_requests_of_both_sides_reach_who_sends_from_elsewhere() -> None:
    settings = bound(binding("<sip:bob@10.0.0.5:5062>", CALLEE))
    proxy = StatelessProxy(settings)
    invite, _ = forwarded(request_of("INVITE", "Contact: <sip:alice@10.0.0.4>"), settings, flow=4)
    caller = invite.contacts[0].uri
    assert (caller.user, caller.host) == ("alice", "10.0.0.4")
    answer = Response.to_request(invite, 200, to_tag="b", extra=[("Contact", "<sip:bob@10.0.0.5:5062>")])
    response = parse(answer.to_bytes())
    assert isinstance(response, Response)
    back = proxy.take_response(response, Reached(CALLEE, 5))
    assert back is not None
    callee = parse(back.data).contacts[0].uri
    route = f"Route: {', '.join(invite.headers.values('record-route'))}"
    for uri, wanted, flow, plain in (
        (caller, CALLER, 4, "sip:alice@10.0.0.4"),
        (callee, CALLEE, 5, "sip:bob@10.0.0.5:5062"),
    ):
        message, onward = forwarded(request_of("BYE", route, uri=str(uri)), SETTINGS)
        assert (onward.hop, onward.flow, message.uri, "route" in message.headers) == (wanted, flow, plain, False)


def test_what_says_where_a_peer_is_reached_cannot_be_made_up() -> None:
    reach = Reach(KEY)
    headers = request_of("INVITE", "Contact: <sip:alice@10.0.0.4>").headers
    reach.write(headers, [NameAddr.parse("<sip:alice@10.0.0.4>")], Reached(Hop("tls", "2001:db8::9", 40000), 3))
    written = NameAddr.parse(headers.get("Contact") or "").uri
    plain, reached = reach.read(written)
    assert (str(plain), reached) == ("sip:alice@10.0.0.4", Reached(Hop("tls", "2001:db8::9", 40000), 3))
    value = written.params["reach"] or ""
    for other in (value.replace("~3~", "~4~"), value[:-1], "", "udp~192.0.2.9~5060~0~", "a~b~c~d~e", "é~~~~"):
        uri = written.replace(params={"reach": other})
        assert reach.read(uri) == (uri, None), other
    assert Reach(b"another key of 1").read(written)[1] is None


def test_a_contact_of_the_host_it_comes_from_stays_and_one_is_marked_once() -> None:
    own = f"<sip:alice@{CALLER.host}:5060>"
    settings = bound(binding("<sip:b@10.0.0.5>", CALLEE))
    unchanged, _ = forwarded(request_of("INVITE", f"Contact: {own}"), settings)
    assert unchanged.headers.get("Contact") == own
    first, _ = forwarded(request_of("INVITE", "Contact: <sip:alice@10.0.0.4>"), settings)
    marked = first.headers.get("Contact")
    again, _ = forwarded(request_of("INVITE", f"Contact: {marked}"), settings, CALLEE)
    assert again.headers.get("Contact") == marked
    unmarked, _ = forwarded(request_of("MESSAGE", "Contact: <sip:alice@10.0.0.4>"), settings)
    assert unmarked.headers.get("Contact") == "<sip:alice@10.0.0.4>"
    assert is_behind(Uri.parse("sip:a@10.0.0.4"), CALLER)
    assert not is_behind(Uri.parse("tel:+49"), CALLER)


def test_an_answer_goes_to_the_source_of_who_names_another_host_and_asks_for_no_rport() -> None:
    for via_host, asks in (("192.0.2.10", True), (CALLER.host, False)):
        data = sample("OPTIONS").replace(b";rport", b"").replace(b"UDP 192.0.2.10", f"UDP {via_host}".encode())
        request = parse(data)
        assert isinstance(request, Request)
        answer_by_source(request, CALLER)
        assert ("rport" in request.via.params) == asks
        assert (request.via.branch, len(request.vias)) == ("z9hG4bK776asdhds", 1)
    two = request_of("OPTIONS", "Via: SIP/2.0/UDP 10.0.0.5;branch=z9hG4bK2")
    answer_by_source(two, CALLER)
    assert [each.host for each in two.vias] == ["192.0.2.10", "10.0.0.5"]


def test_sips_and_settings_of_a_nat() -> None:
    secure = binding("<sips:bob@10.0.0.5>", CALLEE)
    refused = StatelessProxy(bound(secure)).take(request_of(uri="sips:bob@example.org"), CALLER, OURS["udp"], 0.0)
    assert isinstance(refused, Response)
    assert refused.status == 480
    over_tls = binding("<sips:bob@10.0.0.5>", Hop("tls", CALLEE.host, 40003), 6)
    assert forwarded(request_of(uri="sips:bob@example.org"), bound(over_tls))[1].flow == 6
    with pytest.raises(ValueError, match="nat needs record_route"):
        replace(SETTINGS, record_route=False)
