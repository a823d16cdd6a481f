"""One call from the terminal: places it, reports its events, and shows its result at the end.

It has its own user agent in this process, with a node embedded in one event loop. It waits for the answer, a signal or
a refusal; then it records, plays, sends digits and holds, and hangs up. A first SIGINT or SIGTERM hangs up, a second
one leaves at once. A fault of the end, of the digits or of the media must never end with exit code 0.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sipswarm.media.messages import UNREACHABLE_SHARE
from sipswarm.sipcore.message.messages import Response

from ..agent.placing import Placing
from ..agent.user_agent import UserAgent
from ..call_worker.call_metrics import closed_of, media_of
from ..config import CallSettings, Listener
from ..diagnosis.failure_reasons import reason_of, words_of
from ..errors import CallEnded, CallError, CallRejected, CallTimeout, MediaError
from ..handle.call import Call
from ..host.event_loop import new_event_loop
from ..load.cdr import Cdr
from .options import CallOptions
from .signals import leave_at_once, show_stack_on_sigusr2
from .terminal import echo


def run_call(to: str, leg: Listener, settings: CallSettings, own: CallOptions, records: Path | None) -> int:
    """Place the call and wait for its end.

    Args:
        to: the SIP URI that is called.
        leg: the local address.
        settings: of the node; the caller is in its account.
        own: options of the call.
        records: file of records of ended calls.

    Returns:
        0 = it was answered and closed, else 1.
    """
    account = settings.account
    agent = UserAgent(
        account.from_,
        legs=(str(leg),),
        advertise=settings.advertise,
        outgoing_proxy=account.proxy,
        auth=(account.user, account.password) if account.user else None,
        headers=account.headers,
        codecs=settings.codecs,
        srtp=settings.srtp,
        tls=settings.tls,
        rtp_ports=settings.rtp_ports,
        trace=True,
        sip_trace=settings.sip_trace,
        strict=settings.strict,
    )

    def say(text: str) -> None:
        if not own.quiet:
            echo(text, err=True, level="INFO")

    cdr = Cdr(records) if records is not None else None
    loop = new_event_loop()
    try:
        status = loop.run_until_complete(_one_call(agent, to, say, cdr, own))
    except KeyboardInterrupt:
        status = 1
    finally:
        loop.close()
        lost = cdr.close() if cdr is not None else ""
    if lost:
        echo(f"sipswarm call: {lost}", err=True)
    return 1 if lost else status


async def _one_call(agent: UserAgent, to: str, say: Callable[[str], None], cdr: Cdr | None, own: CallOptions) -> int:
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
    elif signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup has it ignored
        loop.add_signal_handler(signal.SIGHUP, stop.set)
    placed: list[Call] = []

    def on_placed(call: Call) -> None:
        placed.append(call)
        if cdr is not None:
            call.attend(report=cdr.add)

    agent = agent.placing_as(Placing(on_placed=on_placed))
    async with _all_told(placed), agent:
        say(f"calling {to} from {agent.legs[0]}")
        answered = asyncio.ensure_future(
            agent.invite(
                to,
                media="silence",
                ring_time=own.ring_time,
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
        passed = await _talk(call, stop, say, own)
        stopped.cancel()
        await call.bye()
        for line in result_lines(call):
            echo(line)
        if passed and own.play is not None and not any(each.packets_sent for each in call.all_statistics):
            echo("not played: no packet left; does the peer let us send (a=sendonly, a=inactive, hold, port 0)?")
            passed = False
        if passed and own.play is not None and media_of(call.all_statistics).unreachable_share > UNREACHABLE_SHARE:
            echo(f"not played: {words_of('media_unreachable')}")
            passed = False
        fault = end_fault(call)
        if fault:
            echo(fault)
        if call.media_error:  # of the recording too, which is completed at the end
            echo(f"media failed: {call.media_error}")
    return 0 if passed and not fault and not call.media_error else 1


@asynccontextmanager
async def _all_told(calls: list[Call]) -> AsyncIterator[None]:
    """Have a call without any answer recorded too, once the node has let go of it."""
    try:
        yield
    finally:
        for call in calls:
            call.owner.call_settled(call)  # one that is over is not reported twice


async def _talk(call: Call, stop: asyncio.Event, say: Callable[[str], None], own: CallOptions) -> bool:
    """Do what the options demand while the call is up; False when the digits or the file did not get out."""
    if own.record is not None:
        call.record(str(own.record))
    playing = call.play(str(own.play)) if own.play is not None else None
    until = asyncio.get_running_loop().time() + own.hold
    stopped = asyncio.ensure_future(stop.wait())
    passed = True
    if own.dtmf:
        sending = asyncio.ensure_future(call.dtmf(own.dtmf))
        await asyncio.wait((sending, stopped), return_when=asyncio.FIRST_COMPLETED)
        sending.cancel()
        try:
            await sending
            say(f"sent {own.dtmf}")
        except asyncio.CancelledError:
            echo("digits not sent: stopped by a signal")
            passed = False
        except CallError as error:
            echo(f"--dtmf: {error}")
            passed = False
    ends: list[asyncio.Future[Any]] = [asyncio.ensure_future(call.over()), stopped]
    if playing is not None:
        ends.append(playing)
    left = max(0.0, until - asyncio.get_running_loop().time()) if own.hold else None
    await asyncio.wait(ends, timeout=left, return_when=asyncio.FIRST_COMPLETED)
    if playing is not None and playing.done() and isinstance(playing.exception(), MediaError):
        echo(f"not played to its end: {playing.exception()}")
        passed = False
    for each in ends:
        each.cancel()
    return passed


def end_fault(call: Call) -> str:
    """Return why the end of an answered call is not clean, in words; empty = confirmed (RFC 3261 section 15.1)."""
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


def result_lines(call: Call) -> list[str]:
    """Return the figures of a call that is over, in lines."""
    times, figures = call.times, call.statistics
    lines = [
        f"ended by {call.by} after {times.ended - times.answered:.1f} s",
        f"answered after {times.answered - times.invited:.3f} s",
        f"digits received: {call.digits_received or 'none'}",
    ]
    if not figures.stream_id:
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
    lines += [
        due,
        f"media: RTP sent {figures.packets_sent}, received {figures.packets_received}, lost {figures.packets_lost}"
        + quality,
    ]
    if media.unreachable_share > 0:
        lines.append(f"destination unreachable (ICMP) for {media.unreachable_share:.2f} of the RTP sent")
    return lines


def _say_ladders(calls: list[Call], say: Callable[[str], None]) -> None:
    """Show the messages of failed calls, for a search of the cause."""
    for call in calls:
        for line in call.ladder.lines():
            say(line)


def _line(code: int, response: Response) -> str:
    return f"{code} {response.reason}"
