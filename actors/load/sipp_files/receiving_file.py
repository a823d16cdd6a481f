"""A scenario file whose calls the peer begins, made ready for the calls of one worker.

What its keywords stand for depends on the local address that a call came to, so each address has the program for it.
All calls of the worker share the global variables and the rows of `-inf`.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from typing import Final, NamedTuple

from sipswarm.sipcore.message.hop import Hop

from ...config import RobotConfig
from ...errors import ConfigurationError
from ...sipp.call.context import CallContext, CallIdentity
from ...sipp.call.defaults import Local
from ...sipp.call.dialog import Dialog
from ...sipp.call.machine import ScenarioCall
from ...sipp.call.script import Script, Wish
from ...sipp.call.statistics import Mark
from ...sipp.call.surroundings import Surroundings, numbers_of, texts_of
from ...sipp.injection_reading import read_injection
from ...sipp.program import Program
from ...sipp.program_reader import read, runnable
from ...sipp.scenario_file import label_of, read_file
from ...sipp.variables import Layout, Variables
from ...transport.local_addresses import LocalAddress
from .initialization import INIT, carry_out
from .marks import Marks
from .named_texts import NamedTexts
from .settings import indexes_of, row_files, settings_of

REMOTE_PORT: Final = 5060
"""`[remote_port]`: SIPp's default, because the file sends nothing before the peer is known."""
MOST_PLACES: Final = 64
"""Local addresses whose programs are kept."""


class _Place(NamedTuple):
    """What calls on one local address share."""

    script: Script
    surroundings: Surroundings


class ReceivingFile:
    """The file of one call worker.

    Args:
        config: names the file, its rows and its options.
        first: the local address for `init`.
        parked_port: returns the port of media at a listener, by the listener's index.
        numbers: of its calls, from 0; no other call worker has the same.
        now: monotonic seconds.
        marks: counts what its calls and `init` mark.

    Raises:
        ConfigurationError: the file, its rows or an option cannot be taken, or `init` has failed.
    """

    def __init__(
        self,
        config: RobotConfig,
        first: LocalAddress,
        parked_port: Callable[[int], int],
        numbers: Iterator[int],
        now: float,
        marks: Marks,
    ) -> None:
        self.label = label_of(config.scenario)
        """Label of its calls."""
        self._config = config
        self._parked_port = parked_port
        self._numbers = numbers
        self._settings = settings_of(config)
        self._program = runnable(
            read(read_file(config.scenario), keys=dict(config.sipp.keys), allow_exec=config.sipp.allow_exec)
        )
        self._injection = read_injection(row_files(config), indexes_of(config.sipp), seed=config.seed)
        self._texts = NamedTexts(config.scenario, [use.name for use in self._program.needs.files])
        program = self._program
        self.marks = marks
        """The counts of its calls."""
        marks.declare(program)
        self._layout = Layout(program.call_variables, program.user_variables, program.global_variables)
        self._everyone = self._layout.global_values(dict(config.sipp.variables))
        self._places: dict[LocalAddress, _Place] = {}
        place = self._place_of(first)

        def note(noted: Sequence[Mark], wishes: Sequence[Wish]) -> None:
            marks.note(INIT, noted, wishes, now)

        problem = carry_out(place.script, place.surroundings, self._everyone, config.seed, now, note)
        if problem:
            raise ConfigurationError(problem)

    @property
    def program(self) -> Program:
        """The scenario file."""
        return self._program

    def call(self, local: LocalAddress, call_id: str, ports: Mapping[str, int]) -> ScenarioCall:
        """Return the machine of a call that the peer begins.

        Args:
            local: the address that it came to.
            call_id: its Call-ID, one character for each octet.
            ports: of its media, by the names of keywords; may be filled until it begins.
        """
        index = next(self._numbers)
        place, number = self._place_of(local), index + 1
        pid = place.surroundings.pid
        context = CallContext(
            place.surroundings,
            CallIdentity(call_id=call_id, number=number, numbers=ports, rows=self._injection.rows_of(index)),
            Dialog(self._settings.base_cseq),
            Variables(self._layout, everyone=self._everyone),
            Random((self._config.seed << 40) ^ index),
        )
        return ScenarioCall(
            place.script,
            context,
            is_reliable=local.bound.is_reliable,
            local=Local(
                local.bound.transport.upper(),
                f"{context.text('local_ip')}:{context.number('local_port')}",
                f"z9hG4bK-{pid}-{number}-end",
                f"{pid}-{number}",
            ),
        )

    def _place_of(self, local: LocalAddress) -> _Place:
        """Return what calls on a local address share; made once."""
        key = local._replace(arrived=False)
        found = self._places.get(key)
        if found is None:
            if len(self._places) >= MOST_PLACES:
                self._places.clear()
            found = self._places[key] = self._made(local)
        return found

    def _made(self, local: LocalAddress) -> _Place:
        media_port = self._parked_port(local.listener)
        surroundings = Surroundings(
            texts=texts_of(
                remote=None,
                remote_host="",
                local=local.seen,
                media_ip=local.seen.host,
                service=self._config.service,
                users=-1,
            ),
            numbers={
                **numbers_of(remote=Hop(local.bound.transport, "", REMOTE_PORT), local=local.seen),
                **dict.fromkeys(("media_port", "auto_media_port", "rtpstream_audio_port"), media_port),
            },
            pid=os.getpid(),
            wall=time.time() - time.monotonic(),
            injection=self._injection,
            file=self._texts.text,
        )
        return _Place(Script(self._program.bound(surroundings.constants), self._settings), surroundings)
