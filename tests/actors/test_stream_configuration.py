"""What a negotiation found out reaches the stream: field by field, and with descriptions of both sides."""

import pytest

from actors.call_media import MediaDemand, _configuration
from sipcore.media_attributes import Codec, Crypto, Direction
from sipcore.negotiation import NegotiatedLine, negotiated
from sipcore.sdp import SessionDescription

DEMAND = MediaDemand(True, "192.0.2.2", 0)
KEYS = [Crypto(1, "AES_CM_128_HMAC_SHA1_80", f"inline:{letter * 40}", "") for letter in "AB"]


def agreed(ours: str, theirs: str) -> NegotiatedLine:
    head = "v=0\r\no=- 1 1 IN IP4 {0}\r\ns=-\r\nc=IN IP4 {0}\r\nt=0 0\r\nm=audio 4000 RTP/AVP {1}"
    local, remote = (
        SessionDescription.parse(head.format(address, text.replace("\n", "\r\n")) + "\r\n")
        for address, text in (("192.0.2.2", ours), ("192.0.2.1", theirs))
    )
    (line,) = negotiated(local, remote)
    return line


PLAIN = agreed("0", "0")
CHANGES: dict[str, object] = {
    "active": False,
    "direction": Direction.SENDONLY,
    "remote_address": "192.0.2.7",
    "remote_port": 4002,
    "remote_rtcp_address": "192.0.2.8",
    "remote_rtcp_port": 4009,
    "rtcp_mux": True,
    "send": (Codec("PCMA", 8),),
    "receive": (Codec("PCMU", 0), Codec("PCMA", 8)),
    "telephone_event_send": 96,
    "telephone_event_receive": 101,
    "ptime": 30.0,
    "local_crypto": KEYS[0],
    "remote_crypto": KEYS[1],
}
ELSEWHERE = {
    "number": "says which stream it is",
    "media": "says which stream it is",
    "local_port": "is the stream's own",
    "held_by_peer": "follows from direction and address",
}


@pytest.mark.parametrize("name", NegotiatedLine._fields)
def test_every_field_of_a_negotiated_line_reaches_its_stream(name: str) -> None:
    if name in ELSEWHERE:
        assert name not in CHANGES
        return
    changed = PLAIN._replace(**{name: CHANGES[name]})  # type: ignore[arg-type]  # each with a value of its type
    assert _configuration(1, changed, DEMAND) != _configuration(1, PLAIN, DEMAND)


def test_formats_that_both_sides_number_differently_are_told_apart() -> None:
    line = agreed(
        "97 0 101\na=rtpmap:97 opus/48000/2\na=rtpmap:101 telephone-event/48000",
        "111 0 96\na=rtpmap:111 opus/48000/2\na=rtpmap:96 telephone-event/48000",
    )
    command = _configuration(1, line, DEMAND)
    assert (command.payload_type, command.dtmf_payload_type) == (111, 96)
    assert command.renumbered == ((97, 111), (101, 96))
    assert _configuration(1, PLAIN, DEMAND).renumbered == ()


def test_the_rtcp_attribute_is_followed_to_its_address() -> None:
    command = _configuration(1, agreed("0", "0\na=rtcp:5005 IN IP4 192.0.2.99"), DEMAND)
    assert (command.remote_rtcp_address, command.remote_rtcp_port) == ("192.0.2.99", 5005)
