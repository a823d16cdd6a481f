"""The media that call parameters require: sources, packets, digits, given descriptions (man page `rtp_param`).

Each function checks one kind of value and returns what `MediaDemand` or `CallMedia` takes. An impossible value must be
refused here, before any port or call is opened.
"""

from typing import Any, Final

from sipswarm.sipcore.sdp.description import SessionDescription
from sipswarm.sipcore.sdp.offer_answer import EVENTS

from ..diagnosis.foreign_text import said
from ..errors import ConfigurationError
from .dtmf_methods import dtmf_modes
from .file_names import file_name
from .given_media import checked_description, checked_ports, checked_rtp_param
from .media_handlers import MediaHandler
from .media_values import checked_tone
from .parameters import CallParameters, NegotiatedRtpParam

STATISTICS_INTERVAL: Final = 1.0
"""Seconds between two statistics of a call that user code runs."""
_MEDIA: Final = "echo, silence, play:FILE, tone:HZ, ivr or none"


def demand_wishes(param: CallParameters) -> dict[str, Any]:
    """Return the fields of `MediaDemand` that parameters decide.

    Raises:
        ConfigurationError: `rtp_param` is not [payload type, octets, seconds, name?].
        CallError: an unknown DTMF method.
    """
    wishes: dict[str, Any] = {"asymmetric": param.asymetric_rtp, "send_address": param.rtp_addr}
    wishes["statistics_interval"], wishes["must_flow"] = STATISTICS_INTERVAL, True
    for key in ("media_lsocks", "media_ssocks"):
        checked_ports(key, getattr(param, key))
    handler = param.init_media
    if handler is not None:
        wishes["source"] = ("none",)  # the handler decides about its source when it starts
    if isinstance(handler, MediaHandler) and handler.source[:1] == ("file",):
        wishes["file"] = handler.source
    modes = tuple(mode for mode in dtmf_modes(param.dtmf_methods) if mode in ("rfc4733", "inband"))
    wishes["dtmf_methods"] = modes if param.cb_dtmf is not None else ("rfc4733",)
    wishes["tones"] = param.cb_dtmf is None and "inband" in modes
    given = None if isinstance(param.rtp_param, NegotiatedRtpParam) else checked_rtp_param("rtp_param", param.rtp_param)
    if given is None:
        return wishes
    wishes["payload_size"], wishes["interval"] = given.payload_size, given.interval
    wishes["codecs"] = (given.codec, EVENTS._replace(payload_type=param.dtmf_rtptype))
    return wishes


def given_description(param: CallParameters, *, needs_ports: bool = True) -> SessionDescription | None:
    """Return the description that the user made, as object, octets, text or a mapping of parts; None without one.

    Args:
        needs_ports: the call has media, and a port for each line; without media the ports are those of others.

    Raises:
        ConfigurationError: it cannot be read, or `media_lsocks` does not go with it.
    """
    if param.sdp is None:
        return None
    if needs_ports and not param.media_lsocks:
        raise ConfigurationError("sdp needs media_lsocks, a lease of reserve_media or a bound UDP socket for each line")
    description = checked_description("sdp", param.sdp)
    assert description is not None
    if param.media_lsocks and len(param.media_lsocks) != len(description.media):
        raise ConfigurationError(
            f"sdp has {len(description.media)} media lines, media_lsocks {len(param.media_lsocks)}"
        )
    return description


def media_wishes(text: str, inactivity_limit: float) -> dict[str, Any]:
    """Return the media of a call by its name on the command line: echo, silence, play:FILE, tone:HZ, ivr or none.

    Raises:
        ConfigurationError: another name, or a tone without a number.
    """
    if not isinstance(text, str):
        raise ConfigurationError(f"media {said(text)} is no text; write {_MEDIA}")
    kind, _, argument = text.partition(":")
    source: tuple[Any, ...]
    if kind == "none":
        return {"wanted": False}
    if kind == "echo":
        source = ("echo", 0)
    elif kind == "silence":
        source = ("silence",)
    elif kind == "ivr":
        source = ("tone", 440.0)
    elif kind == "tone" and (not argument or (argument.isascii() and argument.isdigit() and len(argument) <= 5)):
        source = ("tone", checked_tone(int(argument or 440)))
    elif kind == "play" and argument:
        source = ("file", file_name(argument), -1)
    else:
        raise ConfigurationError(f"media {said(text)} is not known; write {_MEDIA}")
    return {"source": source, "inactivity_limit": inactivity_limit}
