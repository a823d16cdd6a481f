"""`sipswarm demo`: an answering node and a load node against it on loopback, judged; no arguments needed.

The answering node starts first, so that the load gets its port. Each node has half of the RTP ports, and the verdict
watches the processes of both. Nothing must leave the loopback interface.
"""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import click

from ..bus.messages import Snapshot
from ..config import CALLS, AnswerConfig, CallSettings, Listener, LoadConfig, NodeConfig, NodeSettings
from .configuration import Verb
from .load import default_folder
from .options import RunOptions, need_descriptors, options, out_option, run_options
from .values import DEFAULT_METRICS, Number, filled_option, type_of

LOOPBACK: Final = Listener("udp", "127.0.0.1", 0)
HOLD: Final = 4.0
"""Seconds from answer to the BYE of the caller; four digits to the robot and back take less."""


@click.command(cls=Verb)
@filled_option("-m", "--calls", type=type_of(CALLS), default=1000, show_default=True, help="Number of calls.")
@filled_option(
    "-r",
    "--rate",
    type=Number(0, 10_000, min_open=True),
    default=25.0,
    show_default=True,
    help="Calls per second.",
)
@out_option
@options(NodeSettings, without=CallSettings.__annotations__)
@run_options(metrics=DEFAULT_METRICS)
def demo(settings: NodeSettings, running: RunOptions, calls: int, rate: float, out: Path | None) -> int:
    """Show the whole product on loopback and judge it.

    One node answers as an IVR robot: it collects four digits and sends them back as digits. Another one calls it, each
    call with audio both ways and four random digits, and expects the same digits back and audio from both sides.

    \b
    Examples:
      sipswarm demo
      sipswarm demo -m 50 -r 10 --out /tmp/demo
    """
    from ..load.results import set_aside
    from . import run
    from .load_run import LoadRun
    from .verdict import say_result

    need_descriptors(settings, nodes=2)
    low, high = settings.rtp_ports
    middle = low + (high - low) // 4 * 2
    folder = out or default_folder("demo")
    set_aside(folder)
    tests: list[LoadRun] = []

    def watch(process: str, incarnation: int, snapshot: Snapshot) -> None:
        for test in tests:
            test.report.health.observe(f"answer-{process}", incarnation, snapshot)

    answering_side = dataclasses.replace(settings, rtp_ports=(low, middle), sip_trace="")  # the callers trace it all
    answering = run.NodeRun(
        NodeConfig.of(answering_side, (LOOPBACK,), answer=AnswerConfig(media="ivr"), user="ivr"),
        prefix="answer-",
        watch=watch,
    )

    async def body(signals: run.Signals) -> int:
        await answering.start()
        try:
            robot = answering.listeners[0]
            load = _load(f"sip:ivr@{robot.host}:{robot.port}", calls, rate)
            calling_side = dataclasses.replace(settings, rtp_ports=(middle + 2, high))
            test = LoadRun(
                running,
                NodeConfig.of(calling_side, (LOOPBACK,), load=load, user="caller"),
                load,
                out=folder,
                prefix="load-",
                beside=(answering,),
            )
            tests.append(test)
            with run.metrics_server(running, (answering, test.node)) as server:
                await test.start()
                signals.started()
                run.say_ready(answering.listeners, server)
                result = await test.finish(signals, "sipswarm demo")
        finally:
            await answering.close()
        say_result(result, test.results, tuple(_answering_lines(answering.counted)))
        return result.exit_code

    def drain(within: float) -> None:
        for test in tests:
            test.node.drain(within)

    return run.run(body, drain=drain, within=running.drain, cancelled=105)


def _load(target: str, calls: int, rate: float) -> LoadConfig:
    return LoadConfig(
        target,
        rate=rate,
        calls=calls,
        hold=HOLD,
        media="tone:440",
        dtmf="????",
        expect_dtmf="=",
        expect_media=True,
    )


def _answering_lines(counted: Callable[..., float]) -> Iterator[str]:
    """Yield the figures of the answering side, by its own counters."""

    def count(name: str, **labels: str) -> int:
        return int(counted(name, **labels))

    rtp, digits = "sipswarm_rtp_packets_total", "sipswarm_dtmf_events_total"
    yield (
        f"the answering side: calls {count('sipswarm_call_attempts_total', role='uas')}, "
        f"RTP sent {count(rtp, direction='sent')}, received {count(rtp, direction='received')}, "
        f"lost {count('sipswarm_rtp_packets_lost_total')}, "
        f"digits received {count(digits, direction='received')}, sent back {count(digits, direction='sent')}"
    )
