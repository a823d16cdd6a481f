"""`sipswarm call TO`: one call from the terminal, in this process."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sipswarm.sipcore.message.messages import Response

from ..call_worker.call_metrics import closed_of, media_of
from ..config import format_host
from ..diagnosis.failure_reasons import reason_of, words_of
from ..errors import CallEnded, CallError, CallRejected, CallTimeout, MediaError
from ..host.event_loop import new_event_loop
from ..transport import tls
from .audio import check_audio
from .configuration import Verb
from .options import AccountOptions, CallerOptions, account_options, caller_options, sip_trace_option, strict_option
from .signals import leave_at_once, show_stack_on_sigusr2
from .terminal import echo
from .values import AudioFile, Digits, Duration, FilePath, PortRange

if TYPE_CHECKING:
    from ..agent.user_agent import UserAgent
    from ..handle.call import Call
    from ..load.cdr import Cdr


@click.command(cls=Verb)
@click.argument("to")
@click.option(
    "--play",
    type=AudioFile(),
    default=None,
    help="Send this audio file, once; raw:FILE sends its octets as payload.",
)
@click.option(
    "--record",
    type=FilePath("give a file that can be written", in_folder=True, dir_okay=False, readable=False, writable=True),
    default=None,
    help="Write what comes in to this file (.wav).",
)
@click.option("--dtmf", type=Digits(), default="", help="Send these digits once the call is up.")
@click.option(
    "-d",
    "--hold",
    type=Duration(unit_needed=True),
    default="0s",
    show_default="until --play ends or the peer or Ctrl-C hangs up",
    help="Hang up so long after the answer; with its unit: 5s.",
)
@click.option(
    "--ring-time", type=Duration(), default="60s", show_default=True, help="CANCEL without an answer by then; 0 = 180s."
)
@click.option("--rtp-ports", type=PortRange(), default="20000-32766", show_default=True, help="RTP ports.")
@caller_options()
@account_options(places=True)
@sip_trace_option
@strict_option
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
def call(
    caller: CallerOptions,
    account: AccountOptions,
    to: str,
    play: Path | None,
    record: Path | None,
    dtmf: str,
    hold: float,
    ring_time: float,
    rtp_ports: tuple[int, int],
    sip_trace: str,
    strict: bool,
    quiet: bool,
) -> int:
    """Call TO, say what happens, and show the digits received and the quality of the media at the end.

    \b
    Examples:
      sipswarm call 127.0.0.1:5070 -d 3s
      sipswarm call ivr@127.0.0.1:5070 --dtmf 1234 -d 3s --record answer.wav

    Exit codes: 0 the call was answered and closed, 1 it was not, 2 usage.
    """
    from ..agent.user_agent import UserAgent
    from ..host.descriptors import need_for_call
    from ..load.cdr import Cdr
    from ..transport.local_addresses import LocalAddresses
    from .target import checked_hop, complete

    need_for_call()
    if "?" in dtmf:
        raise click.UsageError("--dtmf ? is a random digit of a load; write the digits")
    if play is not None:
        check_audio(f"play:{play}")
    uri = complete(to, caller.user, caller.transport)
    hop = checked_hop(account.proxy or uri, allow_public=caller.allow_public, rate=0.0)
    leg, own = caller.listener(hop), account.account()
    from_host = LocalAddresses((leg,), caller.advertise).toward(0, hop.host).seen.host
    tls.check(account.tls, (leg,))
    agent = UserAgent(
        own.from_ or f"sip:sipswarm@{format_host(from_host)}",
        legs=(str(leg),),
        advertise=caller.advertise,
        outgoing_proxy=own.proxy,
        auth=(own.user, own.password) if own.user else None,
        headers=own.headers,
        codecs=account.codec,
        srtp=account.srtp,
        tls=account.tls,
        rtp_ports=rtp_ports,
        trace=True,
        sip_trace=sip_trace,
        strict=strict,
    )

    def say(text: str) -> None:
        if not quiet:
            echo(text, err=True)

    cdr = Cdr(account.cdr) if account.cdr is not None else None
    loop = new_event_loop()
    try:
        status = loop.run_until_complete(
            _one_call(agent, uri, say, cdr, play=play, record=record, dtmf=dtmf, hold=hold, ring_time=ring_time)
        )
    except KeyboardInterrupt:
        status = 1
    finally:
        loop.close()
        lost = cdr.close() if cdr is not None else ""
    if lost:
        echo(f"sipswarm call: {lost}", err=True)
    return 1 if lost else status


async def _one_call(
    agent: "UserAgent",
    to: str,
    say: Callable[[str], None],
    cdr: "Cdr | None",
    *,
    play: Path | None,
    record: Path | None,
    dtmf: str,
    hold: float,
    ring_time: float,
) -> int:
    import signal

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if stop.is_set():
            leave_at_once()
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    loop.add_signal_handler(signal.SIGUSR1, stop.set)
    loop.add_signal_handler(signal.SIGQUIT, leave_at_once)
    show_stack_on_sigusr2()
    if cdr is not None:
        loop.add_signal_handler(signal.SIGHUP, cdr.reopen)
    elif signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup wants it
        loop.add_signal_handler(signal.SIGHUP, stop.set)
    placed: list[Call] = []

    def on_placed(call: "Call") -> None:
        placed.append(call)
        if cdr is not None:
            call.report = cdr.add

    agent.on_placed = on_placed
    async with _all_told(placed), agent:
        say(f"calling {to} from {agent.legs[0]}")
        answered = asyncio.ensure_future(
            agent.invite(
                to,
                media="silence",
                ring_time=ring_time,
                cb_preliminary=lambda call, code, response: say(_line(code, response)),
                cb_dtmf=lambda event, duration: say(f"digit {event}"),
            )
        )
        stopped = asyncio.ensure_future(stop.wait())
        await asyncio.wait((answered, stopped), return_when=asyncio.FIRST_COMPLETED)
        if not answered.done():
            answered.cancel()
        try:
            call = await answered
        except asyncio.CancelledError:
            say("given up")
            stopped.cancel()
            return 1
        except CallRejected as error:
            echo(f"refused: {error}")
            _say_ladders(placed, say)
            stopped.cancel()
            return 1
        except (CallTimeout, CallEnded) as error:
            cause = error.cause if isinstance(error, CallEnded) else ""
            echo(_not_as_it_should_be(reason_of(cause)) if reason_of(cause) else f"not answered: {error}")
            _say_ladders(placed, say)
            stopped.cancel()
            return 1
        say("answered")
        passed = await _talk(call, stop, say, play=play, record=record, dtmf=dtmf, hold=hold)
        stopped.cancel()
        await call.bye()
        for line in result_lines(call):
            echo(line)
        fault = end_fault(call)
        if fault:
            echo(fault)
        if call.media_error:  # of the recording too, whose last octets are written at the end
            echo(f"media failed: {call.media_error}")
    return 0 if passed and not fault and not call.media_error else 1


@asynccontextmanager
async def _all_told(calls: "list[Call]") -> AsyncIterator[None]:
    """Have a call that nobody ever answered recorded too, once the node has let go of it."""
    try:
        yield
    finally:
        for call in calls:
            call.owner.call_settled(call)  # one that is over is not told twice


async def _talk(
    call: "Call",
    stop: asyncio.Event,
    say: Callable[[str], None],
    *,
    play: Path | None,
    record: Path | None,
    dtmf: str,
    hold: float,
) -> bool:
    """What happens while the call is up; False when the digits or the file did not get out."""
    if record is not None:
        call.record(str(record))
    playing = call.play(str(play)) if play is not None else None
    until = asyncio.get_running_loop().time() + hold
    stopped = asyncio.ensure_future(stop.wait())
    passed = True
    if dtmf:
        sending = asyncio.ensure_future(call.dtmf(dtmf))
        await asyncio.wait((sending, stopped), return_when=asyncio.FIRST_COMPLETED)
        sending.cancel()
        try:
            await sending
            say(f"sent {dtmf}")
        except asyncio.CancelledError:
            echo("digits not sent: stopped by a signal")
            passed = False
        except CallError as error:
            echo(f"digits not sent: {str(error).removeprefix('digits were not sent: ')}")
            passed = False
    ends: list[asyncio.Future[Any]] = [asyncio.ensure_future(call.over()), stopped]
    if playing is not None:
        ends.append(playing)
    left = max(0.0, until - asyncio.get_running_loop().time()) if hold else None
    await asyncio.wait(ends, timeout=left, return_when=asyncio.FIRST_COMPLETED)
    if playing is not None and playing.done() and isinstance(playing.exception(), MediaError):
        echo(f"not played to its end: {playing.exception()}")
        passed = False
    for each in ends:
        each.cancel()
    return passed


def end_fault(call: "Call") -> str:
    """Why the end of an answered call is no clean one, in words; empty = it was confirmed (RFC 3261 section 15.1)."""
    reason = reason_of(call.cause_name, answered=True)
    if reason:
        return _not_as_it_should_be(reason)
    closed = closed_of(call.times)
    if closed == "confirmed":
        return ""
    why = f"refused with {call.times.bye_status}" if closed == "refused" else "not answered"
    return f"not closed: our BYE was {why}"


def _not_as_it_should_be(reason: str) -> str:
    return f"not as it should be: {words_of(reason)} ({reason})"


def result_lines(call: "Call") -> list[str]:
    """What is known of a call that is over."""
    times, figures = call.times, call.statistics
    lines = [
        f"ended by {call.by} after {times.ended - times.answered:.1f} s",
        f"answered after {times.answered - times.invited:.3f} s",
        f"digits received: {call.digits_received or 'none'}",
    ]
    if figures is None:
        return [*lines, "media: none"]
    mos = f"{figures.mos:.2f}" if figures.mos else "unknown"  # for codecs without a known impairment
    quality = f", jitter {figures.jitter_ms:.1f} ms, MOS {mos}" if figures.packets_received else ", one-way"
    media = media_of(call.all_statistics)
    if media.media_due > 0:
        came = media.rtp_due - media.rtp_missed
        due = (
            f"media was due for {media.media_due:.1f} s and there for {media.media_present:.1f} s: received {came} of "
            f"{media.rtp_due} packets due, longest gap {media.media_gap:.1f} s"
        )
    else:
        due = "no media was due"
    return [
        *lines,
        due,
        f"media: RTP sent {figures.packets_sent}, received {figures.packets_received}, lost {figures.packets_lost}"
        + quality,
    ]


def _say_ladders(calls: "list[Call]", say: Callable[[str], None]) -> None:
    """What was sent and received, for who wonders why it failed."""
    for call in calls:
        for line in call.ladder.lines():
            say(line)


def _line(code: int, response: Response) -> str:
    return f"{code} {response.reason}"
