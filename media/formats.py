"""What belongs to a negotiated format and ends with it, and what goes on through every change of it (RFC 3264 8.3).

Made again, by `Stream` and the engine, when codec, clock, payload type, packet time or payload size changes:

    source                tone, silence, file: the same audio, from where it was; "error" where that cannot be done
    packet                header and payload kept for the next one
    step, payload size    by `payload_octets`
    digits to send        lengths and gaps in units of the new clock; a digit under way keeps timestamp and length
    digits received       durations in units of the new clock; events already known stay known
    recording             decoder, playout buffer and resampler (`recording`); the file keeps its rate

Kept: SSRC, sequence number, RTP timestamp (its rate changes, it does not jump), counters, sockets. An echo and frames
of a callback are kept as they are: their octets are not ours. This file knows no audio, so that a process that only
describes media need not load it.
"""


def payload_octets(name: str, ticks: int) -> int:
    """Octets of a packet of audio. name: encoding name. ticks: its length in units of the RTP clock.

    Two for each unit in L16 (RFC 3551 4.5.11), one in PCMU, PCMA and G.722; for others a bound, which for Opus is that
    of a frame (RFC 6716 3.2.1).
    """
    if name.upper() == "OPUS":
        return min(ticks, 1275)
    return 2 * ticks if name.upper() == "L16" else ticks
