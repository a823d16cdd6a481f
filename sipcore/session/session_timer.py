"""Session timers: the refresher of a call, the interval, and the moment of giving up (RFC 4028).

A call without an agreement is probed by OPTIONS instead, and a bound of its age holds whatever was agreed.

`SessionTimer` holds the agreement and the two moments that follow from it. The functions read and write the headers: a
request offers an interval, its 2xx settles it, a 422 raises the minimum. It must send nothing itself.
"""

from __future__ import annotations

from math import inf
from typing import Final, NamedTuple, final

from ..errors import ParseError
from ..message.messages import Message, Request, Response
from .session_config import SessionConfig

OPTION_TAG = "timer"
LONGEST: Final = 7 * 86400
"""Seconds of the longest interval that is agreed to; a longer one would never find out that the peer is gone."""
SHORTEST: Final = 2
"""Seconds of the shortest interval that a 2xx can give; a peer cannot ask for more than one refresh a second."""
PROBE_AGAIN: Final = 32.0
"""Seconds from a probe without success to the next one."""
MISSES: Final = 2
"""Probes in a row without success that end a call."""
UNREACHED: Final = frozenset((408, 410, 430, 480))
"""Statuses by which a probe did not reach the peer; 481 ends the call by itself (RFC 3261 section 12.2.1.2)."""


class Agreed(NamedTuple):
    """The agreement of a request and its 2xx."""

    interval: int
    """Seconds, 0 for a session that does not expire."""
    we_refresh: bool
    """True when the local side refreshes."""


@final
class SessionTimer:
    """The timer of one call (RFC 4028 section 10). Starts without any agreement."""

    __slots__ = ("_misses", "_probe_after", "agreed", "expires_at", "min_se", "over_at", "probe_at", "refresh_at")

    def __init__(self, min_se: int, probe_after: float = 0.0) -> None:
        self.agreed = Agreed(0, False)
        self.min_se = min_se
        """Shortest interval that the path accepts, raised by each 422, in seconds."""
        self._probe_after = probe_after
        self._misses = 0
        self.refresh_at = inf
        self.expires_at = inf
        self.probe_at = inf
        """When the peer is asked whether it is there, where nothing was agreed."""
        self.over_at = inf
        """When the call is as old as it may become."""

    @property
    def moments(self) -> tuple[float, float, float, float]:
        """When the next refresh, the end without one, the next probe and the bound of the age are due."""
        return self.refresh_at, self.expires_at, self.probe_at, self.over_at

    @property
    def due(self) -> float:
        """Time of the next refresh, probe or end; infinite without any."""
        return min(self.moments)

    def bound_age(self, most: float, now: float) -> None:
        """Bound the age of the call, in seconds from its answer on; 0 = no bound. Only the first time counts."""
        if most and self.over_at == inf:
            self.over_at = now + most

    def start(self, agreed: Agreed, now: float) -> None:
        """Begin a new interval: refresh at half, give up min(32 s, a third) before the end (section 10)."""
        self.agreed = agreed
        interval = agreed.interval
        self._misses = 0
        if not interval:
            self.refresh_at = self.expires_at = inf
            self.probe_at = now + self._probe_after if self._probe_after else inf
            return
        self.probe_at = inf
        self.refresh_at = now + interval / 2.0 if agreed.we_refresh else inf
        self.expires_at = now + interval - min(32.0, interval / 3.0)

    def stop(self) -> None:
        """Forget the agreement: the call is over, or does not expire any more."""
        self.agreed = Agreed(0, False)
        self.refresh_at = self.expires_at = self.probe_at = self.over_at = inf

    def probing(self, now: float) -> None:
        """Note that a probe is sent: the next one follows, whatever becomes of it."""
        self.probe_at = now + self._probe_after

    def probed(self, status: int, *, answered: bool, now: float) -> bool:
        """Take the outcome of a probe; return whether the call is over with it.

        Args:
            status: as for `FinalHandler.take_final`.
            answered: the peer, or a proxy, has answered at all.
        """
        if answered and status not in UNREACHED:
            self._misses = 0
            return False
        self._misses += 1
        if self._misses >= MISSES:
            return True
        if self.probe_at < inf:
            self.probe_at = now + min(PROBE_AGAIN, self._probe_after)
        return False

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
        interval, wanted = min(asked.seconds, LONGEST), asked.refresher
        if config.session_expires:
            interval = min(interval, config.session_expires)
    interval = max(interval, config.min_se, _minimum(request))
    if interval > LONGEST:
        return Agreed(0, False), ""  # a peer that forbids every interval in which its end would be seen
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
    """Read the agreement from the 2xx to a local request (section 7.2); a malformed one agrees to nothing.

    The interval is the peer's, also below the 90 s of section 5: its own timer ends the call. `SHORTEST` and `LONGEST`
    bound it.
    """
    try:
        given = response.session_expires
    except ParseError:
        return Agreed(0, False)
    if given is None or given.seconds <= 0:
        return Agreed(0, False)
    return Agreed(min(max(given.seconds, SHORTEST), LONGEST), given.refresher != "uas")
