"""Runs one probe in an event loop and prints its result; with what the service of many has in common with it.

A first SIGINT, SIGTERM, SIGUSR1 or SIGHUP ends the probe, with BYE or CANCEL where they are due. A second one leaves
at once.
"""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, Final

from ...host.event_loop import new_event_loop
from ...probe.figures import as_json, lines_of
from ...probe.module import Module
from ...probe.prober import Prober
from ...probe.report import Failure, ProbeReport
from ..signals import leave_at_once, show_stack_on_sigusr2
from ..target import check_permitted, complete
from ..terminal import echo

NOT_JUDGED: Final = 3
"""Exit code where the probe could not be carried out: the target is neither well nor ill."""


def exit_code(report: ProbeReport) -> int:
    """Return 0 = everything was as expected, 1 = it was not, `NOT_JUDGED`."""
    if report.failure is Failure.LOCAL:
        return NOT_JUDGED
    return 0 if report.passed else 1


def run_once(target: str, module: Module, *, is_quiet: bool, as_object: bool) -> int:
    """Run one probe and print its result.

    Args:
        is_quiet: no steps on stderr.
        as_object: the result is printed as a JSON object.

    Returns:
        As `exit_code`; `NOT_JUDGED` too when a signal has ended it.

    Raises:
        ConfigurationError: the target is malformed or not permitted; nothing was sent.
    """

    def say(text: str) -> None:
        if not is_quiet:
            echo(text, err=True, level="INFO")

    async def one() -> int:
        stop = stopped_by_signals()
        prober = prober_of(1)
        seconds = module.checks.timeout
        probing = asyncio.ensure_future(prober.probe(target, module, timeout=seconds, start_counts=False, on_note=say))
        stopped = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait((probing, stopped), return_when=asyncio.FIRST_COMPLETED)
            if not probing.done():
                probing.cancel()
                await asyncio.wait((probing,))
            if probing.cancelled():
                echo("given up", err=True)
                return NOT_JUDGED
            _print(probing.result(), as_object=as_object)
            return exit_code(probing.result())
        finally:
            stopped.cancel()
            await prober.close()

    return run_in_loop(one())


def prober_of(most: int) -> Prober:
    """Return what runs the probes.

    Args:
        most: probes at once.
    """

    def complete_target(target: str, module: Module) -> str:
        return complete(target, module.user, module.transport)

    def permit(uri: str, host: str, module: Module) -> None:
        check_permitted(uri, host, allow_public=module.allow_public)

    return Prober(complete_target, permit, most=most)


def _print(report: ProbeReport, *, as_object: bool) -> None:
    for line in (as_json(report),) if as_object else lines_of(report):
        echo(line)


def stopped_by_signals() -> asyncio.Event:
    """Return the event that the first SIGINT, SIGTERM, SIGUSR1 or SIGHUP sets; a second one leaves at once."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def on_signal() -> None:
        if stop.is_set():
            leave_at_once()
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        loop.add_signal_handler(number, on_signal)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup has it ignored
        loop.add_signal_handler(signal.SIGHUP, on_signal)
    loop.add_signal_handler(signal.SIGQUIT, leave_at_once)
    show_stack_on_sigusr2()
    return stop


def run_in_loop(main: Coroutine[Any, Any, int]) -> int:
    """Run a coroutine in a loop of its own."""
    loop = new_event_loop()
    try:
        return loop.run_until_complete(main)
    finally:
        loop.close()
