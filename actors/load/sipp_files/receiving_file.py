"""A scenario file whose calls the peer begins, made ready for the calls of one worker.

What its keywords stand for depends on the local address that a call came to, so each address has the program for it.
All calls of the worker share the global variables and the rows of `-inf`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from ...config import RobotConfig
from ...errors import ConfigurationError
from ...sipp.call.context import CallIdentity
from ...sipp.call.machine import ScenarioCall
from ...sipp.call.script import Wish
from ...sipp.call.statistics import Mark
from ...sipp.injection_reading import read_injection
from ...sipp.program import Program
from ...sipp.scenario_file import label_of
from ...sipp.variables import Value
from ...transport.local_addresses import LocalAddress
from .bound_file import BoundFile, surroundings_of
from .initialization import INIT, carry_out
from .marks import Marks
from .named_texts import NamedTexts
from .programs import program_of
from .settings import indexes_of, row_files, settings_of

NO_USER: Final = -1
"""Of calls that the peer begins: rows of USER are theirs by `line=` only, as in SIPp."""
MOST_PLACES: Final = 64
"""Local addresses whose programs are kept."""


class ReceivingFile:
    """The file of one call worker.

    Args:
        config: names the file, its rows and its options.
        first: the local address for `init`.
        parked_port: returns the port of media at a listener, by the listener's index.
        numbers: of its calls, from 0; no other call worker has the same.
        now: monotonic seconds.
        marks: counts what its calls and `init` mark.
        run: runs the commands of `exec` among what its calls and `init` want.
        credentials: as for `surroundings_of`.

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
        run: Callable[[Sequence[Wish]], None],
        credentials: tuple[str, str] = ("", ""),
    ) -> None:
        self.label = label_of(config.scenario)
        """Label of its calls."""
        self._config = config
        self._credentials = credentials
        self._parked_port = parked_port
        self._numbers = numbers
        self._settings = settings_of(config)
        self._program = program_of(config.scenario, config.sipp)
        self._injection = read_injection(row_files(config), indexes_of(config.sipp), seed=config.seed)
        self._texts = NamedTexts(config.scenario, [use.name for use in self._program.needs.files])
        self.marks = marks
        """The counts of its calls."""
        self.run = run
        """Runs the commands that its calls want."""
        marks.declare(self._program)
        self._everyone: list[Value] | None = None
        self._places: dict[LocalAddress, BoundFile] = {}
        place = self._place_of(first)
        self._everyone = place.everyone

        def note(noted: Sequence[Mark], wishes: Sequence[Wish]) -> None:
            marks.note(INIT, noted, wishes, now)
            run(wishes)

        problem = carry_out(place, config.seed, now, note)
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
        identity = CallIdentity(
            call_id=call_id, number=index + 1, numbers=ports, rows=self._injection.rows_of(index, NO_USER)
        )
        return self._place_of(local).machine(identity, local.bound, is_reliable=local.bound.is_reliable)

    def _place_of(self, local: LocalAddress) -> BoundFile:
        """Return the file for calls on a local address; made once."""
        key = local._replace(arrived=False)
        found = self._places.get(key)
        if found is None:
            if len(self._places) >= MOST_PLACES:
                self._places.clear()
            found = self._places[key] = self._bound(local)
        return found

    def _bound(self, local: LocalAddress) -> BoundFile:
        surroundings = surroundings_of(
            peer=None,
            local=local.seen,
            service=self._config.service,
            media_port=self._parked_port(local.listener),
            injection=self._injection,
            file=self._texts.text,
            credentials=self._credentials,
        )
        return BoundFile(
            self._program,
            self._settings,
            surroundings,
            everyone=self._everyone,
            variables=dict(self._config.sipp.variables),
            seed=self._config.seed,
        )
