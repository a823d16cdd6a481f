"""The media capabilities of a user agent, as a session description that begins no session (RFC 3264 section 9).

It is the body of the answer to OPTIONS (RFC 3261 section 11.2). The port of each media line is zero.
"""

from collections.abc import Sequence
from functools import lru_cache

from sipswarm.sipcore.sdp.offer_answer import Codec, LocalMedia, make_offer

DISCARD: int = 9
"""A port that is not zero, so that the line is written with all of its formats."""
SESSION: int = 1
"""Session id and version of each such description."""


def describe(codecs: Sequence[Codec], address: str, srtp: str) -> bytes:
    """Return the description of what a call could have.

    Args:
        codecs: in the order of preference.
        address: of the media, IPv4 or IPv6 without brackets.
        srtp: off, optional or required (RFC 4568).
    """
    return _described(tuple(codecs), address, "RTP/SAVP" if srtp == "required" else "RTP/AVP")


@lru_cache(maxsize=64)
def _described(codecs: tuple[Codec, ...], address: str, protocol: str) -> bytes:
    offer = make_offer((LocalMedia(DISCARD, codecs, protocol=protocol),), address=address, session_id=SESSION)
    lines = [line.replace(port=0) for line in offer.media]
    return offer.replace(media=lines).to_bytes()
