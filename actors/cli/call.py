"""`sipswarm call TO`: one call from the terminal, in this process; `one_call` places it."""

import time
from dataclasses import replace
from pathlib import Path

import click

from ..config import CallSettings, format_host
from ..handle.media_handlers import recording_sink
from ..host.descriptors import need_for_call
from ..transport import tls
from ..transport.local_addresses import LocalAddresses
from .configuration import Verb
from .options import CallerOptions, CallOptions, cdr_option, options
from .target import checked_hop, complete
from .values import check_audio, filled_argument


@click.command(cls=Verb)
@filled_argument("to")
@options(CallOptions)
@options(CallerOptions)
@options(CallSettings)
@cdr_option
def call(own: CallOptions, caller: CallerOptions, settings: CallSettings, to: str, cdr: Path | None) -> int:
    """Call TO, print its progress, and show the digits received and the quality of the media at the end.

    \b
    Examples:
      sipswarm call 127.0.0.1:5070 -d 3s
      sipswarm call ivr@127.0.0.1:5070 --dtmf 1234 -d 3s --record answer.wav

    Exit codes: 0 the call was answered and closed, 1 it was not, 2 usage.
    """
    from .one_call import run_call

    need_for_call()
    if "?" in own.dtmf:
        raise click.UsageError("--dtmf ? is a random digit of a load; write the digits")
    if own.play is not None:
        check_audio(f"play:{own.play}")
    if own.record is not None:
        recording_sink(str(own.record))
    uri = complete(to, caller.user, caller.chosen_transport)
    hop = checked_hop(settings.account.proxy or uri, allow_public=caller.allow_public, rate=0.0)
    leg = caller.listener(hop, settings.advertise)
    tls.check(settings.tls, (leg,), time.time())
    if not settings.account.from_:
        host = LocalAddresses((leg,), settings.advertise).toward(0, hop.host).seen.host
        account = replace(settings.account, from_=f"sip:sipswarm@{format_host(host)}")
        settings = replace(settings, account=account)
    return run_call(uri, leg, settings, own, cdr)
