"""`init` of a scenario file: carried out once in each call worker, before its first call."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Final

from ...sipp.call.context import CallContext, CallIdentity
from ...sipp.call.defaults import Local
from ...sipp.call.dialog import Dialog
from ...sipp.call.machine import ScenarioCall
from ...sipp.call.script import Script, Wish
from ...sipp.call.statistics import Mark
from ...sipp.variables import Variables
from .bound_file import BoundFile
from .call import log_said

INIT: Final = "init"
"""`[call_id]` in `init`, which is no call."""


def carry_out(file: BoundFile, seed: int, now: float, note: Callable[[Sequence[Mark], Sequence[Wish]], None]) -> str:
    """Carry out `init` of a file, which sets global variables.

    Args:
        seed: of what is drawn.
        now: monotonic seconds.
        note: takes what it has counted, and what its actions want.

    Returns:
        Why no call can begin, with file and line; empty = they can.
    """
    script = file.script
    program = script.program.initialization
    if program is None:
        return ""
    call = ScenarioCall(
        Script(program, script.settings),
        CallContext(
            file.surroundings,
            CallIdentity(call_id=INIT, number=0),
            Dialog(script.settings.base_cseq),
            Variables(script.layout, everyone=file.everyone),
            Random(seed),
        ),
        is_reliable=True,
        local=Local("", "", "", ""),
    )
    call.begin(now)
    _, wishes, marks = call.drain()
    note(marks, wishes)
    log_said(f"init of {program.file}", wishes)
    return f"init failed at {call.figures.detail}" if call.figures.failure is not None else ""
