"""Secrets in SIP messages are overwritten where they stand, whatever way a peer has written them; nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipswarm.actors.trace.masking import masked

HEAD = b"REGISTER sip:example.org SIP/2.0\r\nCall-ID: 1\r\n"
INFO = b"INFO sip:a@127.0.0.1 SIP/2.0\r\nContent-Type: application/dtmf-relay\r\n\r\n"
SDP = b"INVITE sip:a@127.0.0.1 SIP/2.0\r\n\r\nv=0\r\n"
ROWS = [
    (
        HEAD + b'Authorization: Digest username="bob", nonce="n1", response="0123456789abcdef", qop=auth\r\n\r\n',
        HEAD + b'Authorization: Digest username="bob", nonce="n1", response="xxxxxxxxxxxxxxxx", qop=auth\r\n\r\n',
    ),
    (HEAD + b"proxy-authorization :DIGEST Response = abc,uri=x\r\n", None),
    (HEAD + b'Authorization: Digest username="bob",\r\n response="0123",\r\n\tnc=00000001\r\nTo: x\r\n', None),
    (HEAD + b'Authorization: Digest username="response=no\\\\", response="0123"\r\n', None),
    (HEAD + b"Authorization: Basic Ym9iOnNlY3JldA==\r\nTo: x\r\n", None),
    (HEAD + b"Authorization: Bearer a.b.c, d\r\n e\r\nTo: x\r\n", None),
    (b'SIP/2.0 200 OK\r\nAuthentication-Info: qop=auth, rspauth="6629fae4", nc=1\r\n\r\n', None),
    (SDP + b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9|2^20\r\na=x\r\n", None),
    (SDP + b"A=crypto:1 F8 inline:abc;inline:def UNENCRYPTED_SRTP\n", None),
    (SDP + b"k=clear:secret\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\na=key-mgmt:mikey AQAFgM0X\r\n", None),
    (INFO + b"Signal=5\r\nDuration=160\r\n", INFO + b"Signal=x\r\nDuration=160\r\n"),
    (INFO + b"Signal= *\nDuration= 160\n", INFO + b"Signal= x\nDuration= 160\n"),
    (INFO + b" 12#\r\n", INFO + b" xxx\r\n"),
]
SECRETS = (
    *(b"0123", b"= abc", b"Ym9i", b"a.b.c", b" d\r", b"\r\n e\r", b"6629", b"WVNf", b"2^20", b"abc;", b"def"),
    *(b"secret", b"asd88", b"AQAF", b"Signal=5", b"*", b"12#"),
)


@pytest.mark.parametrize(("message", "expected"), ROWS)
def test_a_secret_is_overwritten_and_the_length_stays(message: bytes, expected: bytes | None) -> None:
    found = masked(message)
    assert len(found) == len(message)
    assert found != message
    assert expected is None or found == expected
    assert [secret for secret in SECRETS if secret in found] == []
    assert found.count(b"\n") == message.count(b"\n")
    assert masked(found) == found


@pytest.mark.parametrize("secret", SECRETS)
def test_every_secret_that_the_rows_look_for_is_in_one_of_them(secret: bytes) -> None:
    assert any(secret in message for message, _ in ROWS)


@pytest.mark.parametrize(
    "message",
    [
        b'INVITE sip:a@127.0.0.1 SIP/2.0\r\nSubject: response="1" Signal=5\r\n\r\nv=0\r\na=sendrecv\r\n',
        b'SIP/2.0 401 Unauthorized\r\nWWW-Authenticate: Digest realm="a", nonce="b", response="no"\r\n\r\n',
        INFO.replace(b"dtmf-relay", b"text") + b"d: 5, not a digit\r\n",
        b"",
    ],
)
def test_what_is_no_secret_stays(message: bytes) -> None:
    assert masked(message) == message


@given(
    st.lists(st.sampled_from([b"authorization:", b"digest ", b"response", b"=", b'"', b"\r\n", b" ", b"info ", b"a"]))
)
def test_any_octets_are_masked_without_an_error_and_keep_their_length(parts: list[bytes]) -> None:
    message = b"".join(parts)
    assert len(masked(message)) == len(message)
