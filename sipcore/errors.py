"""The faults of the SIP core, by whose fault they are: the peer's bytes, the peer's behaviour, our caller's.

RFC 3261 section 8.2 and 21.4.1. It has status codes as hints only; never writes an answer itself.
"""


class SipError(Exception):
    """Everything that sipcore raises on purpose."""


class ParseError(SipError):
    """Bytes from a peer that cannot be read as SIP.

    Args:
        reason: what is wrong and where, fit for a log line or a reason phrase.
        status_hint: the status code that answers it if it was a request (RFC 3261 21.4.1: 400).
    """

    def __init__(self, reason: str, status_hint: int = 400) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status_hint = status_hint


class LocalProtocolError(SipError):
    """Our own caller requested what the state of the protocol forbids, or for a message that may not exist."""


class RemoteProtocolError(SipError):
    """The peer sent something well written that the state of the protocol forbids.

    Args:
        reason: what it did.
        status_hint: the status code that answers it if it was a request.
    """

    def __init__(self, reason: str, status_hint: int = 400) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status_hint = status_hint
