"""What a call's user reads of it: its state, its two sides, its end, its media. Nothing here changes a call.

The values are those of the actor and of the parts of the handle. They can be read at any time, after the end too, and
none of them is awaited.
"""

from typing import Final, NamedTuple

from sipswarm.media.messages import StreamStatistics
from sipswarm.sipcore.errors import ParseError
from sipswarm.sipcore.message.fields import NameAddr
from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Request
from sipswarm.sipcore.message.uri import Uri

from ..call.actor import CallActor
from ..call.media import CallMedia
from ..call.state import CallTimes, State
from ..errors import CallError
from ..identity import written_address
from ..trace.ladder import Ladder
from ..trace.recorder import CallRecord
from .digits import CallDigits
from .media_handlers import MediaHandler
from .media_work import MediaWork
from .waiters import Waiters

_NO_VALUE: Final = frozenset(
    (
        *("round_trip_ms", "remote_loss_ratio", "remote_jitter_ms", "audible_ratio"),
        *("received_first", "received_last"),
    )
)
"""Fields that are -1 without a value."""
_EMPTY: Final = {int: 0, float: 0.0, str: ""}
NOTHING_MEASURED: Final = StreamStatistics._make(
    -1.0 if name in _NO_VALUE else _EMPTY.get(kind, ()) for name, kind in StreamStatistics.__annotations__.items()
)._replace(level_dbm0=-127.0)
"""The statistics of a call without media."""


class Source(NamedTuple):
    """Where a message came from."""

    host: str
    """Address, IPv6 without brackets."""
    port: int
    """Port number."""
    transport: str
    """udp, tcp or tls."""


def measured(media: CallMedia) -> StreamStatistics | None:
    """Return the statistics of the first media line; None when there was no line, or none came yet."""
    lines, found = media.lines, media.statistics
    if lines and lines[0].moved:
        return lines[0].all_figures
    return found[0] if found else lines[0].figures if lines else None


class CallReading:
    """The values of one call."""

    to = ""
    """The target of an outgoing call."""
    invite_request: Request | None = None
    """The INVITE of an incoming call."""
    sip_record: CallRecord | None = None
    """The SIP messages so far; not for users, who have `ladder`."""
    source: Source | None = None
    """Where the INVITE of an incoming call came from, as (host, port, transport): the address on the wire, whatever the
    message names. None for an outgoing call, and for one that another process took."""
    actor: CallActor
    """The call's decisions; not for users."""
    waiters: Waiters
    """Futures of this call; not for users."""
    keypad: CallDigits
    """The digits of the call; not for users."""
    media_work: MediaWork
    """Sources, plays and recordings of the call; not for users."""

    def came(self, request: Request) -> None:
        """Note the INVITE of an incoming call; not for users."""
        self.invite_request = request

    def came_from(self, hop: Hop) -> None:
        """Note where the INVITE of an incoming call came from; not for users."""
        self.source = Source(hop.host, hop.port, hop.transport)

    @property
    def state(self) -> State:
        """The state of the call."""
        return self.actor.state

    @property
    def call_id(self) -> str:
        """The Call-ID."""
        return self.actor.session.call_id

    @property
    def is_up(self) -> bool:
        """Whether the call is established."""
        return self.actor.state is State.UP

    @property
    def cause(self) -> str:
        """Why the call ended, with details after a colon; empty before."""
        return self.actor.ending.text

    @property
    def cause_name(self) -> str:
        """The cause without details: one of a closed set of names."""
        return self.actor.ending.cause

    @property
    def by(self) -> str:
        """The side that ended it: local, remote, expired or transport; empty before."""
        return self.actor.ending.by

    @property
    def times(self) -> CallTimes:
        """The times of its events, in monotonic seconds."""
        return self.actor.times

    @property
    def status(self) -> int:
        """Final status of the INVITE; 0 = none yet."""
        return self.actor.answer_status

    @property
    def error(self) -> CallError | None:
        """The exception of the last local INVITE, None without one."""
        return self.waiters.error

    @property
    def handler(self) -> MediaHandler | None:
        """The handler that runs on the media now."""
        return self.media_work.handler

    @property
    def media_error(self) -> str:
        """The last refusal or failure of the media worker: a name, details after a colon."""
        return self.media_work.error

    @property
    def digits_sent(self) -> str:
        """The digits that were sent, in order."""
        return self.keypad.sent

    @property
    def digits_received(self) -> str:
        """The digits that were received, in order."""
        return self.keypad.received

    @property
    def is_uac(self) -> bool:
        """Whether this side placed the call."""
        return self.actor.is_uac

    @property
    def statistics(self) -> StreamStatistics:
        """Statistics of the first media line: final after its end; while it is up, of the last second or so.

        All counts are 0 and `stream_id` is 0 when there was no line, or no statistics yet. A plain load and `answer`
        make them at the end only.
        """
        return measured(self.actor.media) or NOTHING_MEASURED

    @property
    def remote_media(self) -> tuple[str, int] | None:
        """Source address and port of the RTP on the first media line; None before any RTP."""
        lines = self.actor.media.lines
        return lines[0].remote if lines else None

    @property
    def all_statistics(self) -> tuple[StreamStatistics, ...]:
        """Final statistics of every closed media line."""
        return self.actor.media.statistics

    @property
    def recordings(self) -> tuple[str, ...]:
        """The files that the call records into, in order: after a lost media worker `NAME-2.wav` follows `NAME.wav`."""
        return tuple(self.actor.media.recordings.names)

    @property
    def ladder(self) -> Ladder:
        """The newest SIP messages of this call, secrets masked; empty unless the user agent has `trace=True`."""
        return self.sip_record.ladder() if self.sip_record is not None else Ladder()

    @property
    def callid(self) -> str:
        """The Call-ID, by its name in the man page's context."""
        return self.call_id

    @property
    def peer(self) -> str:
        """The same as `get_peer`, by its name in the context."""
        return self.get_peer()

    def get_peer(self) -> str:
        """Return name and address of the remote side as received, without tags and parameters."""
        request = self.invite_request
        return written_address(self.to if request is None else request.headers.get("From") or "")

    @property
    def called_user(self) -> str:
        """The user that is called: of the Request-URI of an incoming call, of the target of an outgoing one.

        Escapes are decoded; empty for a URI without a user.
        """
        return _user_of(self.to if self.invite_request is None else self.invite_request.uri)

    @property
    def calling_user(self) -> str:
        """The user that calls: of From, which is a claim of its sender unless the caller was challenged."""
        request = self.invite_request
        return _user_of(self.actor.session.config.from_ if request is None else request.headers.get("From") or "")


def _user_of(address: str) -> str:
    """Return the user of a URI or name-addr; empty without one."""
    try:
        uri = NameAddr.parse(address).uri if "<" in address else Uri.parse(address)
    except ParseError:
        return ""
    return uri.user or ""
