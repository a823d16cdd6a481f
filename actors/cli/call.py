"""`sipswarm call TO`: one call from the terminal, in this process."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sipcore.message import Response

from ..config import Listener, format_host
from ..errors import CallEnded, CallError, CallRejected, CallTimeout, ConfigurationError
from ..process import new_event_loop
from .configuration import Verb
from .options import sip_trace_option
from .values import Digits, Duration, PortRange

if TYPE_CHECKING:
    from ..call import Call
    from ..user_agent import UserAgent


@click.command(cls=Verb)
@click.argument("to")
@click.option("--play", type=click.Path(exists=True, dir_okay=False), default=None, help="Send this audio file, once.")
@click.option(
    "--record", type=click.Path(dir_okay=False), default=None, help="Write what comes in to this file (.wav)."
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
    "--ring-time", type=Duration(), default="60s", show_default=True, help="CANCEL without an answer by then."
)
@click.option("-s", "--user", default="", help="Call this user, where TO names none.")
@click.option("--from", "from_", default="", show_default="sip:sipswarm@our address", help="Our SIP URI.")
@click.option("--proxy", default="", help="Send everything through this SIP URI or address.")
@click.option("--auth-user", default="", help="User name for a 401 or 407.")
@click.option(
    "--auth-password-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=None,
    help="File with the password in its first line.",
)
@click.option("-i", "--local-ip", default="", show_default="by route", help="Our address.")
@click.option("-p", "--local-port", type=click.IntRange(0, 65535), default=0, show_default="any free", help="SIP port.")
@click.option("--rtp-ports", type=PortRange(), default="20000-32766", show_default=True, help="RTP ports.")
@click.option("--allow-public", is_flag=True, help="TO may be outside of loopback, link-local and private networks.")
@sip_trace_option
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
def call(
    to: str,
    play: str | None,
    record: str | None,
    dtmf: str,
    hold: float,
    ring_time: float,
    user: str,
    from_: str,
    proxy: str,
    auth_user: str,
    auth_password_file: Path | None,
    local_ip: str,
    local_port: int,
    rtp_ports: tuple[int, int],
    allow_public: bool,
    sip_trace: str,
    quiet: bool,
) -> int:
    """Call TO, say what happens, and show the digits received and the quality of the media at the end.

    \b
    Examples:
      sipswarm call 127.0.0.1:5070 -d 3s
      sipswarm call ivr@127.0.0.1:5070 --dtmf 1234 -d 3s --record answer.wav

    Exit codes: 0 the call was answered and closed, 1 it was not, 2 usage.
    """
    from ..user_agent import UserAgent
    from .target import checked_hop, complete, local_address

    if bool(auth_user) != bool(auth_password_file):
        raise click.UsageError("--auth-user and --auth-password-file belong together; give both")
    if "?" in dtmf:
        raise click.UsageError("--dtmf ? is a random digit of a load; write the digits")
    uri = complete(to, user)
    hop = checked_hop(complete(proxy) if proxy else uri, allow_public=allow_public, rate=0.0)
    host = format_host(local_ip or local_address(hop))
    Listener.parse(f"udp:{host}:{local_port}")
    password = auth_password_file.read_text().splitlines()[:1] if auth_password_file is not None else []
    if auth_password_file is not None and not password:
        raise ConfigurationError(f"--auth-password-file {auth_password_file}: it is empty; write the password in it")
    agent = UserAgent(
        from_ or f"sip:sipswarm@{host}",
        legs=(f"udp:{host}:{local_port}",),
        outgoing_proxy=proxy,
        auth=(auth_user, password[0]) if password else None,
        rtp_ports=rtp_ports,
        trace=True,
        sip_trace=sip_trace,
    )

    def say(text: str) -> None:
        if not quiet:
            click.echo(text, err=True)

    loop = new_event_loop()
    try:
        return loop.run_until_complete(
            _one_call(agent, uri, say, play=play, record=record, dtmf=dtmf, hold=hold, ring_time=ring_time)
        )
    except KeyboardInterrupt:
        return 1
    finally:
        loop.close()


async def _one_call(
    agent: "UserAgent",
    to: str,
    say: Callable[[str], None],
    *,
    play: str | None,
    record: str | None,
    dtmf: str,
    hold: float,
    ring_time: float,
) -> int:
    import signal

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    placed: list[Call] = []
    agent.on_placed = placed.append
    async with agent:
        say(f"calling {to} from {agent.legs[0]}")
        answered = asyncio.ensure_future(
            agent.invite(
                to,
                media="silence",
                ring_time=ring_time,
                cb_preliminary=lambda call, code, response: say(_line(code, response)),
                cb_rtp_done=lambda call: stop.set(),
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
            click.echo(f"refused: {error}")
            _say_ladders(placed, say)
            stopped.cancel()
            return 1
        except (CallTimeout, CallEnded) as error:
            click.echo(f"not answered: {error}")
            _say_ladders(placed, say)
            stopped.cancel()
            return 1
        say("answered")
        passed = await _talk(call, stop, say, play=play, record=record, dtmf=dtmf, hold=hold)
        stopped.cancel()
        await call.bye()
        for line in result_lines(call):
            click.echo(line)
    return 0 if passed else 1


async def _talk(
    call: "Call",
    stop: asyncio.Event,
    say: Callable[[str], None],
    *,
    play: str | None,
    record: str | None,
    dtmf: str,
    hold: float,
) -> bool:
    """What happens while the call is up; False when the digits did not get out."""
    if record is not None:
        call.record(record)
    if play is not None:
        call.play(play)
    until = asyncio.get_running_loop().time() + hold
    passed = True
    if dtmf:
        try:
            await call.dtmf(dtmf)
            say(f"sent {dtmf}")
        except CallError as error:
            click.echo(f"digits not sent: {error}")
            passed = False
    over = asyncio.ensure_future(call.over())
    stopped = asyncio.ensure_future(stop.wait())
    left = max(0.0, until - asyncio.get_running_loop().time()) if hold else None
    await asyncio.wait((over, stopped), timeout=left, return_when=asyncio.FIRST_COMPLETED)
    for each in (over, stopped):
        each.cancel()
    return passed


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
    quality = f", jitter {figures.jitter_ms:.1f} ms, MOS {figures.mos:.2f}" if figures.packets_received else ", one-way"
    return [
        *lines,
        f"media: RTP sent {figures.packets_sent}, received {figures.packets_received}, lost {figures.packets_lost}"
        + quality,
    ]


def _say_ladders(calls: "list[Call]", say: Callable[[str], None]) -> None:
    """What was sent and received, for who wonders why it failed."""
    for call in calls:
        say(str(call.ladder))


def _line(code: int, response: Response) -> str:
    return f"{code} {response.reason}"
