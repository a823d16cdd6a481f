"""Messages that a call sends by itself, without a command of its file: how it is given up, and 200 to a request.

When which is sent is as in SIPp. What is in them keeps RFC 3261 where SIPp's messages do not: a CANCEL and the ACK of a
failed INVITE are made of the INVITE (sections 9.1 and 17.1.1.3), a BYE of the dialog (section 12.2.1.1).
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from .dialog import Dialog, routes_of
from .received import Received, tag_of, uri_of

AUTO_ANSWERED: Final = frozenset(("INFO", "NOTIFY", "OPTIONS", "UPDATE"))
"""Methods that `-aa` answers."""


class Local(NamedTuple):
    """The local side of a call, as its messages name it."""

    transport: str
    """`UDP`, `TCP` or `TLS`."""
    address: str
    """`host:port`, IPv6 in brackets."""
    branch: str
    """Begin of a branch that no message of the file has."""
    tag: str
    """Tag for a response to a request without To tag."""

    @property
    def contact(self) -> str:
        """Value of the Contact."""
        return f"<sip:{self.address};transport={self.transport.lower()}>"


def farewell(sent: str, dialog: Dialog, local: Local) -> tuple[str, ...]:
    """Return what is sent when a call is given up: ACK, ACK and BYE, CANCEL, BYE, or nothing.

    Args:
        sent: the last message that the file sent.
        dialog: what was received, the last message included, and unexpected ones.
        local: the local side.
    """
    last = dialog.last
    if last is None:
        return ()
    if dialog.established or not sent.startswith("INVITE "):
        return (_in_dialog("BYE", _number(last, dialog) + 1, last, dialog, local),)
    invite = Received(sent)
    if last.code >= 400:
        return (_of_invite("ACK", invite, last.value("To")),)
    if dialog.ack_pending:
        ack = _in_dialog("ACK", invite.cseq_number, last, dialog, local)
        return ack, _in_dialog("BYE", invite.cseq_number + 1, last, dialog, local)
    return (_of_invite("CANCEL", invite, invite.value("To")),)


def ok(request: Received, local: Local) -> str:
    """Return 200 to a request (RFC 3261 section 8.2.6).

    Args:
        request: what is answered.
        local: the local side.
    """
    to = request.value("To")
    if to and not tag_of(to):
        to = f"{to};tag={local.tag}"
    return _message(
        "SIP/2.0 200 OK",
        [
            *[("Via", value) for value in request.values("Via")],
            ("From", request.value("From")),
            ("To", to),
            ("Call-ID", request.value("Call-ID")),
            ("CSeq", request.value("CSeq")),
            ("Contact", local.contact),
        ],
    )


def _number(last: Received, dialog: Dialog) -> int:
    """The highest CSeq number of the local side that is known."""
    return dialog.cseq if last.method else max(dialog.cseq, last.cseq_number)


def _of_invite(method: str, invite: Received, to: str) -> str:
    """An ACK or CANCEL that belongs to the transaction of an INVITE."""
    return _message(
        f"{method} {invite.request_uri} SIP/2.0",
        [
            *[("Via", value) for value in invite.values("Via")[:1]],
            *[("Route", value) for value in invite.values("Route")],
            ("Max-Forwards", "70"),
            ("From", invite.value("From")),
            ("To", to),
            ("Call-ID", invite.value("Call-ID")),
            ("CSeq", f"{invite.cseq_number} {method}"),
        ],
    )


def _in_dialog(method: str, number: int, last: Received, dialog: Dialog, local: Local) -> str:
    """A request in the dialog of a received message: of a response to the local side, or of a request of the peer."""
    near, far = ("To", "From") if last.method else ("From", "To")
    contact = "" if last.method else last.value("Contact")
    routes = routes_of(last) if dialog.routes is None else dialog.routes
    uri = dialog.next_url or uri_of(contact or last.value(far))
    return _message(
        f"{method} {uri} SIP/2.0",
        [
            ("Via", f"SIP/2.0/{local.transport} {local.address};branch={local.branch}-{method.lower()}"),
            *[("Route", route) for route in routes],
            ("Max-Forwards", "70"),
            ("From", last.value(near)),
            ("To", last.value(far)),
            ("Call-ID", last.value("Call-ID")),
            ("CSeq", f"{number} {method}"),
            ("Contact", local.contact),
        ],
    )


def _message(start_line: str, headers: Iterable[tuple[str, str]]) -> str:
    """A message without body; headers without a value are left out."""
    lines = [start_line, *[f"{name}: {value}" for name, value in headers if value], "Content-Length: 0", "", ""]
    return "\r\n".join(lines)
