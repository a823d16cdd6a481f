"""The registrar and its location store with literal times: merged, refused, in order, removed, with Path, bounded."""

import pytest

from sipswarm.sipcore.message.fields import NameAddr
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse
from sipswarm.sipcore.message.uri import Uri
from sipswarm.sipcore.server.location import Binding, LocationStore, address_key
from sipswarm.sipcore.server.registrar import Registrar, RegistrarSettings

PHONE, DESK = "<sip:bob@192.0.2.10:5060>", "<sip:bob@192.0.2.11:5060;transport=tcp>"
BOB = "bob@example.org"


def domain_of(host: str) -> str | None:
    return "example.org" if host.lower() in ("example.org", "192.0.2.1") else None


class Server:
    """A registrar, and the numbers of the REGISTERs that it gets."""

    def __init__(self, *, store: LocationStore | None = None, known: tuple[str, ...] = ("bob", "alice")) -> None:
        self.changes: list[tuple[str, int]] = []
        if store is None:
            store = LocationStore(changed=lambda address, now: self.changes.append((address, len(now))))
        self.store = store
        settings = RegistrarSettings(60, 600, 3600, domain_of, known.__contains__ if known else None)
        self.registrar = Registrar(self.store, settings)
        self.number = 0

    def register(
        self,
        *headers: str,
        at: float = 0.0,
        number: int = 0,
        call_id: str = "one@phone",
        to: str = "<sip:bob@example.org>",
        uri: str = "sip:example.org",
        user: str = "",
    ) -> Response:
        self.number = number or self.number + 1
        lines = [
            f"REGISTER {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK{call_id[:3]}{self.number}",
            "Max-Forwards: 70",
            "From: <sip:bob@example.org>;tag=1",
            f"To: {to}",
            f"Call-ID: {call_id}",
            f"CSeq: {self.number} REGISTER",
            *headers,
        ]
        request = parse("\r\n".join([*lines, "Content-Length: 0", "", ""]).encode())
        assert isinstance(request, Request)
        response = self.registrar.take(request, at, user=user)
        assert parse(response.to_bytes())
        assert response.to_tag
        return response

    def contacts(self, at: float, address: str = BOB) -> list[str]:
        return [str(each.uri) for each in self.store.bindings(address, at)]


def test_a_contact_is_bound_for_the_time_that_is_requested_and_shown_with_what_is_left() -> None:
    server = Server()
    response = server.register(f'Contact: "Bob" {PHONE};q=0.5;+sip.instance="<urn:uuid:1>"', "Expires: 300")
    assert response.status == 200
    (shown,) = response.contacts
    assert (shown.display_name, str(shown.uri), shown.expires) == ("Bob", "sip:bob@192.0.2.10:5060", 300)
    assert shown.params["+sip.instance"] is not None
    assert shown.q == 0.5
    assert server.register(at=100.5).contacts[0].expires == 200  # a query changes nothing
    assert server.contacts(299.0) == ["sip:bob@192.0.2.10:5060"]
    assert server.contacts(300.0) == []
    assert server.changes == [(BOB, 1)]


def test_the_parameter_of_a_contact_counts_before_the_header_and_the_default() -> None:
    server = Server()
    response = server.register(f"Contact: {PHONE};expires=120, {DESK}", "Expires: 240")
    assert [each.expires for each in response.contacts] == [120, 240]
    assert server.register(f"Contact: {PHONE}").contacts[1].expires == 600
    assert server.register(f"Contact: {PHONE};expires=100000").contacts[1].expires == 3600


def test_too_short_a_time_is_423_and_changes_none_of_the_contacts() -> None:
    server = Server()
    response = server.register(f"Contact: {DESK};expires=600, {PHONE};expires=59")
    assert (response.status, response.min_expires) == (423, 60)
    assert server.contacts(0.0) == []
    assert server.register(f"Contact: {PHONE};expires=60").status == 200


def test_bindings_are_merged_replaced_by_equivalent_uris_and_removed_one_by_one() -> None:
    server = Server()
    server.register(f"Contact: {PHONE}", call_id="one@phone")
    server.register(f"Contact: {DESK};q=0.7", call_id="two@desk")
    assert server.contacts(0.0) == ["sip:bob@192.0.2.10:5060", "sip:bob@192.0.2.11:5060;transport=tcp"]
    server.register("Contact: <sip:%62ob@192.0.2.10:5060>", "Expires: 100", call_id="one@phone")
    assert [each.remaining(0.0) for each in server.store.bindings(BOB, 0.0)] == [100, 600]
    response = server.register(f"Contact: {PHONE};expires=0", call_id="one@phone")
    assert [str(each.uri) for each in response.contacts] == ["sip:bob@192.0.2.11:5060;transport=tcp"]
    server.register(f"Contact: {DESK};expires=0", call_id="two@desk")
    assert (len(server.store), server.store.count) == (0, 0)
    assert server.changes[-1] == (BOB, 0)


def test_of_the_same_preference_the_newest_contact_is_the_first() -> None:
    server = Server()
    for number in (1, 2, 3):
        server.register(f"Contact: <sip:bob@192.0.2.{number}>;q=0.{1 if number == 2 else 5}")
    assert server.contacts(0.0) == ["sip:bob@192.0.2.3", "sip:bob@192.0.2.1", "sip:bob@192.0.2.2"]


def test_an_asterisk_removes_everything_and_stands_alone_with_expires_0() -> None:
    server = Server()
    server.register(f"Contact: {PHONE}, {DESK}")
    for headers in (("Contact: *",), ("Contact: *", "Expires: 1"), (f"Contact: *, {PHONE}", "Expires: 0")):
        assert server.register(*headers).status == 400
        assert len(server.contacts(0.0)) == 2
    response = server.register("Contact: *", "Expires: 0")
    assert (response.status, response.contacts, server.contacts(0.0)) == (200, [], [])


def test_a_request_that_is_older_than_the_binding_changes_nothing_and_its_repetition_neither() -> None:
    server = Server()
    server.register(f"Contact: {PHONE}", number=5)
    for headers in ((f"Contact: {PHONE};expires=0",), ("Contact: *", "Expires: 0"), (f"Contact: {DESK}, {PHONE}",)):
        assert server.register(*headers, number=4).status == 500
        assert server.contacts(0.0) == ["sip:bob@192.0.2.10:5060"]
    repeated = server.register(f"Contact: {PHONE}", number=5, at=200.0)
    assert (repeated.status, repeated.contacts[0].expires) == (200, 400)
    assert server.register(f"Contact: {PHONE}", number=6, at=200.0).contacts[0].expires == 600
    assert server.register(f"Contact: {PHONE};expires=0", number=1, call_id="new@boot").contacts == []


def test_who_is_not_served_is_refused_by_name() -> None:
    server = Server()
    contact = f"Contact: {PHONE}"
    assert server.register(contact, uri="sip:example.net").status == 404
    assert server.register(contact, to="<sip:bob@example.net>").status == 404
    assert server.register(contact, to="<sip:example.org>").status == 404
    assert server.register(contact, to="<tel:+1234>").status == 404
    assert server.register(contact, to="<sip:mallory@example.org>").status == 404
    assert server.register(contact, user="alice").status == 403
    assert server.register(contact, "Contact: <sip:bob@>").status == 200  # one that cannot be read costs itself
    assert server.register("Contact: <sip:bob@>").status == 400
    required = server.register(contact, "Require: path, gruu, outbound")
    assert (required.status, required.headers.get("Unsupported")) == (420, "gruu, outbound")
    assert server.register(contact, user="bob", uri="sip:192.0.2.1").status == 200


def test_without_a_list_every_user_may_register() -> None:
    assert Server(known=()).register(f"Contact: {PHONE}", to="<sip:carol@EXAMPLE.org>").status == 200


def test_a_path_is_kept_with_the_binding_and_returned_to_who_supports_it() -> None:
    server = Server()
    path = ("Path: <sip:edge.example.org;lr>", "Path: <sip:core.example.org;lr>")
    response = server.register(f"Contact: {PHONE}", "Supported: path", *path)
    assert response.headers.get_all("Path") == ["<sip:edge.example.org;lr>", "<sip:core.example.org;lr>"]
    assert server.store.bindings(BOB, 0.0)[0].path == ("<sip:edge.example.org;lr>", "<sip:core.example.org;lr>")
    assert "path" not in server.register(f"Contact: {PHONE}", *path).headers
    assert server.register(f"Contact: {PHONE}", "Path: <sip:edge example>").status == 400


def test_the_tables_have_bounds_and_room_comes_back() -> None:
    server = Server(store=LocationStore(most_addresses=1, most_contacts=2), known=())
    server.register(f"Contact: {PHONE}, {DESK}", "Expires: 60")
    assert server.register("Contact: <sip:bob@192.0.2.12>").status == 403
    full = server.register(f"Contact: {PHONE}", to="<sip:alice@example.org>")
    assert (full.status, "retry-after" in full.headers) == (503, True)
    assert server.register(to="<sip:alice@example.org>").status == 200  # a query needs no room
    assert server.store.sweep(59.0) == 0
    assert (server.store.sweep(60.0), len(server.store), server.store.count) == (2, 0, 0)
    assert server.register(f"Contact: {PHONE}", to="<sip:alice@example.org>", at=60.0).status == 200


def test_what_was_kept_is_restored_within_the_bounds_and_not_reported() -> None:
    changes: list[str] = []
    store = LocationStore(most_addresses=1, most_contacts=1, changed=lambda address, now: changes.append(address))
    one, two = (Binding(NameAddr.parse(each), 50.0, "one", 1) for each in (PHONE, DESK))
    store.restore(BOB, (one, two))
    store.restore("alice@example.org", (one,))
    assert store.bindings(BOB, 0.0) == (two,)
    assert (store.addresses, store.count, changes) == ((BOB,), 1, [])


@pytest.mark.parametrize(
    ("uri", "key"),
    [
        ("sip:bob@Example.ORG:5061;transport=tls", "bob@example.org"),
        ("sips:b%6Fb@example.org", "bob@example.org"),
        ("sip:Bob@example.org", "Bob@example.org"),
        ("sip:b%40b@example.org", "b%40b@example.org"),
    ],
)
def test_an_address_has_one_key_however_it_is_written(uri: str, key: str) -> None:
    assert address_key(Uri.parse(uri)) == key
    assert address_key(Uri.parse(uri), "example.net") == key.replace("example.org", "example.net")


@pytest.mark.parametrize("times", [(0, 1, 2), (60, 30, 90), (60, 90, 80)])
def test_times_that_do_not_rise_are_refused(times: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="must rise"):
        RegistrarSettings(*times)


def test_what_is_granted_is_whole_at_any_time_of_the_clock() -> None:
    contact = NameAddr.parse("<sip:a@127.0.0.1>")
    for tenths in range(300_000, 400_000, 7):
        now = tenths / 10 + 0.123456789
        assert Binding(contact, now + 7200, "1", 1).remaining(now) == 7200
        assert Binding(contact, now + 7199.5, "1", 1).remaining(now) == 7200
