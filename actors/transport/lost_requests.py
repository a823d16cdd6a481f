"""Requests of ours that did not get out: whose they are, and telling it so (RFC 3261 section 17.1.4)."""

import logging
from collections.abc import Callable
from typing import Any, NamedTuple

from sipswarm.sipcore.message import peek

from ..bus.messages import SendFailed
from ..call.actor import CallActor
from ..diagnosis.request_loss import Loss
from ..registration.actor import RegistrationActor

_logger = logging.getLogger(__name__)


class Sent(NamedTuple):
    """What identifies a message of ours; the tag is our own, of From in a request and of To in a response."""

    call_id: str
    from_tag: str
    branch: str


def identity(data: bytes) -> Sent | None:
    """Read back what we have written, also from its first part only; None when it is not ours.

    Of responses only a 2xx to an INVITE is looked at, because nothing can be done about the others.
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


def owner_of(data: bytes, find: Callable[[tuple[Any, ...]], Any]) -> tuple[Any, str]:
    """Whose request it is and its branch; None and nothing when nobody waits for it any more. find: by the key."""
    sent = identity(data)
    actor = find((sent.call_id, sent.from_tag)) if sent is not None else None
    return (actor, sent.branch) if sent is not None and actor is not None else (None, "")


def tell(actor: CallActor | RegistrationActor, branch: str, failed: SendFailed, now: float) -> None:
    """Let a call or registration know that one of its requests is lost, and why."""
    _logger.info("%s: a message is lost: %s", actor.name, failed.reason)
    if isinstance(actor, CallActor) and failed.data.startswith(b"SIP/2.0 "):
        actor.success_failed(now, Loss(failed.loss))
    elif isinstance(actor, CallActor):
        actor.transport_failed(branch, now, Loss(failed.loss))
    else:
        actor.registration.transport_failed(branch, now)
        actor.pump(now)
