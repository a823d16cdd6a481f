"""The connection parameters of a call: every option of the man page's constructor, and further keys of the user.

They live as long as the call's handle, are changed by `set_param` or by passing them to `reinvite`, and are readable
from every callback. Values that become part of a message, and callbacks, are checked when they are set; no invalid one
may wait until it is used. Any name is kept as a key of the user's own by `set_param`, `reinvite`, `bye` and `cancel`.
So a name of another method is refused there by itself, with the place where it counts: such a callback would never be
called.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from typing import Any, Final, Self

from sipswarm.sipcore.sdp.description import SessionDescription

from ..errors import ConfigurationError
from ..runtime.callbacks import Callback
from .call_options import CallOptions
from .dtmf_methods import dtmf_modes
from .given_media import (
    checked_description,
    checked_port_list,
    checked_ports,
    checked_rtp_param,
    checked_source_address,
)
from .given_text import (
    checked_call_id,
    checked_callback,
    checked_flag,
    checked_leg,
    checked_pairs,
    checked_seconds,
    checked_whole,
)

Header = str | Sequence[str]

DYNAMIC: Final = (96, 127)
"""The dynamic payload types (RFC 3551 section 6)."""


class NegotiatedRtpParam(tuple[Any, ...]):
    """The value of `rtp_param` when the user gave none: the negotiated one, and no demand for the next time."""

    __slots__ = ()


class CallParameters:
    """Options of one call as attributes; further keys are kept and read back in the same way.

    It is read as a mapping of the keys that were set, too: `param["x"]`, `"x" in param`, `dict(param)`. An option that
    was not set has its default in `param[…]`.
    """

    leg: int | str | None = None
    """One of the agent's legs: index, or "udp:ADDRESS:PORT"."""
    sdp_on_ack: bool = False
    """No description in the INVITE, the answer goes into the ACK."""
    init_media: Callback = None
    """Called as (call, param) to start the media."""
    rtp_param: Sequence[Any] | None = None
    """[payload type, octets, seconds, name?]; a demand when given."""
    sdp: Any = None
    """A SessionDescription, bytes, str, a mapping of parts (with `media`) or a list of them; needs `media_lsocks`."""
    sdp_peer: SessionDescription | None = None
    """The peer's newest description."""
    media_lsocks: Sequence[Any] = ()
    """Leases of `reserve_media` or bound UDP sockets, one per media line; once media starts, the ports in use."""
    media_ssocks: Sequence[Any] = ()
    """The same to send from; None for a line that sends from its own port."""
    media_raddr: Sequence[tuple[str, int] | None] = ()
    """Address and port of the peer, per media line, from the start of media on; None = the line is not used."""
    ack_header: Mapping[str, Header] | Sequence[tuple[str, str]] = ()
    """Further headers of the ACK to a 2xx, which leaves before any callback."""
    asymetric_rtp: bool = False
    """Send from another port than the announced one (`asymmetric_rtp` is the same)."""
    dtmf_methods: str | Sequence[str] = "rfc2833,audio"
    """Kinds of received digits that are reported, with `cb_dtmf`."""
    recv_bye: Callback = None
    """Called as (param) when the peer ended the call by BYE or CANCEL."""
    send_bye: Callback = None
    """Called as (param with bye's arguments) when this side ended it."""
    send_cancel: Callback = None
    """The same for CANCEL, instead of `send_bye`."""
    clear_sdp: bool = False
    """New ports and descriptions for each INVITE of either side."""
    cb_final: Callback = None
    """Called as ("OK" or "FAIL", call, info) on the final result of the local INVITE."""
    cb_preliminary: Callback = None
    """Called as (call, code, response) for each 1xx."""
    cb_ack: Callback = None
    """With `sdp_on_ack`: called as (call, offer) before the ACK to a 2xx leaves, which has the offer. It may return the
    answer, as `sdp`; None = the usual one. The ACK waits for a coroutine function."""
    cb_established: Callback = None
    """Called as ("OK", call) on the ACK to the local 2xx: when a call that came is up, and after each re-INVITE of the
    peer. When a call is up that was placed: `cb_final`, or the return of `invite`."""
    cb_invite: Callback = None
    """Called as (call, request) on each INVITE of the peer; may return a Response."""
    cb_dtmf: Callback = None
    """Called as (event, duration in ms) for each digit."""
    cb_media_moved: Callback = None
    """Called as (call, seconds) when the media go on at another media worker; seconds: of the gap."""
    cb_notify: Callback = None
    """Called as (call, request) on NOTIFY."""
    sip_header: Mapping[str, Header] | Sequence[tuple[str, str]] = ()
    """Further headers of INVITEs."""
    call_on_hold: bool = False
    """The next description puts the call on hold; once."""
    cb_rtp_done: Callback = None
    """Called as (call) when the source has ended; default: bye."""
    ring_time: float = 0.0
    """Seconds without a final answer before CANCEL; 0 = 180."""
    cb_noanswer: Callback = None
    """Called as ("NOANSWER", call, info) after that CANCEL's result."""
    cb_cleanup: Callback = None
    """Called as (call) when the call is cleaned up."""
    dtmf_rtptype: int = 101
    """Payload type of telephone-event in local offers."""
    rtp_addr: str = ""
    """Source address of asymmetric sending."""

    def __init__(self, **values: Any) -> None:
        _check(values)
        self._set(values)

    @classmethod
    def checked_before(cls, values: Mapping[str, Any]) -> Self:
        """Return parameters of values that were checked before, for each call of one `listen`; not for users."""
        one = cls.__new__(cls)
        one._set(values)
        return one

    def _set(self, values: Mapping[str, Any]) -> None:
        self.__dict__.update(values)
        if "asymmetric_rtp" in values:
            self.asymetric_rtp = bool(values["asymmetric_rtp"])

    def update(self, values: Mapping[str, Any]) -> None:
        """Set these keys.

        Raises:
            ConfigurationError: a value cannot become part of a message, or be called back; then no key has changed.
        """
        _check(values)
        for key in _PORTS & values.keys():
            checked_ports(key, values[key])
        self._set(values)

    def take_hold(self) -> bool:
        """Return whether the current description puts the call on hold, and reset that; not for users."""
        hold, self.call_on_hold = self.call_on_hold, False
        return hold

    def values(self) -> dict[str, Any]:
        """Return a copy of all set keys with their values, for `restore`; not for users."""
        return self.__dict__.copy()

    def restore(self, values: dict[str, Any]) -> tuple[str, ...]:
        """Set exactly these keys; return those that had another value, or were not set; not for users."""
        now = self.__dict__
        changed = tuple(key for key in now.keys() | values.keys() if now.get(key) is not values.get(key))
        now.clear()
        now.update(values)
        return changed

    def take_cleanup(self) -> tuple[Callback, ...]:
        """Return `cb_cleanup` and the callbacks of `Call.add_cleanup`, and forget them; not for users."""
        callback, self.cb_cleanup = self.cb_cleanup, None
        return (*(() if callback is None else (callback,)), *self.take("call_cleanup", ()))

    def peer_described(self, description: SessionDescription | None) -> None:
        """Set the peer's newest description; None = it has made none; not for users."""
        self.sdp_peer = description

    def start_as(self, other: "CallParameters") -> None:
        """Start the media as another call does, unless the user has set `init_media`; not for users."""
        self.init_media = self.init_media or other.init_media

    def get(self, key: str) -> Any:
        """Return the value of a key, an option or not; None when it was never set."""
        return getattr(self, key, None) if key in KNOWN else self.__dict__.get(key)

    def __getitem__(self, key: str) -> Any:
        if key not in KNOWN and key not in self.__dict__:
            raise KeyError(key)
        return self.get(key)

    def __contains__(self, key: object) -> bool:
        return key in self.__dict__

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self.__dict__)

    def __bool__(self) -> bool:
        return True  # also without a key: it is an object

    def keys(self) -> tuple[str, ...]:
        """Return the keys that were set, in order."""
        return tuple(self.__dict__)

    def has(self, key: str) -> bool:
        """Whether a key was set, to None as well."""
        return key in self.__dict__

    def take(self, key: str, default: Any = None) -> Any:
        """Remove a key that is about placing a call, and no option of it; return its value; not for users."""
        return self.__dict__.pop(key, default)

    def merged(self, more: Mapping[str, Any]) -> dict[str, Any]:
        """Return the set keys with further arguments on top, for callbacks of `bye` and `cancel`; not for users."""
        return {**self.__dict__, **more}

    def header_pairs(self) -> tuple[tuple[str, str], ...]:
        """Return `sip_header` as pairs; a list of values repeats the header; not for users."""
        return checked_pairs("sip_header", self.sip_header)

    def ack_pairs(self) -> tuple[tuple[str, str], ...]:
        """Return `ack_header` in the same way; not for users."""
        return checked_pairs("ack_header", self.ack_header)

    def __repr__(self) -> str:
        return f"CallParameters({', '.join(sorted(self.__dict__))})"


def _check(values: Mapping[str, Any]) -> None:
    """Check values when they are set.

    Raises:
        ConfigurationError: a value would fail later, or would be sent as something else; or a callback would never be
            called, because its name is not quite that of one.
    """
    for name, value in values.items():
        check = _CHECKS.get(name)
        if check is not None:
            check(name, value)
        elif name.startswith(_OF_CALLBACKS) and (close := get_close_matches(name, CALLED_WITH, 1, 0.85)):
            raise ConfigurationError(f"there is no parameter {name}; did you mean {close[0]}?")


KNOWN: Final = frozenset(CallParameters.__annotations__)
"""Every option of the man page and of this project."""
_FLAGS: Final = ("sdp_on_ack", "asymetric_rtp", "asymmetric_rtp", "call_on_hold", "clear_sdp")
_OF_CALLBACKS: Final = ("cb_", "recv_", "send_")
_PORTS: Final = frozenset(("media_lsocks", "media_ssocks"))
CALLED_WITH: Final[Mapping[str, tuple[str, ...]]] = {
    "init_media": ("call", "param"),
    "recv_bye": ("param",),
    "send_bye": ("param",),
    "send_cancel": ("param",),
    "cb_final": ("status", "call", "info"),
    "cb_preliminary": ("call", "code", "response"),
    "cb_ack": ("call", "offer"),
    "cb_established": ("status", "call"),
    "cb_invite": ("call", "request"),
    "cb_dtmf": ("event", "duration"),
    "cb_media_moved": ("call", "seconds"),
    "cb_notify": ("call", "request"),
    "cb_rtp_done": ("call",),
    "cb_noanswer": ("status", "call", "info"),
    "cb_cleanup": ("call",),
}
"""The arguments of each callback."""
_CHECKS: Final[Mapping[str, Callable[[str, Any], object]]] = {
    **dict.fromkeys(_FLAGS, checked_flag),
    **{name: partial(checked_callback, arguments=arguments) for name, arguments in CALLED_WITH.items()},
    **dict.fromkeys(("sip_header", "ack_header"), checked_pairs),
    **dict.fromkeys(_PORTS, checked_port_list),
    "leg": checked_leg,
    "rtp_param": lambda what, value: None if isinstance(value, NegotiatedRtpParam) else checked_rtp_param(what, value),
    "sdp": checked_description,
    "dtmf_methods": lambda what, value: dtmf_modes(value, what),
    "dtmf_rtptype": lambda what, value: checked_whole(what, value, *DYNAMIC),
    "rtp_addr": checked_source_address,
    "ring_time": checked_seconds,
    "call_id": checked_call_id,
}
"""The check of each key whose value goes somewhere; further keys of the user are kept as they are."""
_LATER: Final[Mapping[str, str]] = {
    "media": "call.play() and call.start_media() change what is sent",
    "auth": "give it to reinvite",
    "resp40x": "give it to reinvite",
    "call_id": "give it to invite",
    "leg": "it stays at the leg that it has",
    **dict.fromkeys(
        ("cb_create", "refuse_status", "auth_user2pass", "auth_user2a1", "auth_user2aka"), "give it to ua.listen"
    ),
}
"""What a call that was placed or came cannot be given any more, and what to do instead."""
_OF_INVITES: Final = frozenset(
    ("cb_final", "cb_preliminary", "cb_ack", "cb_established", "cb_noanswer", "ring_time", "sdp_on_ack", "ack_header")
)
"""Parameters of an INVITE that an UPDATE has not."""
_OF_ENDS: Final[Mapping[str, tuple[str, ...]]] = {"bye": ("send_bye",), "cancel": ("send_cancel", "send_bye")}


def checked_later(values: Mapping[str, Any], *, placed: bool) -> Mapping[str, Any]:
    """Return parameters for a call that exists.

    Args:
        placed: whether its first INVITE was sent or came.

    Raises:
        ConfigurationError: one has a meaning for calls that begin alone.
    """
    for name in _LATER.keys() & values.keys() if placed else ():
        raise ConfigurationError(f"a call that was placed or came has no parameter {name}; {_LATER[name]}")
    return values


def check_ack(values: Mapping[str, Any], param: CallParameters) -> None:
    """See that `cb_ack` has an ACK to decide about.

    Args:
        values: given for the next INVITE.
        param: of the call, these included or not.

    Raises:
        ConfigurationError: the INVITE has the offer itself.
    """
    if values.get("cb_ack") is not None and not values.get("sdp_on_ack", param.sdp_on_ack):
        raise ConfigurationError("cb_ack answers the offer of the remote side in the ACK; give sdp_on_ack=True too")


def checked_update(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the parameters of an UPDATE.

    Raises:
        ConfigurationError: one is of INVITEs alone, or there is none of that name.
    """
    for name in values:
        if name == "sip_header":
            raise ConfigurationError("update has no argument sip_header; give headers=…")
        if name in _OF_INVITES:
            raise ConfigurationError(
                f"update has no argument {name}: await it for its response; {name} is for reinvite"
            )
        if name not in CallOptions.__annotations__:
            close = get_close_matches(name, CallOptions.__annotations__, 1, 0.75)
            raise ConfigurationError(f"update has no argument {name}{f'; did you mean {close[0]}?' if close else ''}")
    return values


def checked_end(method: str, cb_final: Callback, more: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a `bye` or `cancel`.

    Raises:
        ConfigurationError: a callback is none, or one of another time, or has nearly the name of one.
    """
    taken = _OF_ENDS[method]
    for name, value in more.items():
        if name in taken:
            checked_callback(name, value, CALLED_WITH[name])
        elif name in CALLED_WITH:
            raise ConfigurationError(f"{method} has no argument {name}; give it to set_param")
        elif close := get_close_matches(name, ("cb_final", *taken), 1, 0.8):
            raise ConfigurationError(f"{method} has no argument {name}; did you mean {close[0]}?")
    return {"cb_final": checked_callback("cb_final", cb_final, ("param",)), **more}
