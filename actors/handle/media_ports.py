"""The media ports that a user provides by call parameters: leases, sockets, and ports in use (man page `sdp`).

`convert` makes leases of sockets, `begin` and `take_over` give ports and description to the call, `show` writes the
ports in use into the parameters. A socket object can be used where the media worker runs in the user's process;
elsewhere `UserAgent.reserve_media` reserves ports. The values that `show` writes must not count as the user's demand.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sipswarm.sipcore.errors import LocalProtocolError

from ..call.actor import CallActor
from ..call.media_stream import MediaStream
from ..call.state import State
from ..errors import ConfigurationError
from .demand import demand_wishes, given_description
from .given_media import checked_ports
from .media_lease import MediaLease, MediaLeases, MediaPort
from .parameters import CallParameters, NegotiatedRtpParam

_SHAPING = ("rtp_param", "dtmf_methods", "dtmf_rtptype", "cb_dtmf")
"""Parameters that change the required media."""
SHOWN = frozenset(("media_lsocks", "media_raddr", "rtp_param"))
"""Parameters that `show` writes."""
_WISHES = ("codecs", "payload_size", "interval", "dtmf_methods", "tones")


def convert(media_leases: MediaLeases, param: CallParameters) -> None:
    """Make leases of the socket objects in `media_lsocks` and `media_ssocks`.

    Raises:
        ConfigurationError: a value is no bound socket, or the node has processes of its own.
    """
    for key in ("media_lsocks", "media_ssocks"):
        given = getattr(param, key)
        if given and not all(each is None or isinstance(each, MediaLease | MediaPort) for each in given):
            param.update({key: tuple(_lease(media_leases, key, each) for each in checked_ports(key, given))})


def _lease(media_leases: MediaLeases, key: str, given: Any) -> Any:
    if given is None or isinstance(given, MediaLease | MediaPort):
        return given
    if not media_leases.shares_process:
        raise ConfigurationError(
            f"{key}: media runs in another process here, which cannot use this socket; take ports with "
            "`await ua.reserve_media(n)`"
        )
    return media_leases.lease_of(tuple(given) if isinstance(given, Sequence) else (given,))


def leases(given: Sequence[Any]) -> tuple[MediaLease, ...]:
    """Return the leases among these, which the user took."""
    return tuple(each for each in given if isinstance(each, MediaLease))


class CallMediaPorts:
    """The ports and descriptions of the user that one call uses."""

    __slots__ = ("_actor", "_described", "_leases", "_listening", "_sending_through")

    def __init__(self, actor: CallActor, media_leases: MediaLeases) -> None:
        self._actor = actor
        self._leases = media_leases
        self._described: Any = None
        self._listening: Any = ()
        self._sending_through: Any = ()
        """The parameters `sdp`, `media_lsocks` and `media_ssocks` that are in use."""

    def begin(self, param: CallParameters) -> tuple[MediaStream, ...]:
        """Use those of the first INVITE; return the media lines of `media_lsocks`."""
        lines = tuple(lease.line for lease in leases(param.media_lsocks))
        if lines or param.media_ssocks:
            self._leases.bring(self._actor, leases((*param.media_lsocks, *param.media_ssocks)))
            self._listening, self._described = param.media_lsocks, param.sdp
            self._send_through(param)
        return lines

    def take_over(self, param: CallParameters) -> None:
        """Use ports and description of the user, where the parameters name new ones.

        Raises:
            ConfigurationError: they do not go together.
        """
        actor = self._actor
        convert(self._leases, param)
        described = given_description(param, needs_ports=actor.media.demand.wanted)
        if described is not None and param.sdp is not self._described:
            self._described = param.sdp
            actor.media.describe(described)
        own = leases(param.media_lsocks)
        if own and param.media_lsocks is not self._listening:
            self._listening = param.media_lsocks
            self._leases.bring(actor, own)
            for lease in own:
                lease.give_to(actor)
            actor.media.adopt([lease.line for lease in own])
        self._send_through(param)

    def _send_through(self, param: CallParameters) -> None:
        """Send from the ports of `media_ssocks`, if they are new."""
        given = param.media_ssocks
        if given is self._sending_through or not (given or self._sending_through):
            return
        self._sending_through = given
        if given:
            self._leases.bring(self._actor, leases(given))
        for lease in leases(given):
            lease.give_to(self._actor)
        self._actor.media.send_through(
            [each.line if isinstance(each, MediaLease) else MediaStream(0) for each in given]
        )

    def check_clear(self) -> None:
        """Check that ports and descriptions can be given up for an INVITE that follows at once.

        Raises:
            LocalProtocolError: an INVITE cannot be sent now.
        """
        actor = self._actor
        if actor.state not in (State.IDLE, State.UP) or actor.media.exchange.pending is not None:
            raise LocalProtocolError(
                f"no INVITE can be sent now (the call is {actor.state.value}, or an offer is open)"
            )

    @contextmanager
    def undone_if_refused(self, param: CallParameters) -> Iterator[None]:
        """Undo changes of the parameters, and of what follows from them, when the step they are for is refused at once.

        Ports that the user gave stay with the call.
        """
        before = param.values()
        try:
            yield
        except (LocalProtocolError, ConfigurationError):
            self.reshape(param, param.restore(before))
            if param.sdp is not self._described and self._described is not None:
                self._described = param.sdp
                media = self._actor.media
                media.describe(given_description(param, needs_ports=media.demand.wanted))
            raise

    def reshape(self, param: CallParameters, changed: Sequence[str]) -> None:
        """Apply changed parameters from the next description on."""
        if any(key in changed for key in _SHAPING):
            wishes = demand_wishes(param)
            self._actor.media.wish(**{key: wishes[key] for key in _WISHES if key in wishes})

    def show(self, param: CallParameters) -> None:
        """Write the ports in use into the parameters: `media_lsocks`, `media_raddr`, `rtp_param`."""
        media = self._actor.media
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
