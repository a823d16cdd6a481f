"""What a negotiation found out reaches the stream: field by field, and with descriptions of both sides."""

import pytest

from sipswarm.actors.call.stream_configuration import MediaDemand, configuration
from sipswarm.actors.handle.media_values import named_codecs
from sipswarm.sipcore.sdp.description import SessionDescription
from sipswarm.sipcore.sdp.media_attributes import Codec, Crypto, Direction
from sipswarm.sipcore.sdp.negotiation import LocalMedia, NegotiatedLine, NothingFits, make_answer, negotiated

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
    "events_send": (Codec("telephone-event", 96),),
    "events_receive": (Codec("telephone-event", 101),),
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
    assert configuration(1, changed, DEMAND) != configuration(1, PLAIN, DEMAND)


OFFERS = {
    "opus and events at 8000": ("97 101", {101: 8000}),
    "opus and events at 48000": ("97 102", {102: 48000}),
    "opus and both": ("97 102 101", {101: 8000, 102: 48000}),
    "opus, both, the other order": ("97 101 102", {101: 8000, 102: 48000}),
    "two clocks, events at 8000": ("97 0 101", {101: 8000}),
    "two clocks, events at 48000": ("0 97 102", {102: 48000}),
    "two clocks, both": ("0 97 101 102", {101: 8000, 102: 48000}),
    "three clocks of events": ("97 0 101 102 103", {101: 8000, 102: 48000, 103: 16000}),
    "PCMU and events at 16000": ("0 103", {103: 16000}),
    "PCMU and events at 48000": ("0 102", {102: 48000}),
    "events twice": ("0 101 104", {101: 8000, 104: 8000}),
    "no events": ("97 0", {}),
}


@pytest.mark.parametrize("names", [(), ("opus",), ("opus", "pcmu"), ("pcmu", "opus"), ("l16",)])
@pytest.mark.parametrize("offer", OFFERS)
def test_an_answer_lists_no_events_that_the_stream_does_not_take(offer: str, names: tuple[str, ...]) -> None:
    """RFC 3264 6.1: what an answer lists is received, whichever codec of it the peer sends."""
    formats, events = OFFERS[offer]
    maps = "".join(f"a=rtpmap:{number} telephone-event/{clock}\r\n" for number, clock in events.items())
    theirs = SessionDescription.parse(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
        f"m=audio 4000 RTP/AVP {formats}\r\na=rtpmap:97 opus/48000/2\r\n{maps}"
    )
    try:
        ours = make_answer(theirs, [LocalMedia(6000, named_codecs(names))], address="192.0.2.2", session_id=1)
    except NothingFits:
        assert not {"97", "0", "8"} & set(formats.split()) & {str(codec.payload_type) for codec in named_codecs(names)}
        return
    (line,) = negotiated(ours, theirs)
    command = configuration(1, line, DEMAND)
    taken = {number: clock for number, name, clock in command.receive_codecs if name == "telephone-event"}
    answered = [int(number) for number in ours.media[0].formats]
    assert taken == {number: clock for number, clock in events.items() if number in answered}
    assert bool(taken) == bool(events)
    assert {number for number, _, _ in command.receive_codecs} == set(answered)
    if events:
        same = [number for number, clock in events.items() if clock == command.clock_rate]
        assert command.dtmf_payload_type in (same or events)
        assert command.dtmf_clock_rate == events[command.dtmf_payload_type]
    else:
        assert command.dtmf_payload_type == -1


def test_events_of_every_clock_that_both_number_differently_are_told_apart() -> None:
    line = agreed(
        "97 101 102\na=rtpmap:97 opus/48000/2\na=rtpmap:101 telephone-event/8000\na=rtpmap:102 telephone-event/48000",
        "97 96 98\na=rtpmap:97 opus/48000/2\na=rtpmap:96 telephone-event/48000\na=rtpmap:98 telephone-event/8000",
    )
    command = configuration(1, line, DEMAND)
    assert sorted(command.renumbered) == [(101, 98), (102, 96)]
    assert (command.dtmf_payload_type, command.dtmf_clock_rate) == (96, 48000)


def test_formats_that_both_sides_number_differently_are_told_apart() -> None:
    line = agreed(
        "97 0 101\na=rtpmap:97 opus/48000/2\na=rtpmap:101 telephone-event/48000",
        "111 0 96\na=rtpmap:111 opus/48000/2\na=rtpmap:96 telephone-event/48000",
    )
    command = configuration(1, line, DEMAND)
    assert (command.payload_type, command.dtmf_payload_type) == (111, 96)
    assert command.renumbered == ((97, 111), (101, 96))
    assert configuration(1, PLAIN, DEMAND).renumbered == ()


@pytest.mark.parametrize(
    ("ours", "theirs", "sent", "taken"),
    [
        # RFC 3551 3: a static number may be bound to another encoding.
        ("0 8 101", "0\na=rtpmap:0 PCMA/8000", 0, {8: "PCMA", 0: "PCMA", 101: "telephone-event"}),
        ("0 8", "8\na=rtpmap:8 PCMU/8000", 8, {0: "PCMU", 8: "PCMU"}),
        (
            "0 101",
            "96 0\na=rtpmap:96 telephone-event/8000",
            0,
            {0: "PCMU", 101: "telephone-event", 96: "telephone-event"},
        ),
        ("97\na=rtpmap:97 opus/48000/2", "111\na=rtpmap:111 opus/48000/2", 111, {97: "opus", 111: "opus"}),
        # Numbers that mean something to both mean what we said: it is we who receive.
        ("0 8", "8 0\na=rtpmap:8 PCMU/8000\na=rtpmap:0 PCMA/8000", 8, {0: "PCMU", 8: "PCMA"}),
        ("0 101", "0 101", 0, {0: "PCMU", 101: "telephone-event"}),
    ],
)
def test_what_a_peer_sends_under_numbers_of_its_own_is_taken(
    ours: str, theirs: str, sent: int, taken: dict[int, str]
) -> None:
    maps = "\na=rtpmap:101 telephone-event/8000" if "101" in ours else ""
    command = configuration(1, agreed(ours + maps, theirs + maps), DEMAND)
    assert {number: name for number, name, _ in command.receive_codecs} == taken
    assert command.payload_type == sent


def test_the_rtcp_attribute_is_followed_to_its_address() -> None:
    command = configuration(1, agreed("0", "0\na=rtcp:5005 IN IP4 192.0.2.99"), DEMAND)
    assert (command.remote_rtcp_address, command.remote_rtcp_port) == ("192.0.2.99", 5005)


@pytest.mark.parametrize(
    "name", ["L16/8000/2", "L16/16000/2", "L16/44100/2", "L16/48000/2", "L16/48000/6", "L16/44100"]
)
@pytest.mark.parametrize("ptime", ["", "\na=ptime:20", "\na=ptime:5", "\na=ptime:200"])
def test_l16_of_every_width_is_sent_in_packets_of_whole_samples_that_fit(name: str, ptime: str) -> None:
    line = agreed(f"96\na=rtpmap:96 {name}", f"96\na=rtpmap:96 {name}{ptime}")
    command = configuration(1, line, DEMAND)
    channels = int((*name.split("/"), "1")[2])
    assert command.codec == ("L16" if channels == 1 else f"L16/{channels}")
    assert command.receive_codecs == ((96, command.codec, command.clock_rate),)
    step = round(command.clock_rate * command.packet_interval)
    assert step / command.clock_rate == pytest.approx(command.packet_interval)
    assert command.payload_size == 2 * channels * step <= 1400
    assert command.packet_interval >= 0.001


def test_channels_say_nothing_of_the_payload_of_opus_digits_and_noise() -> None:
    text = "97 101 13\na=rtpmap:97 opus/48000/2\na=rtpmap:101 telephone-event/8000/2\na=rtpmap:13 CN/8000/2"
    command = configuration(1, agreed(text, text), DEMAND)
    assert {name for _, name, _ in command.receive_codecs} == {"opus", "telephone-event", "CN"}
