"""What belongs to a negotiated format and ends with it, and what goes on through every change of it (RFC 3264 8.3).

Made again, by `Stream` and the engine, when codec, clock, payload type, packet time, payload size or the
telephone-events of the peer change:

    source                tone, silence, file: the same audio, from where it was; "error" where that cannot be done
    packet                header and payload kept for the next one
    step, payload size    by `payload_octets`
    digits to send        events under the new payload type and clock, tones in the new codec; lengths and gaps in units
                          of the new clock; a digit under way keeps timestamp and length. What cannot go on is taken
                          back, for its owner to send it otherwise (`EventSender.reform`)
    digits received       durations in units of the new clock; events already known stay known
    recording             decoder, playout buffer and resampler (`recording`); the file keeps its rate

Kept: SSRC, sequence number, RTP timestamp (its rate changes, it does not jump), counters, sockets. An echo and frames
of a callback are kept as they are: their octets come from elsewhere. A callback is told how many a packet has. This
file uses no audio, so that a process that only describes media need not load it.

An encoding name of several channels has their number behind it here, `L16/2`: code without that name passes the payload
through, and does not take it for one channel.
"""

_WHATEVER_CHANNELS = ("OPUS", "TELEPHONE-EVENT", "CN")
"""Encodings whose payload is the same for any number of channels in the rtpmap: Opus always names two, and each of its
packets has its number (RFC 7587 section 7)."""


def stream_codec(name: str, channels: int) -> str:
    """The name of an encoding in streams.

    Args:
        channels: of the rtpmap.
    """
    return name if channels == 1 or name.upper() in _WHATEVER_CHANNELS else f"{name}/{channels}"


def encoding_of(codec: str) -> tuple[str, int]:
    """Encoding name and number of channels of a name that `stream_codec` gives."""
    name, _, channels = codec.partition("/")
    return name, int(channels) if channels.isdecimal() else 1


def payload_octets(codec: str, ticks: int) -> int:
    """Octets of a packet of audio.

    Two for each unit and channel in L16 (RFC 3551 4.5.11), one in PCMU, PCMA and G.722; for others a bound, which for
    Opus is that of a frame (RFC 6716 3.2.1).

    Args:
        codec: as from `stream_codec`.
        ticks: its length in units of the RTP clock.
    """
    name, channels = encoding_of(codec)
    if name.upper() == "OPUS":
        return min(ticks, 1275)
    return ticks * channels * (2 if name.upper() == "L16" else 1)
