"""Messages that did not get out: the fields by which they find their call or registration."""

from typing import NamedTuple

from sipswarm.sipcore.message import peek


class Sent(NamedTuple):
    """The identity of a message that went out; the tag is the local one: of From in a request, of To in a response."""

    call_id: str
    from_tag: str
    branch: str


def identity(data: bytes) -> Sent | None:
    """Read the identity of a message that was written here, also from its first part only.

    Of responses only a 2xx to an INVITE is looked at, because nothing can be done about the others.

    Returns:
        The identity; None for every other message.
    """
    if data.startswith(b"SIP/2.0 "):
        # Its headers are spelled as the peer has written them.
        answered, tag = peek.call_id(data), peek.to_tag(data)
        if not (answered and tag and peek.accepts_invite(data)):
            return None
        return Sent(answered.decode("utf-8", "surrogateescape"), tag, "")
    call_id = _value(data, b"\r\nCall-ID: ")
    from_tag = _value(data, b"\r\nFrom: ").rpartition(b";tag=")[2].partition(b";")[0]
    branch = _value(data, b"\r\nVia: ").partition(b";branch=")[2].partition(b";")[0]
    if not (call_id and from_tag and branch):
        return None
    return Sent(
        call_id.decode("utf-8", "surrogateescape"),
        from_tag.decode("utf-8", "surrogateescape"),
        branch.decode("ascii", "replace"),
    )


def _value(data: bytes, name: bytes) -> bytes:
    start = data.find(name)
    if start < 0:
        return b""
    start += len(name)
    end = data.find(b"\r\n", start)
    return data[start:end] if end >= 0 else b""
