"""What stands before a server: challenges and their repetitions, blocker, dropper, redirect, and their chain."""

import random
import re
from collections.abc import Callable

import pytest

from sipswarm.sipcore.auth.digest import DigestClient
from sipswarm.sipcore.auth.digest_server import DigestServer, Outcome
from sipswarm.sipcore.message.fields import NameAddr
from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse
from sipswarm.sipcore.message.tokens import Tokens
from sipswarm.sipcore.server.filters import Authorize, Blocker, Chain, Decision, Dropper, Handler, names_another
from sipswarm.sipcore.server.location import Binding, LocationStore
from sipswarm.sipcore.server.redirect import Redirect
from sipswarm.sipcore.server.registrar import RegistrarSettings
from tests.sipcore.accounts import Account, Accounts
from tests.sipcore.wire import sample

SOURCE = Hop("udp", "192.0.2.10", 5060)
KEY = b"a secret of 16 octets"


def request_of(method: str = "INVITE", *extra: str, data: bytes = b"") -> Request:
    request = parse(data or sample(method, *extra))
    assert isinstance(request, Request)
    return request


def answered(handler: Handler, request: Request, now: float = 0.0, source: Hop = SOURCE) -> Response:
    response = handler(request, now, source)
    assert isinstance(response, Response)
    assert response.to_tag
    return response


def ack_to(response: Response, request: Request) -> Request:
    """The ACK to a refused INVITE (RFC 3261 section 17.1.1.3)."""
    text = request.to_bytes().decode().replace("INVITE sip", "ACK sip").replace("INVITE\r\n", "ACK\r\n")
    return request_of(data=text.replace("To: Bob <sip:bob@192.0.2.20>", f"To: {response.headers.get('To')}").encode())


class Door:
    """An authorizing handler, and a client of it."""

    def __init__(self, *, proxy: bool = False, within_dialogs: bool = True, most: int = 100) -> None:
        self.refused: list[Outcome] = []
        tokens = Tokens(random.Random(1).randbytes)
        server = DigestServer(b"0123456789abcdef", "example.org", tokens, proxy=proxy, require_qop=False)
        self.authorize = Authorize(
            server,
            {"alice": "secret"}.get,
            tag_key=KEY,
            within_dialogs=within_dialogs,
            most=most,
            on_refusal=lambda verdict: self.refused.append(verdict.outcome),
        )
        account = Account("alice", "secret", "example.org", "example.org")
        self._client = DigestClient(Accounts([account]), Tokens(random.Random(2).randbytes))

    def again(self, challenge: Response, request: Request) -> Request:
        """The request once more, with credentials for a challenge."""
        lines = self._client.answer(challenge, method=request.method, uri=request.uri, host="example.org")
        assert lines is not None
        return request_of(request.method, *(f"{name}: {value}" for name, value in lines))


def test_a_request_is_challenged_and_passes_with_credentials() -> None:
    for proxy, status in ((False, 401), (True, 407)):
        door = Door(proxy=proxy)
        request = request_of()
        challenge = answered(door.authorize, request)
        assert challenge.status == status
        better = door.again(challenge, request)
        assert door.authorize(better, 1.0, SOURCE) is Decision.PASS
        assert door.authorize.judge(better, 1.0, SOURCE.host) == "alice"
        assert door.refused == [Outcome.MISSING]


def test_a_repetition_passes_for_its_time_and_its_credentials_serve_nothing_else() -> None:
    door = Door()
    better = door.again(answered(door.authorize, request_of()), request_of())
    assert door.authorize(better, 1.0, SOURCE) is Decision.PASS
    assert door.authorize(better, 32.0, SOURCE) is Decision.PASS
    other = request_of(data=better.to_bytes().replace(b"branch=z9hG4bK776asdhds", b"branch=z9hG4bKother"))
    assert answered(door.authorize, other, 32.0).status == 401
    moved = answered(door.authorize, better, 2.0, Hop("udp", "192.0.2.66", 5060))
    assert moved.status == 401
    assert answered(door.authorize, better, 33.0).status == 401
    assert door.refused == [Outcome.MISSING, Outcome.REPLAYED, Outcome.STALE, Outcome.REPLAYED]


def test_what_is_remembered_of_passed_requests_has_a_bound() -> None:
    door = Door(most=1)
    first, second = (door.again(answered(door.authorize, request_of()), request_of()) for _ in range(2))
    assert [door.authorize(each, 1.0, SOURCE) for each in (first, second, second)] == [Decision.PASS] * 3
    assert answered(door.authorize, first, 1.0).status == 401


def test_ack_cancel_and_where_it_is_wished_requests_of_dialogs_are_not_challenged() -> None:
    for method in ("ACK", "CANCEL"):
        assert Door().authorize(request_of(method), 0.0, SOURCE) is Decision.PASS
    bye = request_of(data=sample("BYE").replace(b"To: Bob <sip:bob@192.0.2.20>", b"To: <sip:bob@192.0.2.20>;tag=9"))
    assert answered(Door().authorize, bye).status == 401
    assert Door(within_dialogs=False).authorize(bye, 0.0, SOURCE) is Decision.PASS


def test_a_blocker_refuses_by_method_and_by_user_agent_and_swallows_the_ack() -> None:
    blocker = Blocker({"INVITE": 405}, {"friendly-scanner": 403}, tag_key=KEY)
    refused = answered(blocker, request_of())
    assert refused.status == 405
    assert answered(blocker, request_of()).to_tag == refused.to_tag
    assert blocker(ack_to(refused, request_of()), 0.0, SOURCE) is Decision.DROP
    assert blocker(request_of("ACK"), 0.0, SOURCE) is Decision.PASS
    assert answered(blocker, request_of("OPTIONS", "User-Agent: Friendly-Scanner 1.0")).status == 403
    assert blocker(request_of("OPTIONS", "User-Agent: phone"), 0.0, SOURCE) is Decision.PASS
    for code in (200, 99, 700):
        with pytest.raises(ValueError, match="does not refuse"):
            Blocker({"INVITE": code})


def test_a_dropper_drops_by_a_header_and_by_how_many_a_source_sends() -> None:
    dropper = Dropper({"From": re.compile("alice"), "User-Agent": re.compile("x")}, attempts=2, interval=60.0, most=2)
    assert dropper(request_of(), 0.0, SOURCE) is Decision.DROP
    request = request_of(data=sample().replace(b"alice", b"carol"))
    passed = [dropper(request, now, SOURCE) for now in (0.0, 30.0, 59.0, 60.0, 61.0, 62.0)]
    assert passed == [Decision.PASS, Decision.PASS, Decision.DROP, Decision.PASS, Decision.PASS, Decision.DROP]
    again = Dropper(attempts=2, interval=60.0, most=2)
    again.restore(dropper.seen)
    assert again(request, 63.0, SOURCE) is Decision.DROP
    for host in ("192.0.2.1", "192.0.2.2"):
        again(request, 63.0, Hop("udp", host, 5060))
    assert list(again.seen) == ["192.0.2.1", "192.0.2.2"]


def test_in_a_chain_the_first_that_decides_does_so_for_its_methods() -> None:
    block, drop = Blocker({"INVITE": 486, "MESSAGE": 403}), Dropper(attempts=1)
    chain = Chain((("INVITE",), block), ((), drop))
    assert answered(chain, request_of()).status == 486
    assert chain(request_of("MESSAGE"), 0.0, SOURCE) is Decision.PASS
    assert chain(request_of("MESSAGE"), 0.0, SOURCE) is Decision.DROP
    assert Chain()(request_of(), 0.0, SOURCE) is Decision.PASS


def test_a_redirect_server_names_the_contacts_in_their_order() -> None:
    store = LocationStore()
    texts = ("<sip:bob@192.0.2.30>;q=0.5", "<sip:bob@192.0.2.31>;q=0.9")
    store.replace("bob@192.0.2.20", [Binding(NameAddr.parse(each), 60.0, "one", 1) for each in texts])
    redirect = Redirect(store, lambda host: host if host == "192.0.2.20" else None, knows={"bob", "eve"}.__contains__)
    response = answered(redirect, request_of())
    assert (response.status, response.headers.get_all("Contact")) == (302, [texts[1], texts[0]])
    assert answered(redirect, request_of(), 60.0).status == 480
    for address, status in (("eve@192.0.2.20", 480), ("mallory@192.0.2.20", 404), ("bob@192.0.2.99", 404)):
        data = sample().replace(b"INVITE sip:bob@192.0.2.20", f"INVITE sip:{address}".encode())
        assert answered(redirect, request_of(data=data)).status == status
    assert answered(redirect, request_of("CANCEL")).status == 481
    assert redirect(request_of("ACK"), 0.0, SOURCE) is Decision.DROP
    assert redirect(request_of("REGISTER"), 0.0, SOURCE) is Decision.PASS


def test_a_405_of_a_blocker_has_the_methods_that_are_left() -> None:
    blocker = Blocker({"INVITE": 405, "MESSAGE": 403}, {"old": 405})
    allowed = answered(blocker, request_of()).headers.get("Allow") or ""
    assert {"INVITE", "MESSAGE"}.isdisjoint(allowed.split(", "))
    assert {"OPTIONS", "REGISTER", "BYE", "ACK"} <= set(allowed.split(", "))
    assert answered(blocker, request_of("OPTIONS", "User-Agent: old 1.0")).headers.get("Allow") == allowed
    assert answered(blocker, request_of("MESSAGE")).headers.get("Allow") is None


SERVER = DigestServer(b"0123456789abcdef", "example.org", Tokens(random.Random(1).randbytes))
BLOCK = Blocker({})
KNOWN = {"bob": "x"}


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda: Authorize(SERVER, KNOWN), TypeError, "lookup is dict; .* the get of this one"),  # type: ignore[arg-type]
        (lambda: Authorize(SERVER, KNOWN.get, on_refusal=1), TypeError, "on_refusal is int"),  # type: ignore[arg-type]
        (lambda: Authorize(SERVER, KNOWN.get, tag_key="x"), TypeError, "tag_key is str"),  # type: ignore[arg-type]
        (lambda: Authorize(SERVER, KNOWN.get, tag_key=bytes(33)), ValueError, "tag_key has 33 octets"),
        (lambda: Chain((("REGISTER", BLOCK),)), TypeError, "is a pair"),  # type: ignore[arg-type]
        (lambda: Chain(BLOCK), TypeError, "is a pair"),  # type: ignore[arg-type]
        (lambda: Chain(("REGISTER", BLOCK)), TypeError, "not 'REGISTER'; write"),
        (lambda: Chain((("register",), BLOCK)), ValueError, "write REGISTER"),
        (lambda: Chain((("REGISTER",), None)), TypeError, "the handler of a chain is NoneType"),  # type: ignore[arg-type]
        (lambda: Blocker({"message": 405}), ValueError, "write MESSAGE"),
        (lambda: Blocker({"": 405}), ValueError, "is no method"),
        (lambda: Blocker({"ACK": 405}), ValueError, "ACK gets no response"),
        (lambda: Blocker({}, {"": 403}), ValueError, "an empty text"),
        (lambda: Blocker({}, tag_key=bytes(33)), ValueError, "tag_key has 33 octets"),
        (lambda: Dropper({"From": "alice"}), TypeError, "the pattern of From is str"),  # type: ignore[dict-item]
        (lambda: Redirect(LocationStore(), "example.org"), TypeError, "domain_of is str"),  # type: ignore[arg-type]
        (lambda: Redirect(LocationStore(), knows={"bob"}), TypeError, "knows is set; .* __contains__"),  # type: ignore[arg-type]
        (lambda: Redirect(LocationStore(), tag_key=bytes(33)), ValueError, "tag_key has 33 octets"),
        (lambda: LocationStore(changed=[]), TypeError, "changed is list"),  # type: ignore[arg-type]
        (lambda: RegistrarSettings(knows={"bob": "x"}), TypeError, "knows is dict"),  # type: ignore[arg-type]
        (lambda: RegistrarSettings(domain_of="example.org"), TypeError, "domain_of is str"),  # type: ignore[arg-type]
        (lambda: RegistrarSettings(tag_key=bytes(33)), ValueError, "tag_key has 33 octets"),
    ],
)
def test_a_wrong_argument_is_an_error_where_the_part_is_made(
    make: Callable[[], object], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        make()


def test_a_redirect_for_an_address_of_sips_names_contacts_of_sips_alone() -> None:
    store = LocationStore()
    redirect = Redirect(store)
    request = request_of(data=sample().replace(b"INVITE sip:bob", b"INVITE sips:bob"))

    def bind(*contacts: str) -> None:
        store.replace("bob@192.0.2.20", [Binding(NameAddr.parse(each), 60.0, "one", 1) for each in contacts])

    bind("<sip:bob@192.0.2.30;transport=tls>", "<sips:bob@192.0.2.31>")
    assert answered(redirect, request).headers.get_all("Contact") == ["<sips:bob@192.0.2.31>"]
    bind("<sip:bob@192.0.2.30;transport=tls>")
    response = answered(redirect, request)
    assert (response.status, response.headers.get("Warning")) == (480, '380 sipswarm "SIPS Not Allowed"')


@pytest.mark.parametrize(
    ("address", "another"),
    [
        ("<sip:alice@example.org>", False),
        ("<sip:%61lice@example.org:5070>", False),
        ("<sip:bob@example.org>", True),
        ("<sips:bob@EXAMPLE.org:5070>", True),
        ("<sip:example.org>", False),
        ("<sip:bob@elsewhere.test>", False),
        ("<sip:anonymous@anonymous.invalid>", False),
        ("<tel:+4930123>", False),
    ],
)
def test_from_may_name_no_other_user_of_a_served_domain(address: str, another: bool) -> None:
    request = request_of(data=sample().replace(b'"Alice" <sip:alice@192.0.2.10>', address.encode()))
    assert names_another(request, "alice", {"example.org": "example.org", "EXAMPLE.org": "example.org"}.get) == another
