"""What user agents use of a call worker: a record that is made where the worker is composed."""

from collections.abc import Callable
from dataclasses import dataclass

from ..bus.slots import SlotMap
from ..config import NodeConfig
from ..counting.totals import Totals
from ..handle.call import Call
from ..handle.call_owner import CallOwner
from ..handle.media_lease import MediaLeases
from ..registration.keeper import Registrations
from ..requests.keeper import Requests
from ..runtime.actor_loop import ActorLoop
from ..transport.output import SipOutput
from .call_factory import CallFactory
from .out_of_dialog import Arrivals
from .worker import CallWorker


@dataclass(frozen=True, slots=True)
class AgentParts:
    """The parts of one call worker that a user agent places, takes and registers with."""

    config: NodeConfig
    totals: Totals
    """The metrics of the process."""
    actor_loop: ActorLoop
    slots: SlotMap
    factory: CallFactory
    media_leases: MediaLeases
    owner: CallOwner[Call]
    """Gets the reports of a call that is made by hand."""
    output: SipOutput
    registrations: Registrations
    requests: Requests
    arrivals: Arrivals
    answer_options: Callable[[tuple[tuple[str, str], ...]], None]
    """Sets the headers of the answer to OPTIONS."""
    keep_ladders: Callable[[], None]
    """Keeps the messages of each call that begins from now on."""
    is_draining: Callable[[], bool]
    """Whether the worker comes to its end."""
    update_gauges: Callable[[], int]
    """Updates the gauges of the worker, and returns the number of its live calls."""

    @classmethod
    def of(cls, worker: CallWorker) -> "AgentParts":
        """Return those of a worker."""
        return cls(
            worker.config,
            worker.totals,
            worker.actor_loop,
            worker.slots,
            worker.factory,
            worker.factory.media_leases,
            worker,
            worker.output,
            worker.registrations,
            worker.requests,
            worker.arrivals,
            worker.admission.answer_options,
            worker.keep_ladders,
            is_draining=lambda: worker.draining.begun,
            update_gauges=worker.update_gauges,
        )
