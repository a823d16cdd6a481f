"""Descriptions on their way through a media relay: which places are read, and what is written instead."""

import pytest

from sipswarm.sipcore.sdp.description import SessionDescription
from sipswarm.sipcore.sdp.relayed import MediaPlace, media_places, relayed

HEAD = "v=0\r\no=- 7 7 IN IP4 10.0.0.5\r\ns=-\r\nc=IN IP4 10.0.0.5\r\nt=0 0\r\n"


def read(*media: str, head: str = HEAD) -> SessionDescription:
    return SessionDescription.parse(head + "".join(f"{line}\r\n" for line in media))


def lines(description: SessionDescription, address: str, ports: dict[int, int]) -> list[str]:
    """The lines as they leave, but those that are the same in every description."""
    text = relayed(description, address, ports).decode()
    assert text.endswith("\r\n")
    SessionDescription.parse(text, strict=True)
    return [line for line in text.splitlines() if line[:2] not in ("v=", "o=", "s=", "t=")]


@pytest.mark.parametrize(
    ("media", "place"),
    [
        (["m=audio 4000 RTP/AVP 0"], MediaPlace("10.0.0.5", 4000, "", 4001)),
        (["m=audio 4000 RTP/SAVP 0", "c=IN IP6 2001:db8::5"], MediaPlace("2001:db8::5", 4000, "", 4001)),
        (["m=audio 4000 RTP/AVP 0", "a=rtcp:5000"], MediaPlace("10.0.0.5", 4000, "", 5000)),
        (
            ["m=audio 4000 RTP/AVP 0", "a=rtcp:5000 IN IP4 10.0.0.6"],
            MediaPlace("10.0.0.5", 4000, "10.0.0.6", 5000),
        ),
        (["m=audio 4000 RTP/AVP 0", "c=IN IP4 0.0.0.0"], MediaPlace("", 4000, "", 4001)),
        (["m=audio 4000 RTP/AVP 0", "c=IN IP4 phone.example.org"], MediaPlace("", 4000, "", 4001)),
        (["m=image 4000 udptl t38"], MediaPlace("10.0.0.5", 4000, "", 4001)),
        (["m=audio 0 RTP/AVP 0"], None),
        (["m=message 4000 TCP/MSRP *"], None),
        (["m=audio 4000 RTP/AVP 0", "c=IN IP4 224.2.1.1/127"], None),
        (["m=audio 4000 RTP/AVP 0", "c=IN IP6 ff15::101"], None),
    ],
)
def test_the_place_of_a_line_is_where_its_writer_receives(media: list[str], place: MediaPlace | None) -> None:
    assert media_places(read(*media)) == (place,)


def test_addresses_and_ports_are_those_of_the_relay_and_all_else_is_kept() -> None:
    description = read(
        "m=audio 4000 RTP/AVP 0 101",
        "i=voice",
        "a=rtpmap:101 telephone-event/8000",
        "a=rtcp:4009 IN IP4 10.0.0.5",
        "a=sendonly",
        "m=video 4002/2 RTP/AVP 31",
        "c=IN IP4 10.0.0.6",
        "a=rtcp:4002",
    )
    assert lines(description, "192.0.2.1", {0: 6000, 1: 6002}) == [
        "c=IN IP4 192.0.2.1",
        "m=audio 6000 RTP/AVP 0 101",
        "i=voice",
        "a=rtpmap:101 telephone-event/8000",
        "a=rtcp:6001",
        "a=sendonly",
        "m=video 6002 RTP/AVP 31",
        "c=IN IP4 192.0.2.1",
        "a=rtcp:6002",
    ]
    assert b"o=- 7 7 IN IP4 10.0.0.5\r\n" in relayed(description, "192.0.2.1", {0: 6000})


def test_a_line_that_is_not_relayed_keeps_its_address() -> None:
    description = read("m=audio 4000 RTP/AVP 0", "m=message 4002 TCP/MSRP *", "i=text", "m=video 0 RTP/AVP 31")
    assert lines(description, "2001:db8::1", {0: 6000}) == [
        "c=IN IP6 2001:db8::1",
        "m=audio 6000 RTP/AVP 0",
        "m=message 4002 TCP/MSRP *",
        "i=text",
        "c=IN IP4 10.0.0.5",
        "m=video 0 RTP/AVP 31",
    ]


def test_a_hold_stays_a_hold() -> None:
    held = HEAD.replace("c=IN IP4 10.0.0.5", "c=IN IP4 0.0.0.0")
    assert lines(read("m=audio 4000 RTP/AVP 0", head=held), "192.0.2.1", {0: 6000}) == [
        "c=IN IP4 0.0.0.0",
        "m=audio 6000 RTP/AVP 0",
    ]


def test_a_line_without_any_address_gets_that_of_the_relay() -> None:
    bare = HEAD.replace("c=IN IP4 10.0.0.5\r\n", "")
    assert lines(read("m=audio 4000 RTP/AVP 0", "i=voice", head=bare), "192.0.2.1", {0: 6000}) == [
        "m=audio 6000 RTP/AVP 0",
        "i=voice",
        "c=IN IP4 192.0.2.1",
    ]


def test_ice_and_bundles_would_lead_past_the_relay() -> None:
    description = read(
        "a=group:BUNDLE one",
        "a=ice-lite",
        "m=audio 4000 UDP/TLS/RTP/SAVPF 0",
        "a=ice-ufrag:abcd",
        "a=ice-pwd:0123456789012345678901",
        "a=candidate:1 1 UDP 2130706431 10.0.0.5 4000 typ host",
        "a=end-of-candidates",
        "a=mid:one",
        "a=fingerprint:SHA-1 00",
        "a=rtcp-mux",
    )
    assert lines(description, "192.0.2.1", {0: 6000}) == [
        "c=IN IP4 192.0.2.1",
        "m=audio 6000 UDP/TLS/RTP/SAVPF 0",
        "a=mid:one",
        "a=fingerprint:SHA-1 00",
        "a=rtcp-mux",
    ]


def test_a_description_of_which_nothing_is_relayed_is_the_same() -> None:
    description = read("a=ice-lite", "m=message 4002 TCP/MSRP *", "m=audio 0 RTP/AVP 0")
    assert relayed(description, "192.0.2.1", {}) == description.to_bytes()
