"""Media ports of the user's own, as call parameters name them: leases, sockets of the caller, and ports that are live.

Man page C4 and C8 to C10, CALL.md section 0 ("Sockets"). A socket object can be used where the media worker runs in the
caller's process; where it does not, ports are reserved with `UserAgent.reserve_media`.
"""

import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ..call.media import MediaStream
from ..errors import ConfigurationError
from .demand import demand_wishes, given_description
from .media_lease import MediaLease
from .parameters import CallParameters, NegotiatedRtpParam

if TYPE_CHECKING:
    from ..call_worker.worker import CallWorker
    from .call import Call

_SHAPING = ("rtp_param", "dtmf_methods", "dtmf_rtptype", "cb_dtmf")
"""parameters that change what is wanted of the media"""
SHOWN = frozenset(("media_lsocks", "media_raddr", "rtp_param"))
"""parameters that `show` writes"""
_WISHES = ("codecs", "payload_size", "interval", "dtmf_methods", "tones")


class MediaPort(NamedTuple):
    """A port that a call has taken itself, as `media_lsocks` shows it from the start of its media on."""

    address: str
    port: int
    """of RTP"""
    rtcp_port: int


def convert(worker: "CallWorker", param: CallParameters) -> None:
    """Make leases of the socket objects in `media_lsocks` and `media_ssocks`.

    Raises:
        ConfigurationError: no socket, not bound, or in a fleet of processes.
    """
    for key in ("media_lsocks", "media_ssocks"):
        given = getattr(param, key)
        if given and not all(each is None or isinstance(each, MediaLease | MediaPort) for each in given):
            param.update({key: tuple(_lease(worker, key, each) for each in given)})


def _lease(worker: "CallWorker", key: str, given: Any) -> Any:
    if given is None or isinstance(given, MediaLease | MediaPort):
        return given
    sockets = tuple(given) if isinstance(given, Sequence) else (given,)
    if not sockets or not all(isinstance(each, socket.socket) for each in sockets):
        raise ConfigurationError(f"{key} takes leases of ua.reserve_media or bound UDP sockets, not {given!r}")
    if worker.config.run_dir:
        raise ConfigurationError(
            f"{key}: media runs in another process here, which cannot use this socket; take ports with "
            "`await ua.reserve_media(n)`"
        )
    for each in sockets:
        if each.type != socket.SOCK_DGRAM or each.fileno() < 0 or not each.getsockname()[1]:
            raise ConfigurationError(f"{key}: {each!r} is no bound UDP socket")
    return worker.lease_of(sockets)


def leases(given: Sequence[Any]) -> tuple[MediaLease, ...]:
    """Those of these that are the user's."""
    return tuple(each for each in given if isinstance(each, MediaLease))


def take_over(call: "Call") -> None:
    """Use ports and description of the user's own, where the parameters name new ones (C6, C8, C9).

    Raises:
        ConfigurationError: they do not go together.
    """
    param, actor, worker = call.param, call.actor, call.worker
    convert(worker, param)
    described = given_description(param)
    if described is not None and param.sdp is not call.described:
        call.described = param.sdp
        actor.media.given = described
    own = leases(param.media_lsocks)
    if own and param.media_lsocks is not call.listening:
        call.listening = param.media_lsocks
        worker.bring_media(actor)
        for lease in own:
            lease.give_to(actor)
        actor.media.adopt([lease.line for lease in own])
    send_through(call)


def send_through(call: "Call") -> None:
    """Send from the ports of `media_ssocks`, if they are new (C9)."""
    given = call.param.media_ssocks
    if given is call.sending_through or not (given or call.sending_through):
        return
    call.sending_through = given
    if given:
        call.worker.bring_media(call.actor)
    for lease in leases(given):
        lease.give_to(call.actor)
    call.actor.media.send_through([each.line if isinstance(each, MediaLease) else MediaStream(0) for each in given])


def reshape(call: "Call", changed: Sequence[str]) -> None:
    """Have parameters that were changed count from the next description on (C5, C11, C41)."""
    if any(key in changed for key in _SHAPING):
        wishes = demand_wishes(call.param)
        media = call.actor.media
        media.demand = media.demand._replace(**{key: wishes[key] for key in _WISHES if key in wishes})


def show(call: "Call") -> None:
    """Write into the parameters what the media uses now: `media_lsocks`, `media_raddr`, `rtp_param` (C4)."""
    param, media = call.param, call.actor.media
    agreed = media.agreed()
    ports: dict[str, Any] = {
        "media_raddr": tuple((each.remote_address, each.remote_port) if each.active else None for each in agreed)
    }
    if not leases(param.media_lsocks):
        address = media.demand.address
        ports["media_lsocks"] = tuple(MediaPort(address, line.port, line.rtcp_port) for line in media.lines)
    demand, first = media.demand, next(iter(agreed), None)
    demanded = param.rtp_param is not None and not isinstance(param.rtp_param, NegotiatedRtpParam)
    if first is not None and first.send and not demanded:
        codec = first.send[0]
        interval = demand.interval or (first.ptime / 1000 if first.ptime else 0.02)
        size = demand.payload_size or round(codec.clock_rate * interval)
        name = f"{codec.name}/{codec.clock_rate}"
        ports["rtp_param"] = NegotiatedRtpParam((codec.payload_type, size, interval, name))
    param.update(ports)
