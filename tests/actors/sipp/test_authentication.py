"""Digest as SIPp writes it: the line field by field, AKA, what `verifyauth` takes."""

from base64 import b64encode
from collections.abc import Mapping
from random import Random

import pytest

from sipswarm.actors.sipp.authentication import AuthenticationError, answer, is_authorized
from sipswarm.actors.sipp.template import Credentials
from sipswarm.sipcore.auth.aka import AkaKeys, AkaServer
from sipswarm.sipcore.auth.digest import hash_text, parse_credentials, response_hash, session_hash, user_hash

URI = "sip:127.0.0.1:5060"


def line(challenge: str, secret: Mapping[str, str] | None = None, *, count: int = 1) -> str:
    given = {"username": "alice", "password": "secret", "aka_k": "", "aka_op": "", "aka_amf": "", **(secret or {})}
    return answer(
        Random(1),
        challenge,
        "Authorization",
        Credentials(**given),
        method="INVITE",
        uri=URI,
        body="v=0\r\n",
        count=count,
    )


def expected(algorithm: str, qop: str, nc: str, cnonce: str, password: str = "secret") -> str:
    ha1 = session_hash(algorithm, user_hash(algorithm, "alice", "r", password), "n", cnonce)
    return response_hash(algorithm, ha1, "n", "INVITE", URI, qop=qop, nc=nc, cnonce=cnonce, body=b"v=0\r\n")


def test_the_line_without_qop() -> None:
    assert line('Digest realm="r", nonce="n"') == (
        f'Authorization: Digest username="alice",realm="r",uri="{URI}",nonce="n",'
        f'response="{expected("MD5", "", "", "")}",algorithm=MD5'
    )


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256", "SHA-512-256", "MD5-sess", "SHA-256-sess"])
@pytest.mark.parametrize("qop", ["auth", "auth-int"])
def test_the_line_with_qop(algorithm: str, qop: str) -> None:
    text = line(f'Digest realm="r", nonce="n", algorithm={algorithm}, qop="{qop}", opaque="o"', count=2)
    credentials = parse_credentials(text.partition(": ")[2])
    assert credentials is not None
    cnonce = credentials.cnonce
    assert text == (
        f'Authorization: Digest username="alice",realm="r",cnonce="{cnonce}",nc=00000002,qop={qop},'
        f'uri="{URI}",nonce="n",'
        f'response="{expected(algorithm, qop, "00000002", cnonce)}",algorithm={algorithm},opaque="o"'
    )


def test_auth_int_comes_first_and_an_empty_opaque_is_left_out_as_in_sipp() -> None:
    text = line('Digest realm="r", nonce="n", qop="auth,auth-int", opaque=""')
    assert ",qop=auth-int," in text
    assert "opaque" not in text


def test_octets_of_a_password_are_hashed_as_they_stand() -> None:
    text = line('Digest realm="r", nonce="n"', {"password": "\xc3\xa9"})
    assert expected("MD5", "", "", "", password="é") in text


@pytest.mark.parametrize(
    "keys",
    [
        {"aka_k": "0123456789abcdef", "aka_op": "0xCDC202D5123E20F62B6D676AC72CB318", "aka_amf": "0xB9B9"},
        {"password": "0123456789abcdef", "aka_op": "0xCDC202D5123E20F62B6D676AC72CB318"},
    ],
)
def test_aka_answers_with_res(keys: dict[str, str]) -> None:
    rand = bytes(range(16))
    server = AkaServer(lambda _: AkaKeys.of("0123456789abcdef", "CDC202D5123E20F62B6D676AC72CB318", "B9B9"))
    for nonce in (server.nonce("alice", rand, "own", 1.0), b64encode(rand + bytes(16)).decode()):
        text = line(f'Digest realm="r", nonce="{nonce}", algorithm=AKAv1-MD5, qop="auth"', keys)
        credentials = parse_credentials(text.partition(": ")[2])
        res = server.response("alice", rand)
        assert credentials is not None
        assert res is not None
        ha1 = hash_text("MD5", b"alice:r:" + res)
        assert ",algorithm=AKAv1-MD5" in text
        assert credentials.response == response_hash(
            "MD5", ha1, nonce, "INVITE", URI, qop="auth", nc="00000001", cnonce=credentials.cnonce
        )


@pytest.mark.parametrize(
    ("challenge", "said"),
    [
        ('Basic realm="r"', "not of the scheme Digest"),
        ("Digest", "cannot be read"),
        ('Digest realm="r", nonce="n", algorithm=SHA-3', "algorithm SHA-3 cannot be computed"),
        ('Digest realm="r", nonce="n", qop="token"', "qop is token"),
        ('Digest realm="r", nonce="n", algorithm=AKAv1-MD5', "K of AKA is 16 octets"),
    ],
)
def test_a_challenge_that_cannot_be_answered_says_why(challenge: str, said: str) -> None:
    with pytest.raises(AuthenticationError, match=said):
        line(challenge)


def test_an_aka_nonce_without_rand_says_so() -> None:
    with pytest.raises(AuthenticationError, match="no RAND and AUTN"):
        line('Digest realm="r", nonce="bm9uY2U=", algorithm=AKAv1-MD5', {"aka_k": "0123456789abcdef"})


def request(authorization: str, method: str = "INVITE") -> str:
    return f"{method} sip:b SIP/2.0\r\nTo: <sip:b>\r\n{authorization}\r\n\r\nv=0\r\n"


@pytest.mark.parametrize("header", ["Authorization", "Proxy-Authorization", "authorization"])
@pytest.mark.parametrize(
    "challenge", ['Digest realm="r", nonce="n"', 'Digest realm="r", nonce="n", qop="auth-int", algorithm=SHA-256']
)
def test_verifyauth_takes_what_the_keyword_writes(header: str, challenge: str) -> None:
    text = line(challenge).replace("Authorization", header)
    assert is_authorized(request(text), "alice", "secret")
    assert not is_authorized(request(text), "alice", "other")
    assert not is_authorized(request(text), "bob", "secret")
    assert not is_authorized(request(text, "BYE"), "alice", "secret")


@pytest.mark.parametrize(
    "text", ["To: x", "Authorization: Basic YQ==", 'Authorization: Digest username="alice"', "Authorization: Digest ="]
)
def test_verifyauth_refuses_what_is_no_answer(text: str) -> None:
    assert not is_authorized(request(text), "alice", "secret")
