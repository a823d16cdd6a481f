"""The application of a call worker (a robot, a load generator), and its policy for incoming calls.

A worker has a list of applications, each made with the parts of the worker that it uses. `prepare` runs them one after
the other before the node listens, `start` when every process is linked, then come records of the supervisor and gauges.
A drain waits until none of them has pending work. The policy must be replaced as a whole, never changed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Request, Response

from ..bus.messages import SendFailed, SipReceived
from ..handle.call import Call
from ..identity import Identity
from ..runtime.callbacks import Callback
from .authentication import Challenger

OnCall = Callable[[Call, Request], None]
"""Takes an incoming call; it, or the task it starts, answers or rejects."""
OnTransfer = Callable[[Call, int, Request], None]
"""Takes a transfer that the remote side of a call requests, by the number of its request."""
OctetTaker = Callable[[SipReceived, float], None]
"""Called with a record of no call, which has a Call-ID and is not parsed, and the time."""
Relay = Callable[[Request | Response, Hop, SipReceived, float], bool]
"""Called with a message, its source, its record and the time; returns False for one that it leaves to the worker."""


@dataclass(frozen=True, slots=True)
class IncomingPolicy:
    """The treatment of incoming calls; replaced as a whole (`Arrivals.serve`)."""

    on_call: OnCall | None = None
    """None = no calls are taken."""
    wishes: Mapping[str, Any] = field(default_factory=dict)
    """For the media of the calls, as for `CallFactory.demand_for`."""
    param: Mapping[str, Any] = field(default_factory=dict)
    """Parameters of the calls."""
    identity: Identity | None = None
    """The local identity; None = the node's account, or its user at the address that the call came to."""
    challenger: Challenger | None = None
    """Challenges each request; None accepts requests without credentials."""
    on_transfer: OnTransfer | None = None
    """None = transfers are declined."""
    handlers: Mapping[str, Callback] = field(default_factory=dict)
    """By method: the user's handler of requests outside of calls."""
    extensions: tuple[tuple[str, str], ...] = ()
    """Option tags that these handlers support: (method, tag)."""
    relay: Relay | None = None
    """Gets each message of a permitted source before the worker does."""
    take_octets: OctetTaker | None = None
    """Gets each message of a permitted source that is of no call, as it came; None = messages are parsed."""
    options_status: int = 0
    """Status of the answer to OPTIONS where it is another one than 200 with `on_call`, and 480 without."""
    given_up: bool = False
    """The slot died too often: new calls get 503 instead of 480."""


class Application:
    """The work of a call worker: a robot, or a load. Each method does nothing unless overridden."""

    scenario = ""
    """Label of the incoming calls."""

    def prepare(self, ready: Callable[[], None]) -> None:
        """Call `ready` when the worker serves each call as it will serve all others.

        Called once, when the worker is linked; the node does not report that it listens before `ready` is called.
        """
        ready()

    def start(self, at: float) -> None:
        """Begin: every process is linked.

        Args:
            at: start of the schedule, in monotonic seconds.
        """

    def resume(self, call: Call) -> bool:
        """Go on with an established call of the process before, whose media never stopped.

        Called after `prepare`.

        Returns:
            False = it is hung up.
        """
        return False

    @property
    def is_prepared(self) -> bool:
        """Whether each call is served as all others will be; until then a call that nothing takes is not refused."""
        return True

    @property
    def keeps_calls(self) -> bool:
        """Whether `resume` goes on with the established calls, so that they outlive this process."""
        return False

    def on_record(self, record: Any) -> None:
        """Take a record of the supervisor that only the application handles."""

    def message_lost(self, failed: SendFailed) -> None:
        """Take a message of no call that could not be sent."""

    def retire(self) -> None:
        """Begin no new work: the process is replaced when what it has begun is over."""

    def call_answered(self, call: Call) -> None:
        """Note the answer to an outgoing call."""

    def pending(self) -> int:
        """Return the number of unfinished pieces of work, also of those without a live call."""
        return 0

    def live_calls(self) -> int:
        """Return the number of live calls that only the application knows."""
        return 0

    def takes_time(self) -> bool:
        """Return whether unfinished work gets the time of a drain, also while no call is live."""
        return False

    def end_pending(self) -> None:
        """End the unfinished work; the time of a drain is over."""

    def update_gauges(self) -> None:
        """Update the gauges, before each snapshot."""


class Applications(Application):
    """The applications of one call worker, in the order in which they were installed."""

    def __init__(self) -> None:
        self._all: list[Application] = []
        self._prepares = self._prepared = False

    def add(self, application: Application) -> None:
        """Install an application."""
        self._all.append(application)
        self.scenario = application.scenario or self.scenario

    def prepare(self, ready: Callable[[], None]) -> None:
        """Prepare one after the other, once: a link that comes back is no new start, and `ready` needs one call."""
        if self._prepares:
            return
        self._prepares = True
        ready = partial(self._on_prepared, ready)
        for each in reversed(self._all):
            ready = partial(each.prepare, ready)
        ready()

    def _on_prepared(self, ready: Callable[[], None]) -> None:
        self._prepared = True
        ready()

    @property
    def is_prepared(self) -> bool:
        """Whether all are."""
        return self._prepared

    def start(self, at: float) -> None:
        """Start each."""
        for each in self._all:
            each.start(at)

    def resume(self, call: Call) -> bool:
        """Ask one after the other."""
        return any(each.resume(call) for each in self._all)

    @property
    def keeps_calls(self) -> bool:
        """Whether one of them does."""
        return any(each.keeps_calls for each in self._all)

    def on_record(self, record: Any) -> None:
        """Give the record to each."""
        for each in self._all:
            each.on_record(record)

    def message_lost(self, failed: SendFailed) -> None:
        """Tell each."""
        for each in self._all:
            each.message_lost(failed)

    def retire(self) -> None:
        """Tell each."""
        for each in self._all:
            each.retire()

    def call_answered(self, call: Call) -> None:
        """Give the call to each."""
        for each in self._all:
            each.call_answered(call)

    def pending(self) -> int:
        """Return the sum over all."""
        return sum(each.pending() for each in self._all)

    def live_calls(self) -> int:
        """Return the sum over all."""
        return sum(each.live_calls() for each in self._all)

    def takes_time(self) -> bool:
        """Return whether one of them has such work."""
        return any(each.takes_time() for each in self._all)

    def end_pending(self) -> None:
        """End the work of each."""
        for each in self._all:
            each.end_pending()

    def update_gauges(self) -> None:
        """Update the gauges of each."""
        for each in self._all:
            each.update_gauges()
