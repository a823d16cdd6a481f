"""How a call ends on which our own code, or its user's, has failed: it ends alone, and who waits for it hears of it.

RELIABILITY P9: a call that came in gets 500, one that is up a BYE. One of which the peer knows nothing yet, or that
cannot be ended in order, is given up without a word.
"""

from typing import TYPE_CHECKING, Final

from sipswarm.sipcore.session.events import Cause

from .notices import Refused
from .state import State

if TYPE_CHECKING:
    from .actor import CallActor

INTERNAL_ERROR: Final = "internal_error"
"""cause of such a call"""


def end(actor: "CallActor", now: float, error: BaseException) -> Refused | None:
    """End a call after an error; what its user is to be told of an INVITE that never went out.

    Raises:
        Exception: it could not be ended in order, and was given up.
    """
    if actor.crash is None:
        actor.crash = error.with_traceback(None)  # its frames would hold the call
    actor.cause = actor.cause or INTERNAL_ERROR
    try:
        if actor.state in (State.INCOMING, State.ANSWERING) and not actor.times.answered:
            actor.reject(500, "", (), now)
        else:
            actor.hang_up(now)
    except Exception:
        actor.abandon(now)
        raise
    if actor.state is State.OVER or actor.session.transactions:
        return None
    return Refused(500, INTERNAL_ERROR, None, Cause.TRANSPORT)
