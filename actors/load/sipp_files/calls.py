"""The calls of a load whose file is one of SIPp: begun by the schedule, judged by the file, reported like any other.

An arrival is one run of the file. Its row has the final response to the first request, whatever its method, and the
times of that. Where a message goes is decided by the target of the load, never by the file. Every call worker has its
own global variables and its own copy of the rows of `-inf`.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from ...bus.slots import own_part
from ...call_worker.actor_table import ActorTable
from ...call_worker.call_factory import CallFactory
from ...config import LoadConfig
from ...errors import Overloaded
from ...runtime.actor_loop import ActorLoop
from ...sipp.actions.results import TellOther
from ...sipp.call.context import CallIdentity
from ...sipp.call.script import Wish
from ...sipp.call.statistics import Mark
from ...sipp.injection import InjectionFile
from ...sipp.injection_reading import read_injection
from ...sipp.program import Program
from ...sipp.scenario_file import label_of
from ...sipp.variables import Value
from ...transport.output import SipOutput
from ..requests.ends import Begun, RequestEnds
from ..requests.route import Route
from ..starter import Ended, Starter
from .call import FileCall, cause_of
from .call_ids import filled
from .call_streams import CallStreams
from .commands import Commands
from .figures import closed_of, media_columns, note_times, reason_of, result_of
from .initialization import INIT, carry_out
from .marks import Marks
from .pairs import Pairs
from .settings import indexes_of, row_files
from .sides import Side, sides_of
from .users import Users

_logger = logging.getLogger(__name__)


class FileCalls(Starter):
    """The calls of one call worker.

    Args:
        route: of their messages.
        ends: takes those that are over.
        marks: counts what they mark.
        first, step: of the arrivals of this worker, and of its users.
        listener: from which they leave.

    Raises:
        ConfigurationError: the file or its rows cannot be taken.
    """

    runs = True
    places_calls = False

    def __init__(
        self,
        config: LoadConfig,
        route: Route,
        factory: CallFactory,
        actors: ActorTable,
        actor_loop: ActorLoop,
        output: SipOutput,
        ends: RequestEnds,
        marks: Marks,
        first: int,
        step: int,
    ) -> None:
        self.label = label_of(config.scenario)
        self._config = config
        self._factory = factory
        self._actors = actors
        self._actor_loop = actor_loop
        self._ends = ends
        self._marks = marks
        self._hop = route.hop
        self._peer = route.peer
        self._output = output
        self._listener = route.local().listener
        self._injection = read_injection(row_files(config), indexes_of(config.sipp), seed=config.seed)

        def streams(program: Program) -> CallStreams:
            return CallStreams(program, config, factory.media_leases, actor_loop.touch, output.may_send)

        parked = factory.parked_port(self._listener)
        self._first, self._second = sides_of(config, route, self._injection, parked, streams)
        self._pairs = Pairs()
        users = self._injection.users
        self._users = Users(users, first, step, self._first.file.script.layout) if users else None
        self._commands = Commands(self._spawn, marks.left_out_command)
        for side in (self._first, self._second):
            if side is not None:
                marks.declare(side.program)
        self._open: dict[FileCall, tuple[Begun, Ended, int]] = {}
        """Begin, what takes the end, and the user of each call; -1 = it has none."""
        self._said: set[tuple[bool, int]] = set()
        """Whether of the second file, and the line, of each failure that the log has."""

    async def set_up(self) -> str:
        """Carry out `init` of each file, which sets global variables before the first call.

        Returns:
            Why no call can begin, with file and line; empty = they can.
        """
        problem = self._initialized(self._first)
        return problem if problem or self._second is None else self._initialized(self._second)

    def _initialized(self, side: Side) -> str:
        now = self._actor_loop.now()

        def note(marks: Sequence[Mark], wishes: Sequence[Wish]) -> None:
            self._marks.note(INIT, marks, wishes, now)
            self._commands.take(wishes)

        return carry_out(side.file, self._config.seed, now, note)

    def begin(self, index: int, planned: float, ended: Ended) -> bool:
        """Begin a run of the file; False = with rows of USER, each user of this worker has a call."""
        if self._factory.is_full:
            raise Overloaded(f"{self._actors.taken} calls are live in this worker; raise --max-calls or --call-workers")
        user = -1
        if self._users is not None:
            free = self._users.take()
            if free is None:
                return False
            user = free
        rows = self._injection.rows_of(index, max(0, user))
        call = self._made(self._first, self._call_id(index + 1), index, user, rows)
        line = self._injection.line_of(rows)
        self._open[call] = (self._ends.began(call.call_id, planned, index, line), ended, user)
        if self._second is not None:
            other = self._made(self._second, self._factory.new_call_id(), index, user, rows)
            self._pairs.join(call, other)
            self._start(other)
        self._start(call)
        return True

    def _made(self, side: Side, call_id: str, index: int, user: int, rows: Mapping[InjectionFile, int]) -> FileCall:
        """Return a call of one side.

        Args:
            index: of the arrival.
            user: that the call is for; -1 = none.
            rows: of `-inf`, by their files.
        """
        ports: dict[str, int] = {}
        identity = CallIdentity(call_id=call_id, number=index + 1, numbers=ports, user=user + 1, rows=rows)
        machine = side.file.machine(
            identity,
            self._output.addresses.hops[self._listener],
            is_reliable=self._hop.is_reliable,
            user=self._values_of(side, user),
        )
        until = self._actor_loop.now() + self._config.run_time
        call = FileCall(machine, call_id, self._send, self._over, until, self._note)
        side.streams.give(call, self._listener, ports, self._peer)
        return call

    def _start(self, call: FileCall) -> None:
        self._actors.add(call, (own_part(call.call_id.encode()),))
        self._actors.reserve(1)
        self._actor_loop.guarded(call, call.begin, self._actor_loop.now())
        self._actor_loop.touch(call)

    @property
    def running(self) -> int:
        """Number of calls that are not over."""
        return len(self._open)

    def update_gauges(self) -> None:
        """Tell what its calls have counted since the heartbeat before."""
        self._marks.flush()

    def cancel(self) -> None:
        """Give all calls up."""
        for first in tuple(self._open):
            for call in (first, self._pairs.other(first)):
                if call is not None:
                    self._do(call, call.drain)

    def _do(self, call: FileCall, action: Callable[..., None], *arguments: Any) -> None:
        """Have a call do something, unless it is over; the last argument is the time."""
        if not call.finished:
            self._actor_loop.guarded(call, action, *arguments, self._actor_loop.now())
            self._actor_loop.touch(call)

    def _call_id(self, number: int) -> str:
        """Return the Call-ID of a call: of `-cid_str`, or a random one."""
        form = self._config.sipp_load.call_id_form
        if not form:
            return self._factory.new_call_id()
        surroundings = self._first.file.surroundings
        host = surroundings.texts["local_ip"]
        return self._factory.call_id_from(filled(form, number, surroundings.pid, host))

    def _values_of(self, side: Side, user: int) -> list[Value] | None:
        """Return the values of the variables of a user, for the first file; None = a call has values of its own."""
        return self._users.values(user) if self._users is not None and side is self._first else None

    def _note(self, call: FileCall, marks: Sequence[Mark], wishes: Sequence[Wish], now: float) -> None:
        """Count what a call has marked, run the commands that it wants to be run, and tell its other side."""
        self._marks.note(call.call_id, marks, wishes, now)
        self._commands.take(wishes)
        other = self._pairs.other(call)
        for wish in wishes:
            if isinstance(wish, TellOther) and other is not None:  # in a turn of its own: the other may answer at once
                self._actor_loop.loop.call_soon(self._do, other, other.receive_command, wish.text)

    def _spawn(self, work: Awaitable[Any]) -> None:
        self._actor_loop.spawn(work, what="a command of exec")

    def _send(self, data: bytes, flow: int) -> None:
        """Send a message as it is."""
        self._output.send_as_is(self._listener, data, self._hop)

    def _over(self, call: FileCall) -> None:
        """Take the end of a call; an arrival of two sides is over with the later one."""
        self._actors.reserve(-1)
        other = self._pairs.other(call)
        if other is None or other.finished:
            self._report(self._pairs.first(call))
        elif call.call.figures.failure is not None or call.was_ended:
            self._actor_loop.loop.call_soon(self._do, other, other.give_up)
        else:
            self._actor_loop.loop.call_soon(self._do, other, other.left_alone)

    def _report(self, call: FileCall) -> None:
        """Report an arrival that is over, by its first side; its failure may be one of the second side."""
        found = self._open.pop(call, None)
        if found is None:
            return
        begun, ended, user = found
        if self._users is not None:
            self._users.give_back(user)
        figures, second = call.call.figures, self._pairs.part(call)
        failing = call if second is None or figures.failure is not None else second
        failure = failing.call.figures.failure
        note_times(begun.times, figures, self._actor_loop.now())
        place = (failing is second, failing.call.figures.line)
        if failure is not None and place not in self._said:
            self._said.add(place)
            _logger.warning("call %s failed: %s", failing.call_id, failing.detail)
        sides = (call,) if second is None else (call, second)
        cause = cause_of(sides)
        reason = next((each.media_failure for each in sides if each.media_failure), "") or reason_of(failure) or cause
        self._ends.over(
            begun,
            result_of(figures, cause=cause),
            closed=closed_of(figures),
            by=figures.ended_by.value or "local",
            failure="run_time" if any(each.is_overdue for each in sides) else reason,
            detail=failing.detail,
            media=media_columns(next((each.figures for each in sides if each.figures is not None), None)),
        )
        if not self._open:
            self._marks.flush()
        ended(False)
