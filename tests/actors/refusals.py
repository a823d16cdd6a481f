"""Final responses without a call, for tests of what becomes of them. Not a test."""

from sipswarm.sipcore.message.messages import Request, Response


def response(status: int, *extra: tuple[str, str]) -> Response:
    """A final response to an OPTIONS request."""
    request = Request.build(
        "OPTIONS",
        "sip:desk@192.0.2.7",
        [
            ("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx"),
            ("From", "<sip:me@example.com>;tag=a"),
            ("To", "<sip:desk@192.0.2.7>"),
            ("Call-ID", "c"),
            ("CSeq", "1 OPTIONS"),
        ],
    )
    return Response.to_request(request, status, to_tag="b", extra=extra)


def challenge(status: int, written: str = 'Digest realm="there", nonce="n"') -> tuple[tuple[str, str], ...]:
    """The header of a challenge; none where nothing is written."""
    return (("Proxy-Authenticate" if status == 407 else "WWW-Authenticate", written),) if written else ()
