"""The connection parameters of a call: every option of the man page's constructor, and whatever else a user stores.

They live as long as the call's handle, are changed by `set_param` or by passing them to `reinvite`, and are readable
from every callback (man page C1 to C23, C41, C42).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sipswarm.sipcore.sdp.description import SessionDescription

from ..runtime.callbacks import Callback
from .given_text import checked_callback, checked_pairs, checked_seconds

Header = str | Sequence[str]

RING_TIME: Final = 180.0
"""seconds that we let the peer ring, unless a call says otherwise"""


class NegotiatedRtpParam(tuple[Any, ...]):
    """`rtp_param` as it reads when the user gave none: what was negotiated, and no demand for the next time."""

    __slots__ = ()


class CallParameters:
    """Options of one call as attributes; unknown keys are kept and read back in the same way."""

    leg: int | str | None = None
    """which of the agent's legs: index, or "udp:ADDRESS:PORT" (C2)"""
    sdp_on_ack: bool = False
    """no description in the INVITE, the answer goes into the ACK (C3)"""
    init_media: Callback = None
    """called as (call, param) to start the media (C4)"""
    rtp_param: Sequence[Any] | None = None
    """[payload type, octets, seconds, name?] (C5); a demand when given"""
    sdp: Any = None
    """a SessionDescription, bytes, str, or a mapping of parts (C6); needs `media_lsocks`"""
    sdp_peer: SessionDescription | None = None
    """the peer's newest description (C7)"""
    media_lsocks: Sequence[Any] = ()
    """leases of `reserve_media` or bound UDP sockets, one per media line (C8); once media starts, what is used"""
    media_ssocks: Sequence[Any] = ()
    """the same to send from; None in the place of a line that sends from its own port (C9)"""
    media_raddr: Sequence[tuple[str, int] | None] = ()
    """address and port of the peer, per media line, from the start of media on; None = the line is not used (C4)"""
    ack_header: Mapping[str, Header] | Sequence[tuple[str, str]] = ()
    """further headers of the ACK to a 2xx, which leaves before any callback (CALL.md section 0)"""
    asymetric_rtp: bool = False
    """send from another port than the announced one (C10; `asymmetric_rtp` is the same)"""
    dtmf_methods: str | Sequence[str] = "rfc2833,audio"
    """which received digits are reported, with `cb_dtmf` (C11)"""
    recv_bye: Callback = None
    """called as (param) when the peer ended the call by BYE or CANCEL (C12)"""
    send_bye: Callback = None
    """called as (param with bye's arguments) when we did (C13)"""
    send_cancel: Callback = None
    """the same for CANCEL, in place of `send_bye`"""
    clear_sdp: bool = False
    """new ports and descriptions for each INVITE, ours or the peer's (C14)"""
    cb_final: Callback = None
    """called as ("OK" or "FAIL", call, info) on the final result of our INVITE (C15)"""
    cb_preliminary: Callback = None
    """called as (call, code, response) for each 1xx (C16)"""
    cb_established: Callback = None
    """called as ("OK", call) on the ACK to our 2xx (C17)"""
    cb_invite: Callback = None
    """called as (call, request) on each INVITE of the peer; may return a Response (C18)"""
    cb_dtmf: Callback = None
    """called as (event, duration in ms) for each digit (C19)"""
    cb_notify: Callback = None
    """called as (call, request) on NOTIFY (C20)"""
    sip_header: Mapping[str, Header] | Sequence[tuple[str, str]] = ()
    """further headers of INVITEs (C21)"""
    call_on_hold: bool = False
    """the next description asks for no media; once (C22)"""
    cb_rtp_done: Callback = None
    """called as (call) when the source has no more; default: bye (C23)"""
    ring_time: float = 0.0
    """seconds without a final answer before CANCEL; 0 = 180 (C30)"""
    cb_noanswer: Callback = None
    """called as ("NOANSWER", call, info) after that CANCEL's result (C30)"""
    cb_cleanup: Callback = None
    """called as (call) when the call is cleaned up (C24)"""
    dtmf_rtptype: int = 101
    """payload type of telephone-event in our offers"""
    rtp_addr: str = ""
    """source address of asymmetric sending"""

    def __init__(self, **values: Any) -> None:
        _check(values)
        self.__dict__.update(values)
        if "asymmetric_rtp" in values:
            self.asymetric_rtp = bool(values["asymmetric_rtp"])

    def update(self, values: Mapping[str, Any]) -> None:
        """Take over these keys.

        Raises:
            ConfigurationError: a value cannot become part of a message, or be called back; then nothing has changed.
        """
        _check(values)
        self.__dict__.update(values)
        if "asymmetric_rtp" in values:
            self.asymetric_rtp = bool(values["asymmetric_rtp"])

    def take_hold(self) -> bool:
        """Whether the description that is made now asks for no media; the next one does not, unless it is set again."""
        hold, self.call_on_hold = self.call_on_hold, False
        return hold

    def take_cleanup(self) -> Callback:
        """The callback `cb_cleanup`, which is called once."""
        callback, self.cb_cleanup = self.cb_cleanup, None
        return callback

    def peer_described(self, description: SessionDescription | None) -> None:
        """The peer's newest description is there; None = it has made none."""
        self.sdp_peer = description

    def start_as(self, other: "CallParameters") -> None:
        """Start the media as another call does, where the user has not said how."""
        self.init_media = self.init_media or other.init_media

    def get(self, key: str) -> Any:
        """The value of a key, known or not; None when it was never set."""
        return getattr(self, key, None) if key in KNOWN else self.__dict__.get(key)

    def has(self, key: str) -> bool:
        """Whether a key was set, to None as well."""
        return key in self.__dict__

    def take(self, key: str, default: Any = None) -> Any:
        """Take out a key that is about placing a call, and no option of it."""
        return self.__dict__.pop(key, default)

    def merged(self, more: Mapping[str, Any]) -> dict[str, Any]:
        """What was set, with further arguments on top, as callbacks of `bye` and `cancel` get it."""
        return {**self.__dict__, **more}

    def header_pairs(self) -> tuple[tuple[str, str], ...]:
        """`sip_header` as pairs; a list of values repeats the header."""
        return checked_pairs("sip_header", self.sip_header)

    def ack_pairs(self) -> tuple[tuple[str, str], ...]:
        """`ack_header` in the same way."""
        return checked_pairs("ack_header", self.ack_header)

    def __repr__(self) -> str:
        return f"CallParameters({', '.join(sorted(self.__dict__))})"


def _check(values: Mapping[str, Any]) -> None:
    """Raises ConfigurationError for what would fail, or would be sent as something else, when it is due."""
    for name, value in values.items():
        if name in ("sip_header", "ack_header"):
            checked_pairs(name, value)
        elif name in _CALLED_BACK:
            checked_callback(name, value)
        elif name == "ring_time":
            checked_seconds(name, value)


KNOWN: Final = frozenset(CallParameters.__annotations__)
"""every option that the man page or this project names"""
_CALLED_BACK: Final = frozenset(
    (*(name for name in KNOWN if name.startswith("cb_")), "recv_bye", "send_bye", "send_cancel", "init_media")
)
