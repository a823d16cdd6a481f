"""Digest authentication as SIPp does it: the line of `[authentication …]`, and what `verifyauth` checks.

RFC 2617, RFC 7616 and RFC 3310, with the order and the quotes of SIPp. All text has one character for each octet, so
hashes are those of the octets that are on the wire. A challenge that asks for what cannot be computed is an error of
the call, never a wrong answer. Where SIPp has MD5 and AKAv1-MD5 only, and answers MD5-sess by the hash of MD5, the
algorithms of RFC 7616 are computed here as they are defined.
"""

import hmac
from base64 import b64decode
from binascii import Error as NotBase64
from random import Random
from typing import Final

from sipswarm.sipcore.auth.aka import CANONICAL as AKA
from sipswarm.sipcore.auth.aka import NAME as AKA_NAME
from sipswarm.sipcore.auth.aka import VECTOR, AkaKeys, AkaServer
from sipswarm.sipcore.auth.digest import Challenge, hash_text, is_supported, parse_challenges, parse_credentials
from sipswarm.sipcore.errors import ParseError

from .template import Credentials

_ANSWERING: Final = ("authorization", "proxy-authorization")


class AuthenticationError(ValueError):
    """A challenge that cannot be answered; the text says why."""


def answer(
    random: Random,
    challenge: str,
    header: str,
    credentials: Credentials,
    *,
    method: str,
    uri: str,
    body: str,
    count: int,
) -> str:
    """Return the header line that answers a challenge, without its line end.

    Args:
        random: source of the client nonce.
        challenge: value of WWW-Authenticate or Proxy-Authenticate.
        header: name of the header that answers it.
        credentials: of `[authentication …]`.
        method: of the request.
        uri: `sip:IP:PORT` of the target, as SIPp writes it whatever the Request-URI is.
        body: of the request.
        count: which answer of the call it is, from 1.

    Raises:
        AuthenticationError: the challenge cannot be read, or asks for what cannot be computed.
    """
    wanted = _read(challenge)
    qop = next((each for each in ("auth-int", "auth") if each in wanted.qop), "")  # SIPp prefers auth-int
    if wanted.qop and not qop:
        raise AuthenticationError(f"qop is {', '.join(wanted.qop)}; auth and auth-int can be answered")
    algorithm, secret = _secret(wanted, credentials)
    cnonce = f"{random.getrandbits(31):x}" if qop or wanted.algorithm.endswith("-sess") else ""
    nc = f"{count:08x}" if qop else ""
    response = _response(
        algorithm,
        _ha1(algorithm, credentials.username, wanted.realm, secret, wanted.nonce, cnonce),
        (wanted.nonce, nc, cnonce, qop),
        (method, uri, body),
    )
    parts = [f'Digest username="{credentials.username}"', f'realm="{wanted.realm}"']
    if cnonce:
        parts.append(f'cnonce="{cnonce}"')
    if qop:
        parts += [f"nc={nc}", f"qop={qop}"]
    parts += [f'uri="{uri}"', f'nonce="{wanted.nonce}"', f'response="{response}"']
    parts.append(f"algorithm={AKA_NAME if wanted.algorithm == AKA else wanted.written_algorithm or 'MD5'}")
    if wanted.opaque:
        parts.append(f'opaque="{wanted.opaque}"')
    return f"{header}: {','.join(parts)}"


def is_authorized(message: str, username: str, password: str) -> bool:
    """Whether a request has credentials that are right for a user (`verifyauth`).

    Args:
        message: the request.
        username, password: of the user.
    """
    head, _, body = message.partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    method = first.partition(" ")[0]
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip().lower() not in _ANSWERING:
            continue
        try:
            given = parse_credentials(value.strip())
        except ParseError:
            continue
        if given is None or given.username != username or not is_supported(given.algorithm):
            continue
        wanted = _response(
            given.algorithm,
            _ha1(given.algorithm, username, given.realm, password.encode("latin-1"), given.nonce, given.cnonce),
            (given.nonce, given.written_nc, given.cnonce, given.qop),
            (method, given.uri, body),
        )
        if hmac.compare_digest(wanted.encode("latin-1"), given.response.encode("latin-1")):
            return True
    return False


def _read(challenge: str) -> Challenge:
    try:
        found = parse_challenges(challenge)
    except ParseError as error:
        raise AuthenticationError(f"the challenge cannot be read: {error}") from error
    if not found:
        raise AuthenticationError("the challenge is not of the scheme Digest")
    return found[0]


def _secret(challenge: Challenge, credentials: Credentials) -> tuple[str, bytes]:
    """Return the algorithm of the hashes, and what stands for the password."""
    if challenge.algorithm != AKA:
        if not is_supported(challenge.algorithm):
            raise AuthenticationError(f"algorithm {challenge.algorithm} cannot be computed")
        return challenge.algorithm, credentials.password.encode("latin-1")
    rand = _rand(challenge.nonce)
    try:
        keys = AkaKeys.of(
            _octets(credentials.aka_k or credentials.password),
            _octets(credentials.aka_op) or bytes(16),
            _octets(credentials.aka_amf) or bytes(2),
        )
    except ValueError as error:
        raise AuthenticationError(f"{error}; write aka_K, aka_OP and aka_AMF into [authentication …]") from error
    res = AkaServer(lambda _: keys).response(credentials.username, rand) if rand else None
    if res is None:
        raise AuthenticationError("the nonce has no RAND and AUTN, as AKA wants it (RFC 3310 section 3.2)")
    return "MD5", res


def _rand(nonce: str) -> bytes:
    """Return RAND of a nonce of AKA; empty = it is none."""
    try:
        octets = b64decode(nonce, validate=True)
    except (NotBase64, ValueError):
        return b""
    return octets[:16] if len(octets) >= VECTOR else b""


def _octets(text: str) -> str | bytes:
    """Return a key as `AkaKeys` takes it: hexadecimal digits behind 0x, else octets."""
    return text if text[:2].lower() == "0x" else text.encode("latin-1")


def _ha1(algorithm: str, username: str, realm: str, secret: bytes, nonce: str, cnonce: str) -> str:
    ha1 = hash_text(algorithm, f"{username}:{realm}:".encode("latin-1") + secret)
    if algorithm.endswith("-sess"):
        ha1 = hash_text(algorithm, f"{ha1}:{nonce}:{cnonce}".encode("latin-1"))
    return ha1


def _response(algorithm: str, ha1: str, nonces: tuple[str, str, str, str], request: tuple[str, str, str]) -> str:
    """Return the response parameter.

    Args:
        nonces: nonce, its count, client nonce, qop.
        request: method, uri, body.
    """
    nonce, nc, cnonce, qop = nonces
    method, uri, body = request
    entity = f":{hash_text(algorithm, body.encode('latin-1'))}" if qop == "auth-int" else ""
    ha2 = hash_text(algorithm, f"{method}:{uri}{entity}".encode("latin-1"))
    middle = f"{nonce}:{nc}:{cnonce}:{qop}" if qop else nonce
    return hash_text(algorithm, f"{ha1}:{middle}:{ha2}".encode("latin-1"))
