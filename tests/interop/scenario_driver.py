"""Runs a scenario file with our own machine over a UDP socket: as little around the machine as there can be."""

import os
import select
import socket
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

from sipswarm.actors.bus.slots import own_part
from sipswarm.actors.load.sipp_files.bound_file import REMOTE_PORT
from sipswarm.actors.load.sipp_files.receiving_file import NO_USER
from sipswarm.actors.sipp.call.context import CallContext, CallIdentity
from sipswarm.actors.sipp.call.defaults import Local
from sipswarm.actors.sipp.call.dialog import Dialog
from sipswarm.actors.sipp.call.machine import ScenarioCall
from sipswarm.actors.sipp.call.received import Received
from sipswarm.actors.sipp.call.script import Script
from sipswarm.actors.sipp.call.settings import Settings
from sipswarm.actors.sipp.call.statistics import Figures
from sipswarm.actors.sipp.call.surroundings import Surroundings, numbers_of, texts_of
from sipswarm.actors.sipp.injection_reading import read_injection
from sipswarm.actors.sipp.markup import read as read_markup
from sipswarm.actors.sipp.program_reader import read, runnable
from sipswarm.actors.sipp.variables import Variables
from sipswarm.sipcore.message.hop import Hop

from .processes import LOOPBACK, free_port


class ScenarioDriver(threading.Thread):
    """Calls of one file, one after the other; `join` it.

    Args:
        path: of the file.
        remote: port of the peer; 0 = the peer begins.
        settings: of the run.
        calls: how many.
        injections: paths of `-inf`.
        seconds: it ends by then, whatever the calls do.
    """

    def __init__(
        self,
        path: Path,
        remote: int,
        settings: Settings,
        *,
        calls: int = 1,
        injections: Sequence[str] = (),
        seconds: float = 30,
    ) -> None:
        super().__init__(daemon=True)
        self._remote = remote
        self._calls = calls
        self._until = time.monotonic() + seconds
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.port = free_port()
        self._socket.bind((LOOPBACK, self.port))
        local, peer = Hop("udp", LOOPBACK, self.port), Hop("udp", LOOPBACK, remote or REMOTE_PORT)
        self._injection = read_injection(injections)
        self.pid = os.getpid()
        """`[pid]`."""
        self._surroundings = Surroundings(
            texts=texts_of(
                remote=peer if remote else None,
                remote_host=LOOPBACK if remote else "",
                local=local,
                media_ip=LOOPBACK,
                service="service",
                users=-1,
            ),
            numbers={**numbers_of(remote=peer, local=local), "media_port": 6000, "auto_media_port": 6000},
            pid=os.getpid(),
            wall=time.time() - time.monotonic(),
            injection=self._injection,
            file=_no_file,
        )
        program = runnable(read(read_markup(path.read_bytes(), str(path))))
        self._script = Script(program.bound(self._surroundings.constants), settings)
        self.figures: list[Figures] = []
        """Of each call that has ended."""
        self.error: Exception | None = None
        """What went wrong in the program."""

    def run(self) -> None:
        """Run all calls."""
        try:
            with self._socket:
                for number in range(1, self._calls + 1):
                    self._run_call(number)
        except Exception as error:  # noqa: BLE001  the thread of the test raises it
            self.error = error

    def _run_call(self, number: int) -> None:
        peer = (LOOPBACK, self._remote)
        first = b""
        if not self._remote:
            if not self._readable(self._until - time.monotonic()):
                return
            first, peer = self._socket.recvfrom(65536)
        received = own_part(Received(first.decode("latin-1")).value("Call-ID").encode()).decode()
        call_id = received or f"{number}-{os.getpid()}@{LOOPBACK}"
        identity = CallIdentity(
            call_id=call_id, number=number, rows=self._injection.rows_of(number - 1, 0 if self._remote else NO_USER)
        )
        dialog = Dialog(self._script.settings.base_cseq)
        context = CallContext(self._surroundings, identity, dialog, Variables(self._script.layout), Random(number))
        local = Local("UDP", f"{LOOPBACK}:{self.port}", f"z9hG4bK-{os.getpid()}-{number}-end", str(os.getpid()))
        call = ScenarioCall(self._script, context, is_reliable=False, local=local)
        call.begin(time.monotonic())
        if first:
            call.receive(first, time.monotonic())
        while True:
            for message in call.drain().messages:
                self._socket.sendto(message.data, peer)
            now = time.monotonic()
            if call.finished or now >= self._until:
                break
            deadline = call.deadline
            if self._readable(min(self._until, deadline or self._until) - now):
                call.receive(self._socket.recvfrom(65536)[0], time.monotonic())
            elif deadline is not None and deadline <= time.monotonic():
                call.handle_timer(time.monotonic())
        self.figures.append(call.figures)

    def _readable(self, seconds: float) -> bool:
        return bool(select.select([self._socket], [], [], max(0.0, seconds))[0])


def _no_file(name: str) -> str:
    raise ValueError("there are no files")
