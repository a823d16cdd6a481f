"""Transfer: the content of REFER, its NOTIFYs and Replaces, as plain values (RFC 3515, 3891, 3892, 4488, 5589).

It reads and writes Refer-To, sipfrag bodies and the Replaces of an attended transfer, and keeps the two ends of the
implicit subscription. It must send nothing itself.
"""

from __future__ import annotations

from typing import Final, NamedTuple, final

from ..errors import ParseError, RemoteProtocolError
from ..message.embedded import carried_headers
from ..message.fields import Replaces
from ..message.messages import REASON_PHRASES, Request
from ..message.multipart import first_of
from ..message.uri import Uri, escape

SIPFRAG: Final = "message/sipfrag;version=2.0"
SUBSCRIPTION_SECONDS: Final = 180
"""Duration of an implicit subscription unless it ends before (RFC 3515 section 2.4.4 leaves it to the notifier)."""

_FREE: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!~*'()"


class TransferTarget(NamedTuple):
    """The target of a REFER, and the headers of the call to it."""

    uri: str
    """The Request-URI, without embedded headers."""
    headers: tuple[tuple[str, str], ...]
    """Headers of the new INVITE: Replaces, Referred-By …."""


@final
class Transferring:
    """The local side of a transfer that was requested here: the subscription to its progress (RFC 3515 2.4.4)."""

    __slots__ = ("cseq", "ends_at", "request_id")

    def __init__(self, request_id: int, ends_at: float) -> None:
        self.request_id = request_id
        self.cseq = 0
        """CSeq number of the REFER as sent last, which the NOTIFYs may name as id (RFC 3515 section 2.4.6)."""
        self.ends_at = ends_at


@final
class Transferred:
    """The local side of a transfer that the peer requested: the subscription that it is notified under."""

    __slots__ = ("cseq", "ends_at", "request_id", "silent")

    def __init__(self, request_id: int, cseq: int, ends_at: float, silent: bool) -> None:
        self.request_id = request_id
        self.cseq = cseq
        self.ends_at = ends_at
        self.silent = silent
        """True when the peer declines NOTIFYs (RFC 4488)."""


def refer_to(target: str, replaces: Replaces | None = None) -> str:
    """Write a Refer-To value; `replaces` makes it an attended transfer (RFC 5589 section 7.1)."""
    start = target.find("<")
    uri = target[start + 1 : target.find(">", start)] if start >= 0 else target
    if replaces is not None:
        mark = "&" if "?" in uri else "?"
        uri = f"{uri}{mark}Replaces={escape(str(replaces), _FREE)}"
    return f"<{uri}>"


def target_of(refer: Request) -> TransferTarget:
    """Read the target of a REFER.

    Raises:
        ParseError: without exactly one Refer-To (RFC 3515 section 2.4.2).
        RemoteProtocolError: the target is to get another request than INVITE, which is declined (RFC 3515 section
            2.4.2, RFC 3261 section 19.1.1).
    """
    if len(refer.headers.get_all("Refer-To")) != 1:
        raise ParseError("a REFER has exactly one Refer-To")
    named = refer.refer_to
    if named is None:
        raise ParseError("a REFER has exactly one Refer-To")
    method = named.uri.params.get("method")
    if method is not None and method.upper() != "INVITE":
        raise RemoteProtocolError(f"a REFER for {method} is declined, only INVITE is placed", 603)
    headers = list(carried_headers(named.uri))
    referred_by = refer.headers.get("Referred-By")
    if referred_by is not None:
        headers.append(("Referred-By", referred_by))
    return TransferTarget(plain_uri(named.uri), tuple(headers))


def plain_uri(uri: Uri) -> str:
    """Return a URI as a Request-URI has it: no embedded headers, no method parameter (RFC 3261 section 19.1.1)."""
    if not uri.headers and "method" not in uri.params:
        return str(uri)
    params = {name: value for name, value in uri.params.items() if name != "method"}
    return str(uri.replace(params=params, headers=()))


def sipfrag(status: int, reason: str = "") -> bytes:
    """Write the body of a NOTIFY: the status line alone (RFC 3515 section 2.4.5)."""
    return f"SIP/2.0 {status} {reason or REASON_PHRASES.get(status, 'Unknown')}\r\n".encode()


def progress_of(notify: Request) -> tuple[int, str] | None:
    """Return status and reason from a NOTIFY: its body, or the part of a multipart body that is a sipfrag.

    Returns:
        None when neither can be read.
    """
    try:
        parts = notify.parts
        return read_sipfrag(first_of("message/sipfrag", parts) if parts else notify.body)
    except ParseError:
        return None


def read_sipfrag(body: bytes) -> tuple[int, str]:
    """Read status and reason from the body of a NOTIFY.

    Raises:
        ParseError: it begins with no status line.
    """
    line = body.lstrip(b"\r\n")[:512].split(b"\n", 1)[0].decode("utf-8", "replace").rstrip("\r")
    version, _, rest = line.partition(" ")
    code, _, reason = rest.partition(" ")
    if version.upper() != "SIP/2.0" or len(code) != 3 or not code.isdigit() or not code.isascii():
        raise ParseError("a sipfrag begins with a status line")
    status = int(code)
    if not 100 <= status <= 699:
        raise ParseError("the status of a sipfrag is out of range")
    return status, reason
