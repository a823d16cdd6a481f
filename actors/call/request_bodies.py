"""Bodies of MESSAGE and INFO within a call: which ones are accepted, and which refused (RFC 3261 section 8.2.3).

Text is shown to the user, and needs no other treatment. Digits in INFO belong to `info_dtmf` and come first. NOTIFY is
not judged here: its body belongs to the event that the user subscribed to.
"""

from typing import Final

from sipswarm.sipcore.errors import ParseError
from sipswarm.sipcore.message.messages import Request, is_coded
from sipswarm.sipcore.session import events as sip
from sipswarm.sipcore.session.invite_session import InviteSession

from . import info_dtmf
from .content_types import TEXT
from .notices import DtmfReceived, RequestReceived

_TAKEN: Final = {"MESSAGE": (TEXT,), "INFO": (*info_dtmf.TYPES, TEXT)}


class _Texts(frozenset[str]):
    """The accepted content types: these, and all texts."""

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or str(name).startswith("text/")


def judged(request: Request) -> tuple[int, tuple[tuple[str, str], ...]]:
    """Return status and header fields of the answer to a request with this body; 200 where it may be accepted."""
    taken = _TAKEN.get(request.method)
    if taken is None or not request.body or request.handling_optional:
        return 200, ()
    if not request.headers.get("Content-Type"):
        return 200, ()  # plain text, as RFC 2045 section 5.2 has it
    if is_coded(request.headers):
        return 415, (("Accept-Encoding", "identity"),)
    try:
        understood = request.has_only(_Texts(taken))
    except ParseError:
        return 400, ()
    return (200, ()) if understood else (415, (("Accept", ", ".join(taken)),))


def answered_at_once(request: Request) -> tuple[int, tuple[tuple[str, str], ...], DtmfReceived | None] | None:
    """Return status, headers and digit for a request that needs no decision of a user; None for any other."""
    if request.method not in ("NOTIFY", "OPTIONS", "MESSAGE", "INFO"):
        return None
    status, headers, digit = info_dtmf.read(request) if request.method == "INFO" else (200, (), None)
    if digit is None and status == 200:
        status, headers = judged(request)
    return status, headers, digit


def taken(session: InviteSession, event: sip.RequestReceived, now: float) -> list[DtmfReceived | RequestReceived]:
    """Answer a request of the peer that needs no decision of a user; return what the user is told of it."""
    reply = answered_at_once(event.request) if event.request_id else None
    if reply is None:
        return [RequestReceived(event.request_id, event.request)]
    status, headers, digit = reply
    session.respond(now, event.request_id, status, headers=headers)
    if digit is not None:
        return [digit]
    return [RequestReceived(0, event.request)] if status == 200 else []
