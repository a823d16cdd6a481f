"""Session timers: the refresher of a call, the interval, and the moment of giving up (RFC 4028).

`SessionTimer` holds the agreement and the two moments that follow from it. The functions read and write the headers: a
request offers an interval, its 2xx settles it, a 422 raises the minimum. It must send nothing itself.
"""

from __future__ import annotations

from math import inf
from typing import NamedTuple, final

from ..errors import ParseError
from ..message.messages import Message, Request, Response
from .session_config import SessionConfig

OPTION_TAG = "timer"


class Agreed(NamedTuple):
    """The agreement of a request and its 2xx."""

    interval: int
    """Seconds, 0 for a session that does not expire."""
    we_refresh: bool
    """True when the local side refreshes."""


@final
class SessionTimer:
    """The timer of one call (RFC 4028 section 10). Starts without any agreement."""

    __slots__ = ("agreed", "expires_at", "min_se", "refresh_at")

    def __init__(self, min_se: int) -> None:
        self.agreed = Agreed(0, False)
        self.min_se = min_se
        """Shortest interval that the path accepts, raised by each 422, in seconds."""
        self.refresh_at = inf
        self.expires_at = inf

    @property
    def due(self) -> float:
        """Time of the next refresh or of the end, infinite without agreement."""
        return self.refresh_at if self.refresh_at < self.expires_at else self.expires_at

    def start(self, agreed: Agreed, now: float) -> None:
        """Begin a new interval: refresh at half, give up min(32 s, a third) before the end (section 10)."""
        self.agreed = agreed
        interval = agreed.interval
        if not interval:
            self.stop()
            return
        self.refresh_at = now + interval / 2.0 if agreed.we_refresh else inf
        self.expires_at = now + interval - min(32.0, interval / 3.0)

    def stop(self) -> None:
        """Forget the agreement: the call is over, or does not expire any more."""
        self.agreed = Agreed(0, False)
        self.refresh_at = self.expires_at = inf

    def request_lines(self, config: SessionConfig) -> str:
        """Write the header lines of a local INVITE or UPDATE, empty when none are needed (sections 7.1, 7.4)."""
        interval, we_refresh = self.agreed
        if interval:
            # 7.4: in a refresh the roles stay as they are, seen from this request.
            refresher = "uac" if we_refresh else "uas"
        else:
            interval, refresher = config.session_expires, config.refresher
        if not interval or OPTION_TAG not in config.supported:
            return ""
        interval = max(interval, self.min_se)
        suffix = f";refresher={refresher}" if refresher else ""
        return f"Session-Expires: {interval}{suffix}\r\nMin-SE: {self.min_se}\r\n"

    def renewed(self, lines: str, config: SessionConfig) -> str:
        """Return header lines that `request_lines` were added to, with the present ones instead of them."""
        own = [line for line in lines.splitlines(True) if not line.startswith(("Session-Expires:", "Min-SE:"))]
        return "".join(own) + self.request_lines(config)

    def raise_minimum(self, response: Response) -> bool:
        """Take a 422; False when it names no higher minimum, so that trying again is useless (section 7.3)."""
        demanded = response.min_se
        if demanded is None or (demanded <= self.min_se and self.agreed.interval <= self.min_se):
            return False
        self.min_se = max(self.min_se, demanded)
        if self.agreed.interval:
            self.agreed = Agreed(max(self.agreed.interval, self.min_se), self.agreed.we_refresh)
        return True


def supports(message: Message, tag: str) -> bool:
    """True when Supported names an option tag, given in lower case; a malformed one names none (7.3.1)."""
    if "supported" not in message.headers.keys:
        return False
    try:
        return any(each.lower() == tag for each in message.supported)
    except ParseError:
        return False


def too_small(request: Request, config: SessionConfig) -> bool:
    """True when a request has a shorter interval than is accepted, and its sender understands 422 (section 9)."""
    if "Session-Expires" not in request.headers or OPTION_TAG not in config.supported:
        return False
    asked = request.session_expires
    return asked is not None and asked.seconds < config.min_se and supports(request, OPTION_TAG)


def answer(request: Request, config: SessionConfig) -> tuple[Agreed, str]:
    """Settle the timer as UAS; return the agreement and the header lines of the 2xx (section 9, table 2)."""
    if OPTION_TAG not in config.supported:
        return Agreed(0, False), ""
    peer_knows = supports(request, OPTION_TAG)
    asked = request.session_expires if "session-expires" in request.headers.keys else None
    if asked is None:
        if not config.session_expires or not peer_knows:
            return Agreed(0, False), ""
        interval, wanted = config.session_expires, ""
    else:
        # The interval may be shortened, but neither side's minimum is undercut.
        interval, wanted = asked.seconds, asked.refresher
        if config.session_expires:
            interval = min(interval, config.session_expires)
    interval = max(interval, config.min_se, _minimum(request))
    refresher = wanted or config.refresher or "uac"
    if not peer_knows:
        refresher = "uas"
    require = f"Require: {OPTION_TAG}\r\n" if peer_knows else ""
    lines = f"Session-Expires: {interval};refresher={refresher}\r\n{require}"
    return Agreed(interval, refresher == "uas"), lines


def _minimum(request: Request) -> int:
    """Read Min-SE; one that cannot be read demands nothing."""
    try:
        return request.min_se or 0
    except ParseError:
        return 0


def settled(response: Response) -> Agreed:
    """Read the agreement from the 2xx to a local request (section 7.2); a malformed one agrees to nothing."""
    try:
        given = response.session_expires
    except ParseError:
        return Agreed(0, False)
    if given is None or given.seconds <= 0:
        return Agreed(0, False)
    return Agreed(given.seconds, given.refresher != "uas")
