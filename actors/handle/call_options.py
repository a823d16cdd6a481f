"""The keyword arguments of `invite`, `listen` and `reinvite` by name and type: a type checker finds a wrong one.

`CallParameters` has the meaning of each. `checked_names` refuses an unknown name at run time. Values of the user's own,
which the man page permits as parameters, are no keyword arguments of `invite` and `listen`: those two take them as the
mapping `param`.
"""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final, TypedDict

from sipswarm.sipcore.message.messages import Response
from sipswarm.sipcore.sdp.description import SessionDescription

from ..diagnosis.foreign_text import said
from ..errors import ConfigurationError
from ..identity import Auth
from ..runtime.callbacks import Callback

RING_TIME: Final = 180.0
"""Seconds of ringing before CANCEL, unless a call sets another limit."""
Headers = Mapping[str, str | Sequence[str]] | Sequence[tuple[str, str]]


class CallOptions(TypedDict, total=False):
    """The parameters of a call."""

    leg: int | str | None
    sdp_on_ack: bool
    init_media: Callback
    rtp_param: Sequence[Any] | None
    sdp: SessionDescription | str | bytes | Mapping[str, Any] | Sequence[Mapping[str, Any]] | None
    sdp_peer: SessionDescription | None
    media_lsocks: Sequence[Any]
    media_ssocks: Sequence[Any]
    media_raddr: Sequence[tuple[str, int] | None]
    ack_header: Headers
    asymetric_rtp: bool
    asymmetric_rtp: bool
    dtmf_methods: str | Sequence[str]
    recv_bye: Callback
    send_bye: Callback
    send_cancel: Callback
    clear_sdp: bool
    cb_final: Callback
    cb_preliminary: Callback
    cb_ack: Callback
    cb_established: Callback
    cb_invite: Callback
    cb_dtmf: Callback
    cb_media_moved: Callback
    cb_notify: Callback
    sip_header: Headers
    call_on_hold: bool
    cb_rtp_done: Callback
    ring_time: float
    cb_noanswer: Callback
    cb_cleanup: Callback
    dtmf_rtptype: int
    rtp_addr: str


class InviteOptions(CallOptions, total=False):
    """The same for a call that is placed."""

    media: str
    auth: Auth
    call_id: str


class ReinviteOptions(CallOptions, total=False):
    """The same for a later INVITE."""

    auth: Auth
    resp40x: Response | None


class ListenOptions(CallOptions, total=False):
    """The same for calls that come in, with the challenge of their callers."""

    auth_user2pass: Any
    auth_user2a1: Any
    auth_user2aka: Any
    auth_realm: str
    auth_opaque: str
    auth_algorithms: str | Sequence[str]
    auth_qop: str
    auth_uri: str
    auth_strict: bool


OF_LISTEN: Final = frozenset(("robot", "filter", "cb_create", "media", "refuse_status"))
"""Arguments of `listen` that are no parameters of its calls."""


def checked_names(
    method: str, given: Mapping[str, object], options: type, param: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return keyword arguments together with the user's own parameters.

    Args:
        given: the keyword arguments.
        options: the typed dictionary that names them all.
        param: further parameters, of any name; a keyword argument replaces one of the same name.

    Raises:
        ConfigurationError: a keyword argument has a name that is none of them, or `param` is no mapping of names.
    """
    if param is not None and not (isinstance(param, Mapping) and all(isinstance(name, str) for name in param)):
        raise ConfigurationError(f"param {said(param)} is no mapping of names to values")
    misplaced = sorted(OF_LISTEN.intersection(param or ())) if options is ListenOptions else []
    if misplaced:
        raise ConfigurationError(f"param: {misplaced[0]} is an argument of {method}; give it as {misplaced[0]}=…")
    known = options.__annotations__
    for name in given:
        if name not in known:
            close = get_close_matches(name, known, 1, 0.75)
            meant = f"; did you mean {close[0]}?" if close else "."
            raise ConfigurationError(
                f"{method} has no argument {name}{meant} Give a value of your own as param={{{name!r}: …}}"
            )
    return {**(param or {}), **given}
