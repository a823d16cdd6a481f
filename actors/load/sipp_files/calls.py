"""The calls of a load whose file is one of SIPp: begun by the schedule, judged by the file, reported like any other.

An arrival is one run of the file. Its row has the final response to the first request, whatever its method, and the
times of that. Where a message goes is decided by the target of the load, never by the file. Every call worker has its
own global variables and its own copy of the rows of `-inf`.
"""

import logging
import os
import time
from collections.abc import Sequence
from random import Random
from typing import Final

from sipswarm.sipcore.message.uri import Uri

from ...call_worker.actor_table import ActorTable
from ...call_worker.call_factory import CallFactory
from ...config import LoadConfig
from ...errors import Overloaded
from ...runtime.actor_loop import ActorLoop
from ...sipp.call.context import CallContext, CallIdentity
from ...sipp.call.defaults import Local
from ...sipp.call.dialog import Dialog
from ...sipp.call.machine import ScenarioCall
from ...sipp.call.script import Script, Wish
from ...sipp.call.statistics import Mark
from ...sipp.call.surroundings import Surroundings, numbers_of, texts_of
from ...sipp.injection_reading import read_injection
from ...sipp.program_reader import read, runnable
from ...sipp.scenario_file import label_of, read_file
from ...sipp.variables import Variables
from ...transport.output import SipOutput
from ..requests.ends import Begun, RequestEnds
from ..requests.route import Route
from ..starter import Ended, Starter
from .call import FileCall
from .call_streams import CallStreams
from .figures import closed_of, media_columns, note_times, reason_of, result_of
from .initialization import INIT, carry_out
from .marks import Marks
from .settings import indexes_of, settings_of

SERVICE: Final = "service"
"""`[service]` where the target has no user."""
_logger = logging.getLogger(__name__)


class FileCalls(Starter):
    """The calls of one call worker.

    Args:
        route: of their messages.
        ends: takes those that are over.
        marks: counts what they mark.
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
        program = runnable(
            read(read_file(config.scenario), keys=dict(config.sipp.keys), allow_exec=config.sipp.allow_exec)
        )
        local = route.local()
        self._listener = local.listener
        target = Uri.parse(config.target)
        self._injection = read_injection(
            [config.data] if config.data else [], indexes_of(config.sipp), seed=config.seed
        )
        media_port = factory.parked_port(local.listener)
        self._surroundings = Surroundings(
            texts=texts_of(
                remote=route.hop,
                remote_host=target.host,
                local=local.seen,
                media_ip=local.seen.host,
                service=target.user or SERVICE,
                users=-1,
            ),
            numbers={
                **numbers_of(remote=route.hop, local=local.seen),
                **dict.fromkeys(("media_port", "auto_media_port", "rtpstream_audio_port"), media_port),
            },
            pid=os.getpid(),
            wall=time.time() - time.monotonic(),
            injection=self._injection,
            file=_no_file,
        )
        self._script = Script(program.bound(self._surroundings.constants), settings_of(config))
        self._streams = CallStreams(program, config, factory.media_leases, actor_loop.touch, output.may_send)
        self._everyone = self._script.layout.global_values(dict(config.sipp.variables))
        marks.declare(program)
        self._open: dict[FileCall, tuple[Begun, Ended]] = {}
        self._said: set[int] = set()

    async def set_up(self) -> str:
        """Carry out `init` of the file, which sets global variables before the first call.

        Returns:
            Why no call can begin, with file and line; empty = they can.
        """
        now = self._actor_loop.now()

        def note(marks: Sequence[Mark], wishes: Sequence[Wish]) -> None:
            self._marks.note(INIT, marks, wishes, now)

        return carry_out(self._script, self._surroundings, self._everyone, self._config.seed, now, note)

    def begin(self, index: int, planned: float, ended: Ended) -> bool:
        """Begin a run of the file."""
        if self._factory.is_full:
            raise Overloaded(f"{self._actors.taken} calls are live in this worker; raise --max-calls or --call-workers")
        call_id = self._factory.new_call_id()
        number = index + 1
        ports: dict[str, int] = {}
        identity = CallIdentity(call_id=call_id, number=number, numbers=ports, rows=self._injection.rows_of(index))
        context = CallContext(
            self._surroundings,
            identity,
            Dialog(self._script.settings.base_cseq),
            Variables(self._script.layout, everyone=self._everyone),
            Random((self._config.seed << 40) ^ index),
        )
        local = self._output.addresses.hops[self._listener]
        machine = ScenarioCall(
            self._script,
            context,
            is_reliable=self._hop.is_reliable,
            local=Local(
                local.transport.upper(),
                f"{context.text('local_ip')}:{context.number('local_port')}",
                f"z9hG4bK-{self._surroundings.pid}-{number}-end",
                f"{self._surroundings.pid}-{number}",
            ),
        )
        now = self._actor_loop.now()
        actor = FileCall(machine, call_id, self._send, self._over, now + self._config.run_time, self._note)
        self._streams.give(actor, self._listener, ports, self._peer)
        self._open[actor] = (self._ends.began(call_id, planned, index), ended)
        self._actors.add(actor, (call_id.encode(),))
        self._actors.reserve(1)
        self._actor_loop.guarded(actor, actor.begin, now)
        self._actor_loop.touch(actor)
        return True

    @property
    def running(self) -> int:
        """Number of calls that are not over."""
        return len(self._open)

    def update_gauges(self) -> None:
        """Tell what its calls have counted since the heartbeat before."""
        self._marks.flush()

    def cancel(self) -> None:
        """Give all calls up."""
        now = self._actor_loop.now()
        for actor in tuple(self._open):
            self._actor_loop.guarded(actor, actor.drain, now)
            self._actor_loop.touch(actor)

    def _send(self, data: bytes, flow: int) -> None:
        """Send a message as it is."""
        self._output.send_as_is(self._listener, data, self._hop)

    def _note(self, actor: FileCall, marks: Sequence[Mark], wishes: Sequence[Wish], now: float) -> None:
        """Count what a call has marked."""
        self._marks.note(actor.call_id, marks, wishes, now)

    def _over(self, actor: FileCall) -> None:
        """Report a call that is over."""
        found = self._open.pop(actor, None)
        if found is None:
            return
        begun, ended = found
        self._actors.reserve(-1)
        figures = actor.call.figures
        note_times(begun.times, figures, self._actor_loop.now())
        if figures.failure is not None and figures.line not in self._said:
            self._said.add(figures.line)
            _logger.warning("call %s failed: %s", actor.call_id, actor.detail)
        cause = "internal_error" if actor.has_crashed else "drained" if actor.is_drained else ""
        result = result_of(figures, cause=cause)
        failure = "run_time" if actor.is_overdue else actor.media_failure or reason_of(figures.failure)
        by = figures.ended_by.value or "local"
        self._ends.over(
            begun,
            result,
            closed=closed_of(figures),
            by=by,
            failure=failure,
            detail=actor.detail,
            media=media_columns(actor.figures),
        )
        if not self._open:
            self._marks.flush()
        ended(False)


def _no_file(name: str) -> str:
    raise ValueError("files within messages are not read yet")
