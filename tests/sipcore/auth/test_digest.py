"""Digest: published vectors, a client and a server against each other, and what neither of them puts up with."""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sipswarm.sipcore.auth.digest import (
    ALGORITHMS,
    DigestClient,
    hash_text,
    is_supported,
    parse_challenges,
    parse_credentials,
    response_hash,
    session_hash,
    user_hash,
)
from sipswarm.sipcore.auth.digest_server import DigestServer, Outcome, Verdict
from sipswarm.sipcore.errors import ParseError
from sipswarm.sipcore.leniency import Leniency
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse
from sipswarm.sipcore.message.tokens import Tokens
from tests.sipcore.accounts import Account, Accounts

REALM, HOST, URI = "example.org", "sip.example.org", "sip:example.org"
SECRET = b"0123456789abcdef"
USERS = {"bob": "zanzibar", "björn": "pässword"}
Pairs = Sequence[tuple[str, str]]


def tokens(seed: int = 1) -> Tokens:
    return Tokens(random.Random(seed).randbytes)


def request(credentials: Pairs = (), *, method: str = "REGISTER", uri: str = URI, body: bytes = b"") -> Request:
    pairs = [
        ("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"),
        ("From", "<sip:bob@example.org>;tag=1"),
        ("To", "<sip:bob@example.org>"),
        ("Call-ID", "c"),
        ("CSeq", f"1 {method}"),
        *credentials,
    ]
    return Request.build(method, uri, pairs, body)


def challenged(*values: str, status: int = 401) -> Response:
    name = "Proxy-Authenticate" if status == 407 else "WWW-Authenticate"
    return Response.to_request(request(), status, extra=[(name, value) for value in values])


def client(*accounts: Account, seed: int = 1) -> DigestClient:
    return DigestClient(Accounts(accounts or [Account("bob", "zanzibar", REALM, HOST)]), tokens(seed))


def answer(who: DigestClient, response: Response, *, sent: Pairs = (), host: str = HOST, body: bytes = b"") -> Any:
    return who.answer(response, method="REGISTER", uri=URI, body=body, host=host, sent=sent)


def server(**options: Any) -> DigestServer:
    return DigestServer(SECRET, REALM, tokens(2), **options)


def refused(by: DigestServer, now: float, verdict: Verdict | None = None, source: str = "") -> Response:
    status, pairs = by.refusal(verdict or Verdict(Outcome.MISSING, "", False), now, source=source)
    return Response.to_request(request(), status, extra=pairs)


def verify(by: DigestServer, credentials: Pairs, now: float, **options: Any) -> Outcome:
    source = options.pop("source", "")
    return by.verify(request(credentials, **options), USERS.get, now, source=source).outcome


# ---- the arithmetic


def test_the_published_vectors(shared_data: Path) -> None:
    vectors = json.loads((shared_data / "digest/vectors.json").read_text())
    assert len(vectors) == 4
    for vector in vectors:
        algorithm = vector["algorithm"]
        ha1 = user_hash(algorithm, vector["username"], vector["realm"], vector["password"])
        response = response_hash(
            algorithm,
            ha1,
            vector["nonce"],
            vector["method"],
            vector["uri"],
            qop=vector["qop"] or "",
            nc=vector["nc"] or "",
            cnonce=vector["cnonce"] or "",
        )
        assert response == vector["published_response"], vector["source"]


def test_sha_512_256_is_that_of_fips_180_4_and_not_a_cut_sha_512() -> None:
    # The example of RFC 7616 section 3.9.2 was computed with a cut SHA-512, so this is NIST's.
    assert hash_text("SHA-512-256", "abc") == "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23"


def test_a_session_hash_binds_the_first_nonces() -> None:
    ha1 = user_hash("MD5", "u", "r", "p")
    assert session_hash("MD5", ha1, "n", "c") == ha1
    assert session_hash("MD5-sess", ha1, "n", "c") != session_hash("MD5-sess", ha1, "n2", "c")
    assert [is_supported(name) for name in ("MD5", "SHA-256-sess", "SHA-512-256", "MD4", "token")] == [True] * 3 + [
        False
    ] * 2


# ---- reading


def test_a_challenge_is_read() -> None:
    (read,) = parse_challenges(
        'Digest realm="a, \\"b\\"", nonce="n=1", algorithm=sha-256-SESS, qop="auth-int , AUTH,token", stale=TRUE, '
        'opaque="o", domain="sip:a sip:b", userhash=true, new=thing'
    )
    assert (read.realm, read.nonce, read.algorithm, read.written_algorithm) == (
        'a, "b"',
        "n=1",
        "SHA-256-sess",
        "sha-256-SESS",
    )
    assert (read.qop, read.opaque, read.stale, read.userhash) == (("auth-int", "auth", "token"), "o", True, True)
    assert read.usable_qop() == "auth"


def test_several_challenges_in_one_line_are_told_apart() -> None:
    read = parse_challenges('Digest realm="a", nonce="1", Basic realm="b", Digest realm=c, nonce=2, algorithm=MD5')
    assert [(each.realm, each.nonce, each.qop) for each in read] == [("a", "1", ()), ("c", "2", ())]


BLANKS = [" ", "\t", "  ", "\t\t", " \t", "\t "]


@pytest.mark.parametrize("blank", BLANKS)
def test_any_blanks_and_tabs_separate_a_scheme_from_its_parameters(blank: str) -> None:
    """LWS of RFC 3261 section 25.1: challenges of the peer, credentials of the peer, several in one line."""
    text = f'Digest{blank}realm{blank}={blank}"{REALM}"{blank},{blank}nonce="1"'
    (read,) = parse_challenges(text)
    assert (read.realm, read.nonce) == (REALM, "1")
    assert answer(client(), challenged(text)) is not None
    two = parse_challenges(f'Digest{blank}realm="a", nonce="1", Basic{blank}realm="b", Digest{blank}realm=c, nonce=2')
    assert [(each.realm, each.nonce) for each in two] == [("a", "1"), ("c", "2")]

    judge = server(algorithms=["MD5"])
    ((name, value),) = signed(judge)
    assert verify(judge, [(name, value.replace("Digest ", f"Digest{blank}", 1))], 10.0) is Outcome.OK


@pytest.mark.parametrize("blank", BLANKS)
def test_blanks_before_the_list_of_qop_do_not_hide_the_challenge(blank: str) -> None:
    sent = answer(client(), challenged(f'Digest{blank}qop=auth,auth-int,realm="{REALM}",nonce="1"'))
    assert sent is not None
    assert "qop=auth" in sent[0][1]


@pytest.mark.parametrize(
    "text",
    [
        "Digest",
        "Digest realm",
        'Digest realm="a"',
        'Digest nonce="a"',
        'Digest realm="a, nonce="b"',
        'Digest realm="a", realm="b", nonce="c"',
        "Digest " + ", ".join(f"a{n}=1" for n in range(70)),
        "Digest " + "a" * 300 + "=1",
    ],
)
def test_a_broken_challenge_is_a_parse_error(text: str) -> None:
    with pytest.raises(ParseError):
        parse_challenges(text)
    assert answer(client(), challenged(text or "x")) is None


GOOD = 'Digest username="b", realm="r", nonce="n", uri="sip:x", response="AB"'


def test_credentials_are_read_and_never_shown() -> None:
    read = parse_credentials(GOOD + ', algorithm=MD5, qop=auth, nc=0000000a, cnonce="c", opaque="o"')
    assert read is not None
    assert (read.username, read.response, read.nc, read.qop, read.cnonce, read.opaque) == (
        "b",
        "ab",
        10,
        "auth",
        "c",
        "o",
    )
    assert "b" not in repr(read).replace("Credentials", "")
    assert parse_credentials("Basic dTpw=") is None
    assert "zanzibar" not in repr(Account("bob", "zanzibar", REALM, HOST))


@pytest.mark.parametrize(
    "text",
    [
        GOOD + ", nc=1",
        GOOD + ", nc=0000000g",
        GOOD + ", nc=+0000001",
        GOOD + ", qop=auth",
        "Digest a=b, " + GOOD.replace('"r"', '"other"'),
        GOOD.replace("username", "user"),
        GOOD.replace("response", "reply"),
    ],
)
def test_broken_credentials_are_a_parse_error(text: str) -> None:
    with pytest.raises(ParseError):
        parse_credentials(text)
    assert verify(server(), [("Authorization", text)], 0.0) is Outcome.MALFORMED


# ---- client and server against each other


@pytest.mark.parametrize("suffix", ["", "-sess"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("qop", ["auth", "auth-int"])
@pytest.mark.parametrize("proxy", [False, True])
@pytest.mark.parametrize("user", sorted(USERS))
def test_every_kind_of_digest_is_accepted_until_the_nonce_is_old(
    algorithm: str, suffix: str, qop: str, proxy: bool, user: str
) -> None:
    judge = server(algorithms=[algorithm + suffix], qop=[qop], proxy=proxy)
    who = client(Account(user, USERS[user], REALM, HOST))
    sent = answer(who, refused(judge, 100.0), body=b"x")
    assert [name for name, _ in sent] == ["Proxy-Authorization" if proxy else "Authorization"]
    assert verify(judge, sent, 100.5, body=b"x") is Outcome.OK
    for _ in range(3):
        sent = who.headers("REGISTER", URI, b"x", host=HOST)
        assert verify(judge, sent, 160.0, body=b"x") is Outcome.OK
    sent = who.headers("REGISTER", URI, b"x", host=HOST)
    verdict = judge.verify(request(sent, body=b"x"), USERS.get, 160.1)
    assert verdict.outcome is Outcome.STALE
    # A stale nonce costs one more round, not the password.
    sent = answer(who, refused(judge, 160.1, verdict), sent=sent, body=b"x")
    assert verify(judge, sent, 160.2, body=b"x") is Outcome.OK
    assert verify(judge, sent, 160.3, body=b"x") is Outcome.REPLAYED


def test_a_body_that_was_changed_is_seen_by_auth_int_only() -> None:
    for qop, outcome in (("auth", Outcome.OK), ("auth-int", Outcome.WRONG)):
        judge, who = server(qop=[qop]), client()
        sent = answer(who, refused(judge, 1.0), body=b"one")
        assert verify(judge, sent, 2.0, body=b"two") is outcome


def test_a_peer_without_qop_is_answered_in_the_old_style_and_accepted_once_where_allowed() -> None:
    judge = server(require_qop=False, algorithms=["MD5"])
    old = refused(judge, 1.0).headers.get("WWW-Authenticate")
    assert old is not None
    who = client()
    sent = answer(who, challenged(old.replace(', qop="auth"', "")))
    assert "qop" not in sent[0][1]
    assert "nc" not in sent[0][1].replace("nonce", "")
    assert verify(judge, sent, 2.0) is Outcome.OK
    assert verify(judge, sent, 2.0) is Outcome.REPLAYED
    assert verify(server(algorithms=["MD5"]), sent, 2.0) is Outcome.MISSING


def test_the_first_algorithm_that_we_can_compute_is_used() -> None:
    values = [
        f'Digest realm="{REALM}", nonce="n{name}", algorithm={name}, qop="auth"' for name in ("TOKEN", "SHA-256", "MD5")
    ]
    sent = answer(client(), challenged(*values))
    assert len(sent) == 1
    read = parse_credentials(sent[0][1])
    assert read is not None
    assert (read.algorithm, read.nonce) == ("SHA-256", "nSHA-256")


def test_what_cannot_be_computed_is_not_answered() -> None:
    for text in ("algorithm=TOKEN", 'qop="token"'):
        assert answer(client(), challenged(f'Digest realm="{REALM}", nonce="n", {text}')) is None
    assert answer(client(), challenged('Basic realm="x"')) is None
    assert answer(client(), Response.to_request(request(), 401)) is None


def test_a_user_hash_hides_the_name() -> None:
    sent = answer(client(), challenged(f'Digest realm="{REALM}", nonce="n", userhash=true, opaque="o\\"p"'))
    assert "bob" not in sent[0][1]
    assert "userhash=true" in sent[0][1]
    assert 'opaque="o\\"p"' in sent[0][1]
    # Our own server never asks for it and does not take it.
    assert verify(server(), sent, 0.0) is Outcome.MISSING


# ---- whom the client answers (RELIABILITY S8, B6)


@pytest.mark.parametrize(
    ("realm", "host", "answered"),
    [
        (REALM, HOST, True),
        (REALM, "SIP.Example.ORG", True),
        (REALM, "evil.example.net", False),
        ("other", HOST, False),
        ("EXAMPLE.ORG", HOST, False),
    ],
)
def test_credentials_go_to_their_realm_and_host_only(realm: str, host: str, answered: bool) -> None:
    sent = answer(client(), challenged(f'Digest realm="{realm}", nonce="n", qop="auth"'), host=host)
    assert (sent is not None) is answered


def test_what_one_host_was_shown_is_not_sent_to_another() -> None:
    who = client(Account("bob", "zanzibar", REALM, "*"))
    assert answer(who, challenged(f'Digest realm="{REALM}", nonce="n", qop="auth"'))
    assert who.headers("BYE", URI, host=HOST)
    assert who.headers("BYE", URI, host="evil.example.net") == []
    who.forget()
    assert who.headers("BYE", URI, host=HOST) == []


def test_a_refused_password_is_not_tried_again() -> None:
    judge, who = server(), client(Account("bob", "wrong", REALM, HOST))
    sent = answer(who, refused(judge, 1.0))
    verdict = judge.verify(request(sent), USERS.get, 2.0)
    assert verdict == Verdict(Outcome.WRONG, "bob", False)
    assert answer(who, refused(judge, 2.0, verdict), sent=sent) is None
    assert who.headers("REGISTER", URI, host=HOST) == []


def test_stale_for_ever_ends_after_two_tries() -> None:
    who = client()
    sent = answer(who, challenged(f'Digest realm="{REALM}", nonce="1", qop="auth"'))
    sent = answer(who, challenged(f'Digest realm="{REALM}", nonce="2", qop="auth", stale=true'), sent=sent)
    assert sent is not None
    assert answer(who, challenged(f'Digest realm="{REALM}", nonce="3", qop="auth", stale=true'), sent=sent) is None


def test_a_server_that_forgets_to_write_stale_gets_one_more_try() -> None:
    who = client()
    answer(who, challenged(f'Digest realm="{REALM}", nonce="1", qop="auth"'))
    sent = who.headers("BYE", URI, host=HOST)
    again = answer(who, challenged(f'Digest realm="{REALM}", nonce="2", qop="auth"'), sent=sent)
    assert 'nonce="2"' in again[0][1]
    assert answer(who, challenged(f'Digest realm="{REALM}", nonce="3", qop="auth"'), sent=again) is None


def test_credentials_for_a_nonce_that_another_request_replaced_may_be_repeated() -> None:
    who = client()
    first = answer(who, challenged(f'Digest realm="{REALM}", nonce="1", qop="auth"'))
    answer(who, challenged(f'Digest realm="{REALM}", nonce="2", qop="auth"'))
    assert answer(who, challenged(f'Digest realm="{REALM}", nonce="3", qop="auth"'), sent=first) is not None


def test_credentials_of_an_unknown_space_or_that_cannot_be_read() -> None:
    challenge = challenged(f'Digest realm="{REALM}", nonce="1", qop="auth"')
    strange = [("Authorization", GOOD.replace('"r"', f'"{REALM}"'))]
    assert answer(client(), challenge, sent=strange) is None
    for text in ("Basic x=y", "Digest", GOOD.replace('"r"', '"elsewhere"')):
        assert answer(client(), challenge, sent=[("Authorization", text), ("Subject", "x")]) is not None


def test_a_proxy_and_a_user_agent_are_answered_side_by_side() -> None:
    who = client(Account("bob", "zanzibar", REALM, HOST), Account("bob", "other", "proxy", HOST))
    proxy = answer(who, challenged('Digest realm="proxy", nonce="p", qop="auth"', status=407))
    both = answer(who, challenged(f'Digest realm="{REALM}", nonce="u", qop="auth"'), sent=proxy)
    assert [name for name, _ in both] == ["Proxy-Authorization", "Authorization"]
    # The proxy sees a new request: its count has risen.
    read = [parse_credentials(value) for _, value in both]
    assert [each.nc for each in read if each is not None] == [2, 1]


def test_two_proxies_in_one_answer() -> None:
    who = client(*(Account("bob", "x", realm, HOST) for realm in ("one", "two")))
    sent = answer(
        who,
        challenged(
            'Digest realm="one", nonce="1"', 'Digest realm="two", nonce="2"', 'Digest realm="no", nonce="3"', status=407
        ),
    )
    assert [name for name, _ in sent] == ["Proxy-Authorization"] * 2


def test_the_number_of_spaces_is_bounded() -> None:
    who = client(Account("bob", "x", "*", "*"))
    for number in range(40):
        answer(who, challenged(f'Digest realm="{number}", nonce="n"'))
    assert len(who.headers("BYE", URI, host=HOST)) == 16


def test_a_request_can_be_authorized_beforehand() -> None:
    # Man page: resp40x with auth.
    judge, who = server(), client()
    assert who.learn(refused(judge, 1.0), host=HOST)
    assert verify(judge, who.headers("REGISTER", URI, host=HOST), 2.0) is Outcome.OK


def test_the_next_nonce_is_used() -> None:
    judge, who = server(), client()
    sent = answer(who, refused(judge, 0.0))
    verdict = judge.verify(request(sent), USERS.get, 31.0)
    assert verdict == Verdict(Outcome.OK, "bob", True)
    who.note(Response.to_request(request(), 200, extra=[judge.authentication_info(31.0)]), host=HOST)
    assert verify(judge, who.headers("REGISTER", URI, host=HOST), 90.0) is Outcome.OK
    name, value = server(proxy=True).authentication_info(0.0)
    assert (name, value[:10]) == ("Proxy-Authentication-Info", "nextnonce=")


@pytest.mark.parametrize("text", ['nextnonce="', 'rspauth="x"', 'nextnonce=""', 'nextnonce="x", realm="other"'])
def test_other_authentication_info_changes_nothing(text: str) -> None:
    judge, who = server(), client()
    answer(who, refused(judge, 0.0))
    who.note(Response.to_request(request(), 200, extra=[("Authentication-Info", text)]), host=HOST)
    who.note(Response.to_request(request(), 200, extra=[("Authentication-Info", 'nextnonce="x"')]), host="elsewhere")
    assert verify(judge, who.headers("REGISTER", URI, host=HOST), 1.0) is Outcome.OK


# ---- what the server does not put up with (RELIABILITY S7)


def test_challenges_offer_the_stronger_algorithm_first() -> None:
    status, pairs = server().refusal(Verdict(Outcome.STALE, "bob", False), 5.0)
    assert status == 401
    read = [parse_challenges(value)[0] for _, value in pairs]
    assert [each.algorithm for each in read] == ["SHA-256", "MD5"]
    assert read[0].nonce == read[1].nonce
    assert all(each.stale and each.qop == ("auth",) for each in read)
    assert server(proxy=True).refusal(Verdict(Outcome.WRONG, "bob", False), 5.0)[0] == 407
    assert server().refusal(Verdict(Outcome.MALFORMED, "bob", False), 5.0) == (400, [])


def test_no_two_nonces_are_alike() -> None:
    judge = server()
    nonces = {parse_challenges(judge.challenge(1.0)[0][1])[0].nonce for _ in range(200)}
    assert len(nonces) == 200


def signed(judge: DigestServer, **options: Any) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = answer(client(), refused(judge, 10.0, **options))
    return found


def test_invented_and_altered_nonces_are_stale_whatever_they_say() -> None:
    judge = server()
    good = parse_challenges(judge.challenge(10.0)[0][1])[0].nonce
    slot, time, salt, mac = good.split(".")
    for nonce in (
        "x",
        "",
        "0.0.0",
        f"{slot}.{time}.{salt}.{mac[:-1]}0x",
        f"{slot}.ffffff.{salt}.{mac}",
        f"1.{time}.{salt}.{mac}",
        "é",
    ):
        sent = answer(client(), challenged(f'Digest realm="{REALM}", nonce="{nonce}", algorithm=MD5, qop="auth"'))
        assert verify(judge, sent, 10.0) is Outcome.STALE


@pytest.mark.parametrize(
    ("options", "now", "outcome"),
    [
        ({}, 10.0, Outcome.OK),
        ({}, 70.0, Outcome.OK),
        ({}, 70.1, Outcome.STALE),
        ({}, 9.0, Outcome.STALE),
        ({"slot": 3}, 10.0, Outcome.STALE),
    ],
)
def test_a_nonce_is_good_in_its_time_and_slot(options: dict[str, Any], now: float, outcome: Outcome) -> None:
    assert verify(server(**options), signed(server()), now) is outcome


def test_a_nonce_of_another_secret_realm_or_source_is_not_ours() -> None:
    sent = signed(server())
    assert verify(DigestServer(b"f" * 16, REALM, tokens(2)), sent, 10.0) is Outcome.STALE
    assert verify(DigestServer(SECRET, "else", tokens(2)), sent, 10.0) is Outcome.MISSING
    bound = server()
    sent = signed(bound, source="192.0.2.1")
    assert verify(bound, sent, 10.0, source="192.0.2.2") is Outcome.STALE
    assert verify(bound, sent, 10.0, source="192.0.2.1") is Outcome.OK


def counted(judge: DigestServer, nonce: str, count: int, now: float = 10.0, user: str = "bob") -> Outcome:
    ha1 = user_hash("MD5", user, REALM, USERS.get(user, "zanzibar"))
    nc = f"{count:08x}"
    response = response_hash("MD5", ha1, nonce, "REGISTER", URI, qop="auth", nc=nc, cnonce="c")
    text = f'Digest username="{user}", realm="{REALM}", nonce="{nonce}", uri="{URI}", response="{response}", cnonce="c"'
    text += f", qop=auth, nc={nc}"
    return verify(judge, [("Authorization", text)], now)


def new_nonce(judge: DigestServer, now: float = 10.0) -> str:
    return parse_challenges(judge.challenge(now)[0][1])[0].nonce


OK, OLD = Outcome.OK, Outcome.REPLAYED


@pytest.mark.parametrize(
    ("window", "counts"),
    [
        (
            64,
            [
                (1, OK),
                (1, OLD),
                (2, OK),
                (5, OK),
                (3, OK),
                (4, OK),
                (3, OLD),
                (100, OK),
                (37, OK),
                (36, OLD),
                (100, OLD),
            ],
        ),
        (1, [(1, OK), (3, OK), (2, OLD), (3, OLD), (4, OK)]),
        (2, [(9, OK), (8, OK), (7, OLD), (500, OK), (499, OK), (499, OLD)]),
    ],
)
def test_each_nonce_count_is_good_once_within_its_window(window: int, counts: list[tuple[int, Outcome]]) -> None:
    judge = server(window=window)
    nonce = new_nonce(judge)
    assert [(count, counted(judge, nonce, count)) for count, _ in counts] == counts


def test_a_nonce_that_fell_out_of_the_table_is_stale_and_never_good_again() -> None:
    judge = server(table=2)
    nonces = [new_nonce(judge, 10.0 + number / 10) for number in range(4)]
    assert [counted(judge, nonce, 1, 11.0) for nonce in nonces] == [OK] * 4
    assert [counted(judge, nonce, 2, 11.0) for nonce in nonces] == [Outcome.STALE] * 2 + [OK] * 2
    # Nor is one that is as old and was never used.
    judge = server(table=1)
    unused, one, two = (new_nonce(judge, 10.0 + number / 10) for number in range(3))
    assert [counted(judge, nonce, 1, 11.0) for nonce in (one, two, unused)] == [OK, OK, Outcome.STALE]


def test_old_nonces_leave_the_table_without_harm() -> None:
    judge = server()
    first = new_nonce(judge, 10.0)
    assert counted(judge, first, 1, 10.0) is OK
    later = new_nonce(judge, 100.0)
    assert counted(judge, later, 1, 100.0) is OK
    assert counted(judge, first, 2, 100.0) is Outcome.STALE


def test_an_unknown_user_is_as_wrong_as_a_wrong_password() -> None:
    judge = server()
    assert counted(judge, new_nonce(judge), 1, user="mallory") is Outcome.WRONG
    # Not even an empty password opens an unknown account.
    ghost = client(Account("ghost", "", REALM, HOST))
    assert verify(judge, answer(ghost, refused(judge, 10.0)), 10.0) is Outcome.WRONG


def test_stored_hashes_serve_instead_of_passwords() -> None:
    judge = server(algorithms=["MD5"])
    sent = signed(judge)
    stored = {"MD5": user_hash("MD5", "bob", REALM, "zanzibar")}
    assert judge.verify(request(sent), lambda user: {}, 10.0).outcome is Outcome.WRONG
    assert judge.verify(request(sent), lambda user: stored, 10.0).outcome is Outcome.OK


def test_the_method_and_the_request_uri_are_bound() -> None:
    judge = server()
    assert verify(judge, signed(judge), 10.0, method="INVITE") is Outcome.WRONG
    assert verify(judge, signed(judge), 10.0, uri="sip:other.org") is Outcome.MALFORMED
    assert verify(judge, signed(judge), 10.0, uri="sip:EXAMPLE.org") is Outcome.OK
    assert verify(server(bind_uri=False), signed(server()), 10.0, uri="sip:other.org") is Outcome.OK
    sent = [("Authorization", GOOD.replace('"r"', f'"{REALM}"').replace("sip:x", "<>") + ", nc=00000001, qop=auth")]
    assert verify(server(algorithms=["MD5"]), sent, 10.0) is Outcome.MALFORMED


def test_what_we_did_not_ask_for_is_not_taken() -> None:
    weak = server(algorithms=["MD5"])
    assert verify(server(algorithms=["SHA-256"]), signed(weak), 10.0) is Outcome.MISSING
    assert verify(server(qop=["auth-int"]), signed(server()), 10.0) is Outcome.MISSING
    assert verify(server(), [("Authorization", "Basic dTpw=")], 10.0) is Outcome.MISSING
    assert verify(server(), [], 10.0) is Outcome.MISSING


def test_the_set_of_our_realm_is_found_among_others() -> None:
    judge = server()
    assert verify(judge, [("Authorization", GOOD), *signed(judge)], 10.0) is Outcome.OK


@pytest.mark.parametrize(
    "options",
    [{"algorithms": ["MD4"]}, {"algorithms": []}, {"window": 0}, {"table": 0}],
)
def test_settings_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="digest"):
        server(**options)
    with pytest.raises(ValueError, match="secret"):
        DigestServer(b"short", REALM, tokens())


def test_mutants_of_headers_are_read_or_refused() -> None:
    dice = random.Random(7616)
    seeds = [
        GOOD + ', qop=auth, nc=00000001, cnonce="c"',
        f'Digest realm="{REALM}", nonce="n", qop="auth", stale=true, Digest realm=b, nonce=c',
    ]
    pieces = ['"', "\\", ",", "=", " ", "\t", "Digest ", "nc=", "é", "٣", "\udcff", "a" * 300, '""', "<", ">"]
    for _ in range(20_000):
        text = list(dice.choice(seeds))
        for _ in range(dice.randint(1, 4)):
            at = dice.randrange(len(text))
            text[at : at + dice.randint(0, 3)] = dice.choice(pieces)
        value = "".join(text)
        for read in (parse_challenges, parse_credentials):
            try:
                read(value)
            except ParseError:
                continue
        # Whatever was read, the other side's engine only gives a verdict or an answer.
        verify(server(), [("Authorization", value)], 1.0)
        answer(client(), challenged(value))


def old_style(nonce: str, uri: str = URI, more: str = "") -> list[tuple[str, str]]:
    """Credentials of bob as RFC 2069 has them."""
    right = response_hash("MD5", user_hash("MD5", "bob", REALM, "zanzibar"), nonce, "REGISTER", uri)
    head = f'Digest username="bob", realm="{REALM}", nonce="{nonce}", uri="{uri}", response="{right}"'
    return [("Authorization", head + more)]


def nonce_of(judge: DigestServer) -> str:
    return judge.challenge(10.0)[0][1].partition('nonce="')[2].partition('"')[0]


@pytest.mark.parametrize("qop", [("auth",), ()])
def test_a_nonce_is_good_once_without_qop_whatever_it_was_used_for_before(qop: tuple[str, ...]) -> None:
    judge = server(require_qop=False, qop=qop, algorithms=["MD5"])
    nonce = nonce_of(judge)
    assert verify(judge, old_style(nonce), 11.0) is Outcome.OK
    assert verify(judge, old_style(nonce), 12.0) is Outcome.REPLAYED
    counted = signed(judge)
    assert verify(judge, counted, 10.0) is Outcome.OK
    read = parse_credentials(counted[0][1])
    assert read is not None
    assert verify(judge, old_style(read.nonce), 10.0) is Outcome.REPLAYED


def test_a_challenge_without_qop_names_none_and_takes_auth_all_the_same() -> None:
    judge = server(qop=[], algorithms=["MD5"])
    assert "qop" not in judge.challenge(1.0)[0][1]
    assert verify(judge, signed(judge), 10.0) is Outcome.OK
    with_qop = signed(server(algorithms=["MD5"]))
    assert "qop=auth" in with_qop[0][1]
    assert verify(judge, with_qop, 10.0) is Outcome.OK


@pytest.mark.parametrize("count", ["0000000A", "0000000a"])
def test_a_nonce_count_is_hashed_as_the_client_wrote_it(count: str) -> None:
    judge = server(algorithms=["MD5"])
    nonce, ha1 = nonce_of(judge), user_hash("MD5", "bob", REALM, "zanzibar")
    right = response_hash("MD5", ha1, nonce, "REGISTER", URI, qop="auth", nc=count, cnonce="c")
    value = f'Digest username="bob", realm="{REALM}", nonce="{nonce}", uri="{URI}", response="{right}"'
    assert verify(judge, [("Authorization", f'{value}, qop=auth, nc={count}, cnonce="c"')], 11.0) is Outcome.OK


def test_a_uri_that_is_not_of_the_request_counts_where_the_rule_says_so() -> None:
    asked = []

    def rule(written: str, request: Request) -> bool:
        asked.append(written)
        return written == "sip:::1:5060"

    judge = server(require_qop=False, algorithms=["MD5"], other_uri=rule)
    assert verify(judge, old_style(nonce_of(judge)), 11.0) is Outcome.OK
    assert asked == []
    assert verify(judge, old_style(nonce_of(judge), "sip:::1:5060"), 11.0) is Outcome.OK
    assert verify(judge, old_style(nonce_of(judge), "sip:else.where"), 11.0) is Outcome.MALFORMED


@pytest.mark.parametrize(
    ("more", "detail"),
    [
        (", algorithm=SHA-256", "the digest algorithm must be one of MD5"),
        (', qop=auth-int, nc=00000001, cnonce="c"', "qop must be one of auth"),
        ("", "qop must be one of auth"),
        (", userhash=true", "the challenge asks for no userhash"),
        (", nc=1", "Authorization cannot be read"),
    ],
)
def test_credentials_that_cannot_be_right_are_refused_with_what_is_amiss(more: str, detail: str) -> None:
    judge = server(algorithms=["MD5"])
    verdict = judge.verify(request(old_style(nonce_of(judge), more=more)), USERS.get, 11.0)
    assert verdict.detail == detail
    assert ("Warning", f'399 sipswarm "{detail}"') in judge.refusal(verdict, 11.0)[1]


# ---- other schemes beside Digest (RFC 3261 section 22.1, RFC 8898 section 2)

FOREIGN = (
    *("Basic", "Basic abc", "Basic YWJj", "Basic YWJj==", 'Basic realm="x"', f'Basic realm="{REALM}", nonce="n"'),
    *(
        "Bearer abc.def",
        'Bearer realm="x", scope="a b", error="invalid_token"',
        'Bearer authz_server="https://a?b=c,d"',
    ),
    *("Negotiate", "NTLM TlRMTVNTUAAB==", "foo", "foo bar", 'foo bar="', "", ",", "=", ";;", '"', "<", "foo=bar, x"),
    *("Digestive a=b", f'Digest-MD5 realm="{REALM}", nonce="n"', "Custom a = b, c", "B\xe4sic x", "Mutual x=1, x=2"),
)
ORDERS = ("before", "after", "both", "line before", "line after")


def beside(own: str, foreign: str, order: str) -> list[str]:
    """The values of a header that has ours and a foreign one."""
    return {
        "before": [foreign, own],
        "after": [own, foreign],
        "both": [foreign, own, foreign],
        "line before": [f"{foreign}, {own}"],
        "line after": [f"{own}, {foreign}"],
    }[order]


def fits_one_line(foreign: str, order: str) -> bool:
    """Whether a foreign value leaves what stands beside it in the same line as it is."""
    return not order.startswith("line") or (foreign.count('"') % 2 == 0 and not foreign.startswith(("=", "<", ";")))


@pytest.mark.parametrize("proxy", [False, True], ids=["user", "proxy"])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("foreign", FOREIGN)
def test_credentials_of_another_scheme_are_as_if_absent(foreign: str, order: str, proxy: bool) -> None:
    if not fits_one_line(foreign, order):
        return
    judge = server(proxy=proxy)
    ((name, own),) = signed(judge)
    pairs = [(name, value) for value in beside(own, foreign, order)]
    assert verify(judge, pairs, 11.0) is Outcome.OK


@pytest.mark.parametrize("proxy", [False, True], ids=["user", "proxy"])
@pytest.mark.parametrize("foreign", FOREIGN)
def test_credentials_of_another_scheme_alone_are_challenged(foreign: str, proxy: bool) -> None:
    judge = server(proxy=proxy)
    name = "Proxy-Authorization" if proxy else "Authorization"
    verdict = judge.verify(request([(name, foreign)]), USERS.get, 11.0)
    assert verdict.outcome is Outcome.MISSING
    assert judge.refusal(verdict, 11.0)[0] == (407 if proxy else 401)


@pytest.mark.parametrize("broken", ["Digest", "Digest ;;", "Digest x", f'Digest realm="{REALM}"'])
def test_broken_credentials_cost_themselves_only(broken: str) -> None:
    judge = server()
    ((name, own),) = signed(judge)
    assert verify(judge, [(name, own), (name, broken)], 11.0) is Outcome.OK
    ((name, own),) = signed(judge, source="")
    taken = request([(name, broken), (name, own)])
    assert judge.verify(taken, USERS.get, 11.0).outcome is Outcome.OK
    assert Leniency.UNREADABLE_ELEMENT in taken.leniencies
    assert verify(judge, [(name, broken)], 11.0) is Outcome.MALFORMED  # RFC 2617 section 3.2.2: 400
    strict = parse(taken.to_bytes(), strict=True)
    assert isinstance(strict, Request)
    assert judge.verify(strict, USERS.get, 11.0).outcome is Outcome.MALFORMED


@pytest.mark.parametrize("status", [401, 407])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("foreign", [*FOREIGN, "Digest", "Digest ;;", 'Digest realm="x"'])
def test_a_challenge_of_another_scheme_hides_none_of_ours(foreign: str, order: str, status: int) -> None:
    if not fits_one_line(foreign, order):
        return
    own = f'Digest realm="{REALM}", nonce="n", qop="auth"'
    sent = answer(client(), challenged(*beside(own, foreign, order), status=status))
    assert sent is not None
    read = parse_credentials(sent[0][1])
    assert read is not None
    assert (read.realm, read.nonce) == (REALM, "n")
    assert answer(client(), challenged(foreign, status=status)) is None
