"""Offers of ours in an UPDATE (RFC 3311 section 5): sent in one call of the session, settled with its final response.

An UPDATE can change a session before it is answered, where a reliable 1xx has agreed on one, and afterwards without
asking the person at the phone. Its offer is pending in the call's media until the answer, as that of a re-INVITE is; a
failure leaves what was agreed before.
"""

from sipswarm.sipcore.errors import LocalProtocolError
from sipswarm.sipcore.sdp.offer_answer import Hold, State
from sipswarm.sipcore.session import events as sip
from sipswarm.sipcore.session.invite_session import InviteSession

from .media import CallMedia


def send(
    session: InviteSession, media: CallMedia, headers: tuple[tuple[str, str], ...], now: float, *, hold: Hold = ""
) -> int:
    """Send our offer in an UPDATE, to the first fork before the answer; the number under which `RequestFinished` comes.

    Raises:
        LocalProtocolError: nothing is agreed yet, an offer is open, or it has more lines than the call has ports for.
    """
    in_force = media.fork
    if session.dialog is not None:
        media.enter(session.dialog.number)
    try:
        _check(media)
        body = media.offer(hold)
        try:
            media.updating = session.update(now, body, headers=headers)
        except LocalProtocolError:
            media.exchange.reject()
            raise
    except LocalProtocolError:
        media.enter(in_force)
        raise
    return media.updating


def _check(media: CallMedia) -> None:
    """Raises LocalProtocolError where the dialog in force cannot take an offer of ours now."""
    exchange = media.exchange
    if exchange.local is None or exchange.remote is None or not media.ready:
        raise LocalProtocolError("an UPDATE with an offer needs a session that is agreed (RFC 3311 section 5.1)")
    if exchange.pending is not None:
        raise LocalProtocolError("an UPDATE with an offer has to wait: another offer is open (RFC 3311 section 5.1)")
    if media.given is not None and len(media.given.media) > len(media.lines):
        raise LocalProtocolError("an UPDATE opens no port for a further media line; use a re-INVITE")


def settled(media: CallMedia, event: sip.RequestFinished) -> int:
    """What a final response means: its status, but 488 for a 2xx that has not answered the offer of our UPDATE."""
    if event.method != "UPDATE" or event.request_id != media.updating or not media.updating:
        return event.status
    media.updating = 0
    if media.exchange.state is State.LOCAL_OFFER:
        media.exchange.reject()
    return 488 if event.status < 300 else event.status
