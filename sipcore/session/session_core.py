"""SessionCore: the data that several parts of one call use: its identity, hop, state, and open INVITEs.

The parts (`invite_uac`, `invite_uas`, `in_dialog`, `renegotiation`, `refer_usage` …) work on it; each keeps for itself
what no other needs. It must hold no reference to a part, so that a call leaves no cycle behind for the garbage
collector. It sends nothing, and decides nothing but the steps that its table of states allows.
"""

from __future__ import annotations

from typing import Final, final

from ..errors import LocalProtocolError
from ..message.header_lines import HeaderPairs, lines_of
from ..message.hop import Hop, bracketed
from ..message.messages import Request, Response
from ..message.tokens import Tokens
from .dialog import Dialog, DialogState, takes_update
from .events import Event, Refreshed
from .invites import IncomingInvite, OutgoingInvite
from .open_requests import OpenRequests
from .session_config import SessionConfig
from .session_state import SESSION_TABLE, SessionInput, SessionState
from .session_timer import SessionTimer, answer, settled

SDP: Final = "application/sdp"
OVER: Final = (SessionState.TERMINATING, SessionState.TERMINATED)
"""The states of a call that is over, or on its way to be."""

# Members that every call needs, under names of their own: before Python 3.12 reading one off its class is slow.
_IDLE: Final = SessionState.IDLE
_CONFIRMED_DIALOG: Final = DialogState.CONFIRMED


@final
class SessionCore:
    """The data that the parts of one call share.

    Args:
        config: shared by many calls.
        tokens: the source of branches and tags.
        hop: of the first INVITE, to or from.
        is_caller: True when the call is placed here (UAC).
    """

    __slots__ = (
        "accepted",
        "call_id",
        "config",
        "dialog",
        "domain",
        "events",
        "flow",
        "home",
        "hop",
        "incoming",
        "invite",
        "is_caller",
        "local_tag",
        "parting",
        "requests",
        "state",
        "timer",
        "tokens",
        "unacked",
    )

    def __init__(
        self, config: SessionConfig, tokens: Tokens, call_id: str, local_tag: str, hop: Hop, *, is_caller: bool
    ) -> None:
        self.config = config
        self.tokens = tokens
        self.call_id = call_id
        self.local_tag = local_tag
        self.is_caller = is_caller
        self.state = _IDLE
        """The state of the call."""
        self.dialog: Dialog | None = None
        """The dialog of the call once it is known; of several forks the one that was answered first."""
        self.hop = hop
        """Hop that the first INVITE went to or came from."""
        self.home = ""
        """Host that the local first INVITE went to, empty when the call came in."""
        self.domain = ""
        """Host under which its credentials are looked up."""
        self.flow = 0
        """Inbound connection of the peer, 0 for none."""
        self.requests = OpenRequests(config.timers, config.counts)
        self.events: list[Event] = []
        """Events, until they are drained."""
        self.invite: OutgoingInvite | None = None
        """The local INVITE that waits for its final response."""
        self.unacked: tuple[OutgoingInvite, Dialog] | None = None
        """The 2xx with an offer that waits for `ack`."""
        self.incoming: IncomingInvite | None = None
        """The peer's INVITE that waits for the local final response."""
        self.accepted: list[IncomingInvite] = []
        """INVITEs of the peer whose 2xx waits for its ACK."""
        self.parting = ""
        """Header lines of each BYE and CANCEL that is given none of its own."""
        self.timer: SessionTimer | None = None
        """The session timer, None while neither side has requested one."""

    def explain_end(self, headers: HeaderPairs) -> None:
        """Give header lines to each later BYE and CANCEL that has none of its own, whatever makes it necessary.

        Args:
            headers: such as Reason (RFC 3326); empty = none.
        """
        self.parting = lines_of(headers)

    def command(self, what: SessionInput, name: str) -> None:
        """Move by a command of the local user.

        Raises:
            LocalProtocolError: the state forbids it.
        """
        entered = SESSION_TABLE.get((self.state, what))
        if entered is None:
            raise LocalProtocolError(f"{name} is not possible in state {self.state.name}")
        self.state = entered

    def move(self, what: SessionInput) -> bool:
        """Move by an event; False when it changes nothing in this state."""
        entered = SESSION_TABLE.get((self.state, what))
        if entered is None:
            return False
        self.state = entered
        return True

    def live_dialog(self, method: str) -> Dialog:
        """Return the dialog for a local request.

        Raises:
            LocalProtocolError: without one, and when the call is over.
        """
        dialog = self.dialog
        if dialog is None or self.state in OVER:
            raise LocalProtocolError(f"{method} needs a dialog; the call is in state {self.state.name}")
        return dialog

    def dialog_of(self, request: Request) -> Dialog | None:
        """Find the dialog of a request, forks included (RFC 3261 section 12.2.2)."""
        dialog = self.dialog
        if dialog is not None and dialog.has_peer(request):
            return dialog
        for client in self.requests.clients:
            if isinstance(client, OutgoingInvite):
                fork = client.forks.get(request.from_tag or "")
                if fork is not None and fork.dialog.has_peer(request):
                    return fork.dialog
        return None

    @property
    def dialogs(self) -> int:
        """Number of dialogs of the call, early ones of a forked INVITE included."""
        own = self.dialog
        others: set[int] | None = None
        for client in self.requests.clients:  # each call is asked with every heartbeat: nothing is built for most
            if isinstance(client, OutgoingInvite):
                for fork in client.forks.values():
                    if fork.dialog is not own:
                        others = others or set()
                        others.add(id(fork.dialog))
        return (own is not None) + (len(others) if others is not None else 0)

    def use(self, config: SessionConfig) -> None:
        """Go on under another configuration: another way out, or other credentials."""
        self.config = config
        self.requests.timers = config.timers
        self.requests.counts = config.counts

    def redirect_to(self, hop: Hop, config: SessionConfig) -> None:
        """Go to another place of the same callee: its credentials are looked up as before (RFC 3263 section 4.3)."""
        self.hop = hop
        if self.domain == self.home:
            self.domain = hop.host
        self.home = hop.host
        self.use(config)

    @property
    def place(self) -> str:
        """SIP URI of the hop of the first INVITE."""
        return f"sip:{bracketed(self.hop.host)}:{self.hop.port}"

    @property
    def is_timed(self) -> bool:
        """Whether each call gets a session timer, whatever its peer offers."""
        config = self.config
        return bool(config.session_expires or config.probe_after or config.max_call_time)

    def new_timer(self) -> SessionTimer:
        """Make a session timer without any agreement (RFC 4028)."""
        return SessionTimer(self.config.min_se, self.config.probe_after)

    def restart_timer(self, timer: SessionTimer, response: Response, now: float) -> None:
        """Start the session timer by the headers of a 2xx to a local request (RFC 4028 section 7.2)."""
        timer.start(settled(response), now)
        timer.bound_age(self.config.max_call_time, now)
        self.events.append(Refreshed(timer.agreed.interval))

    def answer_timer(self, request: Request, dialog: Dialog, now: float) -> str:
        """Start the session timer as UAS; return the header lines of the 2xx (RFC 4028 section 9).

        An early dialog starts none: the interval of the session is that of the INVITE's own 2xx.
        """
        timer = self.timer
        if timer is None and not self.is_timed and "session-expires" not in request.headers.keys:
            return ""
        agreed, lines = answer(request, self.config)
        if "allow" in request.headers.keys:
            dialog.peer_updates = takes_update(request)
        if dialog.state is not _CONFIRMED_DIALOG or dialog is not self.dialog:
            return lines
        if timer is None:
            timer = self.timer = self.new_timer()
        timer.start(agreed, now)
        timer.bound_age(self.config.max_call_time, now)
        self.events.append(Refreshed(agreed.interval))
        return lines
