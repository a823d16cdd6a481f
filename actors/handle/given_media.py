"""Checks of the media that a user gives as call parameters, made when they are given (man page `rtp_param`, `sdp`).

They do not compare one parameter with another, because a user may set them one by one: `demand` does that when media is
required. An impossible value must be refused here, so that no call that comes in fails on it.
"""

import socket
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Any, NamedTuple

from sipswarm.sipcore.errors import ParseError
from sipswarm.sipcore.sdp.description import SessionDescription
from sipswarm.sipcore.sdp.media_attributes import Codec
from sipswarm.sipcore.sdp.offer_answer import codec_for

from ..call.stream_configuration import LARGEST_PAYLOAD
from ..diagnosis.foreign_text import said
from ..errors import CallError, ConfigurationError
from .media_lease import MediaLease, MediaPort

_SHOWN = 100


class RtpParam(NamedTuple):
    """The packets that a user demands."""

    codec: Codec
    payload_size: int
    """Octets."""
    interval: float
    """Seconds."""


def checked_rtp_param(what: str, given: Any) -> RtpParam | None:
    """Return [payload type, octets, seconds, name?] as demanded packets; None = those that are negotiated.

    Raises:
        ConfigurationError: it is something else, or no stream can send such packets.
    """
    if given is None:
        return None
    try:
        if isinstance(given, str | bytes | Mapping):
            raise TypeError("it is no list")
        payload_type, size, interval, *name = given
        codec = codec_for(int(payload_type), str(name[0]) if name else "")
        octets, seconds = int(size), float(interval)
        if not 1 <= octets <= LARGEST_PAYLOAD:
            raise ValueError(f"{octets} octets are not between 1 and {LARGEST_PAYLOAD}")
        if not 0.001 <= seconds <= 1.0:
            raise ValueError(f"{seconds:g} s are not between 0.001 and 1")
    except (TypeError, ValueError, OverflowError) as error:
        raise ConfigurationError(
            f"{what} {said(given)}: {error}; write [payload type, octets, seconds] or [97, 50, 0.03, 'iLBC/8000']"
        ) from error
    return RtpParam(codec, octets, seconds)


def checked_description(what: str, given: Any) -> SessionDescription | None:
    """Return the description that the user made; None without one.

    Args:
        given: an object, octets or text; a mapping of the parts of the session, with a list of those of each media line
            as `media`; or a list of such mappings, the session first, as in Perl (`SessionDescription.from_parts`).

    Raises:
        ConfigurationError: it cannot be read.
    """
    if given is None or isinstance(given, SessionDescription):
        return given
    try:
        if isinstance(given, str | bytes):
            return SessionDescription.parse(given, strict=True)
        session, *media = _parts_of(given)
        return SessionDescription.from_parts(session, media)
    except KeyError as error:
        raise ConfigurationError(f"{what}: a media line has no {error.args[0]}; give it, such as port=5004") from error
    except (ParseError, TypeError, ValueError) as error:
        raise ConfigurationError(
            f"{what} cannot be read: {error}; give a whole description with an m= line for each of media_lsocks"
        ) from error


def _parts_of(given: object) -> Sequence[Mapping[str, Any]]:
    """Return the parts of a description: those of the session, then those of each media line.

    Raises:
        TypeError: it is no mapping, and no list of mappings.
    """
    if isinstance(given, Mapping):
        media = given.get("media", ())
        given = [{name: value for name, value in given.items() if name != "media"}, *media]
    if not isinstance(given, list | tuple) or not given or not all(isinstance(each, Mapping) for each in given):
        raise TypeError(f"{type(given).__name__} is neither text, octets, a mapping nor a list of mappings")
    return given


def checked_port_list(what: str, given: Any) -> tuple[Any, ...]:
    """Return media ports, one per media line, whatever each is: what uses them checks that.

    Raises:
        ConfigurationError: they are no list.
    """
    if not isinstance(given, list | tuple) or isinstance(given, MediaPort):
        raise ConfigurationError(f"{what} is {type(given).__name__}, not a list with a port for each media line")
    return tuple(given)


def checked_ports(what: str, given: Any) -> tuple[Any, ...]:
    """Return media ports, one per media line: leases, ports in use, bound UDP sockets, pairs of those, or None.

    Raises:
        ConfigurationError: they are something else.
    """
    for each in checked_port_list(what, given):
        if each is None or isinstance(each, MediaLease | MediaPort):
            continue
        sockets = tuple(each) if isinstance(each, Sequence) and not isinstance(each, str | bytes) else (each,)
        if not sockets or not all(isinstance(one, socket.socket) for one in sockets):
            raise ConfigurationError(f"{what} takes leases of ua.reserve_media or bound UDP sockets, not {said(each)}")
        for one in sockets:
            if one.type != socket.SOCK_DGRAM or one.fileno() < 0 or not one.getsockname()[1]:
                raise ConfigurationError(f"{what}: {one!r} is no bound UDP socket")
    return tuple(given)


def checked_source_address(what: str, given: Any) -> str:
    """Return the address from which asymmetric RTP is sent; empty = the usual one.

    Raises:
        CallError: it is no IP address; the media worker would refuse it in each call.
    """
    try:
        if not isinstance(given, str) or given:
            ip_address(given if isinstance(given, str) else "")
    except ValueError as error:
        raise CallError(
            f"{what} {said(given)} is no IP address (bad_address); write one of this host, such as 192.0.2.1"
        ) from error
    return str(given)
