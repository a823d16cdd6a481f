"""SessionCore: what several parts of one call use together: who and where it is, its state, and what is open.

The parts (`invite_uac`, `invite_uas`, `in_dialog`, `renegotiation`, `refer_usage` …) work on it, and each keeps for
itself what no other needs. Holds no reference to a part, so that a call leaves no cycle behind for the garbage
collector. Sends nothing and decides nothing but what its table of states allows.
"""

from __future__ import annotations

from typing import Final, final

from ..errors import LocalProtocolError
from ..message.hop import Hop
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
    """What the parts of one call share.

    Arguments: `config` shared by many calls; `tokens` the source of branches and tags; `call_id`; `local_tag`; `hop`
    where the first INVITE goes, or came from; `is_caller` True when the call is made by us.
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
        """Where the call stands."""
        self.dialog: Dialog | None = None
        """The dialog of the call once it is known; of several forks the one that was answered first."""
        self.hop = hop
        """Where the first INVITE went or came from."""
        self.home = ""
        """Host that our first INVITE went to, empty when the call came in."""
        self.domain = ""
        """Host that its credentials are looked up under."""
        self.flow = 0
        """Inbound connection of the peer, 0 for none."""
        self.requests = OpenRequests(config.timers, config.counts)
        self.events: list[Event] = []
        """What has happened, until it is drained."""
        self.invite: OutgoingInvite | None = None
        """Our INVITE that waits for its final response."""
        self.unacked: tuple[OutgoingInvite, Dialog] | None = None
        """The 2xx with an offer that waits for `ack`."""
        self.incoming: IncomingInvite | None = None
        """The peer's INVITE that waits for our final response."""
        self.accepted: list[IncomingInvite] = []
        """Those whose 2xx waits for its ACK."""
        self.timer: SessionTimer | None = None
        """The session timer, None while nobody has asked for one."""

    def command(self, what: SessionInput, name: str) -> None:
        """Move by a command of our user. Raises LocalProtocolError when the state forbids it."""
        entered = SESSION_TABLE.get((self.state, what))
        if entered is None:
            raise LocalProtocolError(f"{name} is not possible in state {self.state.name}")
        self.state = entered

    def move(self, what: SessionInput) -> bool:
        """Move by what happened; False when it changes nothing in this state."""
        entered = SESSION_TABLE.get((self.state, what))
        if entered is None:
            return False
        self.state = entered
        return True

    def live_dialog(self, method: str) -> Dialog:
        """Return the dialog for a request of ours. Raises LocalProtocolError without one, and when the call is over."""
        dialog = self.dialog
        if dialog is None or self.state in OVER:
            raise LocalProtocolError(f"{method} needs a dialog; the call is in state {self.state.name}")
        return dialog

    def dialog_of(self, request: Request) -> Dialog | None:
        """Find the dialog of a request, forks included (RFC 3261 12.2.2)."""
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
        """How many dialogs the call has, early ones of a forked INVITE included."""
        invites = [client for client in self.requests.clients if isinstance(client, OutgoingInvite)]
        forks = {id(fork.dialog) for client in invites for fork in client.forks.values()}
        return len(forks if self.dialog is None else forks | {id(self.dialog)})

    # The way out

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

    # The session timer

    def new_timer(self) -> SessionTimer:
        """Make a session timer without any agreement (RFC 4028)."""
        return SessionTimer(self.config.min_se)

    def restart_timer(self, timer: SessionTimer, response: Response, now: float) -> None:
        """Start the session timer by what a 2xx to a request of ours says (RFC 4028 7.2)."""
        timer.start(settled(response), now)
        self.events.append(Refreshed(timer.agreed.interval))

    def answer_timer(self, request: Request, dialog: Dialog, now: float) -> str:
        """Start the session timer as called side; returns the header lines of the 2xx (RFC 4028 section 9).

        An early dialog starts none: the interval of the session is that of the INVITE's own 2xx.
        """
        timer = self.timer
        if timer is None and not self.config.session_expires and "session-expires" not in request.headers.keys:
            return ""
        agreed, lines = answer(request, self.config)
        if "allow" in request.headers.keys:
            dialog.peer_updates = takes_update(request)
        if dialog.state is not _CONFIRMED_DIALOG or dialog is not self.dialog:
            return lines
        if timer is None:
            timer = self.timer = self.new_timer()
        timer.start(agreed, now)
        self.events.append(Refreshed(agreed.interval))
        return lines
