"""What we offer, what we answer and what comes of it: codecs, directions, hold, versions, encryption, digits."""

import itertools

import pytest

from sipswarm.sipcore.errors import LocalProtocolError, ParseError
from sipswarm.sipcore.sdp.description import Crypto, Direction, SessionDescription
from sipswarm.sipcore.sdp.offer_answer import (
    DEFAULT_CODECS,
    EVENTS,
    PCMA,
    PCMU,
    Codec,
    Hold,
    LocalMedia,
    NothingFits,
    codec_for,
    make_answer,
    make_offer,
    negotiated,
    put_on_hold,
    revise,
    wanted_lines,
)
from tests.sipcore.descriptions import description, short

ILBC = Codec("iLBC", 97)
H261 = Codec("H261", 31, 90000)
MPV = Codec("MPV", 32, 90000)

ANSWERS = [
    (
        "RFC 3264 10.1",
        ["audio 49170 0", "video 51372 31", "video 53000 32"],
        [LocalMedia(49920, (PCMU,)), None, LocalMedia(53000, (MPV,), media="video")],
        ["audio 49920 0", "video 0 31", "video 53000 32"],
    ),
    (
        "RFC 3264 10.2",
        ["audio 62986 0 4 18 inactive"],
        [LocalMedia(54344, (PCMU, Codec("G723", 4)))],
        ["audio 54344 0 4 inactive"],
    ),
    (
        "RFC 4317 2.1",
        ["audio 49170 0 8 97", "video 51372 31 32"],
        [LocalMedia(49174, (PCMU,)), LocalMedia(49170, (MPV,), media="video")],
        ["audio 49174 0", "video 49170 32"],
    ),
    (
        "RFC 4317 2.2",
        ["audio 49170 0 8 97", "video 51372 31 32"],
        [LocalMedia(49172, (PCMA, PCMU))],
        ["audio 49172 0 8", "video 0 31 32"],
    ),
    (
        "RFC 4317 2.4",
        ["audio 49170 0 97", "audio 49172 98 sendonly"],
        [LocalMedia(49172, (ILBC,)), LocalMedia(49174, (EVENTS._replace(fmtp=""),))],
        ["audio 49172 97", "audio 49174 98 recvonly"],
    ),
    (
        "RFC 4317 2.6",
        ["audio 49170 0", "audio 51372 97 101"],
        [None, LocalMedia(49170, (ILBC, EVENTS._replace(fmtp="")))],
        ["audio 0 0", "audio 49170 97 101"],
    ),
    (
        "RFC 4317 3.1",
        ["audio 49170 0 97"],
        [LocalMedia(49172, (ILBC,), Direction.SENDONLY)],
        ["audio 49172 97 sendonly"],
    ),
    (
        "RFC 4317 4.3",
        ["audio 49174 97", "video 0 31"],
        [LocalMedia(49170, (ILBC,)), LocalMedia(9, (H261,), media="video")],
        ["audio 49170 97", "video 0 31"],
    ),
    ("RFC 4317 5.1", [], [], []),
    (
        "order of the offer",
        ["audio 4000 8 101 0"],
        [LocalMedia(6000, (PCMU, PCMA, EVENTS._replace(fmtp="")))],
        ["audio 6000 8 101 0"],
    ),
    ("numbers of the offer", ["audio 4000 99"], [LocalMedia(6000, (ILBC,))], ["audio 6000 99"]),
    ("all refused by the offer", ["audio 0 0", "video 0 31"], [LocalMedia(6000)], ["audio 0 0", "video 0 31"]),
]


@pytest.mark.parametrize(("offer", "media", "answer"), [row[1:] for row in ANSWERS], ids=[row[0] for row in ANSWERS])
def test_our_answer_is_that_of_the_example(offer: list[str], media: list[LocalMedia | None], answer: list[str]) -> None:
    made = make_answer(description("alice", 1, *offer), media, address="192.0.2.7", session_id=5)
    expected = description("bob", 1, *answer)
    assert [line.text for line in made.media] == [line.text for line in expected.media]
    for ours, theirs in zip(made.media, expected.media, strict=True):
        # A refused line of ours says nothing more (RFC 3264 section 6).
        assert list(ours.lines) == (list(theirs.lines) if ours.port else [])
    assert SessionDescription.parse(made.to_bytes()).same_as(made)


DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")
# RFC 3264 section 6.1: columns are what we are willing to do, in the order above.
DIRECTION_TABLE = {
    "sendrecv": ("sendrecv", "sendonly", "recvonly", "inactive"),
    "sendonly": ("recvonly", "inactive", "recvonly", "inactive"),
    "recvonly": ("sendonly", "sendonly", "inactive", "inactive"),
    "inactive": ("inactive", "inactive", "inactive", "inactive"),
}


@pytest.mark.parametrize(("offered", "number"), list(itertools.product(DIRECTIONS, range(4))))
def test_every_direction_is_answered_by_the_table(offered: str, number: int) -> None:
    offer = description("alice", 1, f"audio 4000 0 {offered}")
    local = LocalMedia(6000, (PCMU,), Direction(DIRECTIONS[number]))
    answer = make_answer(offer, [local], address="192.0.2.7", session_id=5)
    assert answer.media[0].direction.value == DIRECTION_TABLE[offered][number]
    assert negotiated(answer, offer)[0].direction is answer.media[0].direction
    assert negotiated(offer, answer)[0].direction is answer.media[0].direction.reversed


def test_our_usual_offer() -> None:
    offer = make_offer([LocalMedia(6000)], address="192.0.2.7", session_id=77)
    assert offer.to_bytes() == (
        b"v=0\r\no=- 77 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0 8 101\r\n"
        b"a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n"
        b"a=sendrecv\r\n"
    )


def test_an_offer_with_everything_in_it() -> None:
    media = LocalMedia(
        6000, (codec_for(96, "opus/48000/2", "useinbandfec=1"),), address="192.0.2.9", rtcp_port=6009, rtcp_mux=True,
        ptime=20.0, protocol="RTP/SAVP", crypto=(Crypto(1, "AES_CM_128_HMAC_SHA1_80", "inline:abc", ""),),
        attributes=("a=label:1",),
    )  # fmt: skip
    offer = make_offer([media], address="2001:db8::7", session_id=1, username="u", session_name="x")
    assert offer.to_bytes().split(b"\r\n") == [
        b"v=0", b"o=u 1 1 IN IP6 2001:db8::7", b"s=x", b"c=IN IP6 2001:db8::7", b"t=0 0", b"m=audio 6000 RTP/SAVP 96",
        b"c=IN IP4 192.0.2.9", b"a=rtpmap:96 opus/48000/2", b"a=fmtp:96 useinbandfec=1", b"a=ptime:20", b"a=sendrecv",
        b"a=rtcp-mux", b"a=rtcp:6009", b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:abc", b"a=label:1", b"",
    ]  # fmt: skip
    assert offer.media[0].address == "192.0.2.9"


def test_four_audio_lines_of_which_each_side_leaves_one_out() -> None:
    # t/20 of Net::SIP: inactive lines have port 0; the caller has 0, 2, 3, the called side 0, 1, 3.
    caller = [LocalMedia(4000), LocalMedia(0), LocalMedia(4004), LocalMedia(4006)]
    called = [LocalMedia(6000), LocalMedia(6002), LocalMedia(0), LocalMedia(6006)]
    offer = make_offer(caller, address="192.0.2.1", session_id=1)
    assert [line.port for line in offer.media] == [4000, 0, 4004, 4006]
    answer = make_answer(offer, called, address="192.0.2.2", session_id=2)
    assert [line.port for line in answer.media] == [6000, 0, 0, 6006]
    assert [line.active for line in negotiated(offer, answer)] == [True, False, False, True]
    # A peer that answers a refused line with a live port (Net::SIP does) gets nothing there.
    live = answer.with_addresses([("192.0.2.2", port) for port in (6000, 6002, 6004, 6006)])
    assert [line.active for line in negotiated(offer, live)] == [True, False, True, True]


LINEAR = (PCMU, codec_for(96, "L16/8000"), EVENTS)


@pytest.mark.parametrize(
    ("numbers", "codecs", "answered"),
    [
        ("8 101", DEFAULT_CODECS, "8 101"),
        ("9 18 0 101", DEFAULT_CODECS, "0 101"),
        ("9 18 101", DEFAULT_CODECS, None),
        ("101", DEFAULT_CODECS, None),
        ("101", (EVENTS,), "101"),
        ("13 101", DEFAULT_CODECS, None),
        ("13", (PCMU, codec_for(13)), None),
        ("13 101", (*DEFAULT_CODECS, codec_for(13)), None),
        ("13 0 101", (*DEFAULT_CODECS, codec_for(13)), "13 0 101"),
        ("97 0", (codec_for(97, "iLBC/8000"),), "97"),
        ("0 8", (codec_for(97, "iLBC/8000"),), None),
        ("96", (codec_for(96),), "96"),
        ("96", (codec_for(97),), None),
        ("0 0 0", DEFAULT_CODECS, "0"),
        ("0 x 200", DEFAULT_CODECS, "0"),
        ("10", LINEAR, None),
        ("98", LINEAR, None),
        ("10 98 101", LINEAR, None),
        ("10 0 101", LINEAR, "0 101"),
        ("98 0 99", LINEAR, "0 99"),
        ("98 99", (codec_for(98, "L16/8000/2"),), "98"),
        ("11 10", (codec_for(10),), "10"),
    ],
)
def test_the_codecs_of_an_answer(numbers: str, codecs: tuple[Codec, ...], answered: str | None) -> None:
    offer = SessionDescription.parse(
        f"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP {numbers}\r\n"
        "a=rtpmap:101 telephone-event/8000\r\na=rtpmap:97 ILBC/8000\r\n"
        "a=rtpmap:98 L16/8000/2\r\na=rtpmap:99 L16/8000\r\n"
    )
    media = LocalMedia(6000, codecs)
    assert wanted_lines(offer, media, address="192.0.2.2") == (answered is not None,)
    if answered is None:
        with pytest.raises(NothingFits) as caught:
            make_answer(offer, [media], address="192.0.2.2", session_id=1)
        assert caught.value.status_hint == 488
    else:
        answer = make_answer(offer, [media], address="192.0.2.2", session_id=1)
        assert " ".join(answer.media[0].formats) == answered


@pytest.mark.parametrize("role", ["offers", "answers"])
def test_noise_is_agreed_beside_a_voice_codec_and_never_in_its_place(role: str) -> None:
    """Whoever offered, and in whichever order: we talk in the voice codec, and a line of noise alone is off."""

    def described(formats: str) -> SessionDescription:
        lines = f"m=audio 4000 RTP/AVP {formats}\r\na=rtpmap:101 telephone-event/8000\r\n"
        return SessionDescription.parse(f"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nc=IN IP4 192.0.2.1\r\n{lines}")

    mine = described("0 13 101")
    for formats, active in (("13 0 101", True), ("0 13", True), ("13", False), ("13 101", False), ("101", False)):
        theirs = described(formats)
        (line,) = negotiated(mine, theirs) if role == "offers" else negotiated(theirs, mine)
        assert line.active is active, formats
        if active:
            assert (line.send[0].payload_type, line.receive[0].payload_type) == (0, 0)


def test_a_number_without_a_name_matches_whatever_it_means_to_the_peer() -> None:
    offer = description("alice", 1, "audio 4000 97")
    answer = make_answer(offer, [LocalMedia(6000, (codec_for(97),))], address="192.0.2.2", session_id=1)
    assert answer.media[0].text == "audio 6000 RTP/AVP 97"
    assert "rtpmap" not in str(answer)


@pytest.mark.parametrize(
    ("number", "name", "codec"),
    [
        (0, "", PCMU),
        (9, "", Codec("G722", 9)),
        (97, "", Codec("", 97)),
        (97, "iLBC/8000", ILBC),
        (111, "opus/48000/2", Codec("opus", 111, 48000, 2)),
    ],
)
def test_codecs_from_numbers_and_names(number: int, name: str, codec: Codec) -> None:
    assert codec_for(number, name) == codec


@pytest.mark.parametrize(
    ("number", "name"), [(128, ""), (-1, ""), (97, "iLBC"), (97, "/8000"), (97, "x/y"), (97, "x/0")]
)
def test_what_is_no_codec_is_refused(number: int, name: str) -> None:
    with pytest.raises(ValueError, match="not"):
        codec_for(number, name)


PLAIN, SECURE = ("RTP/AVP", ""), ("RTP/SAVP", "a=crypto:7 AES_CM_128_HMAC_SHA1_80 inline:them\r\n")
KEY = Crypto(1, "AES_CM_128_HMAC_SHA1_80", "inline:ours", "")


@pytest.mark.parametrize(
    ("offered", "ours", "crypto", "fits"),
    [
        (PLAIN, "RTP/AVP", (), True),
        (PLAIN, "RTP/AVP", (KEY,), True),
        (PLAIN, "RTP/SAVP", (KEY,), False),
        (SECURE, "RTP/AVP", (), False),
        (SECURE, "RTP/AVP", (KEY,), True),
        (SECURE, "RTP/SAVP", (KEY,), True),
        (SECURE, "RTP/SAVP", (KEY._replace(suite="OTHER"),), False),
        (("RTP/SAVP", ""), "RTP/SAVP", (KEY,), False),
        (("UDP/TLS/RTP/SAVPF", ""), "RTP/SAVP", (KEY,), False),
        (("UDP/TLS/RTP/SAVP", ""), "RTP/AVP", (KEY,), False),
        (("TCP/RTP/AVP", ""), "RTP/AVP", (), False),
        (("DCCP/RTP/AVP", ""), "RTP/AVP", (), False),
        (("udp", ""), "RTP/AVP", (), False),
        (("FOO/BAR", ""), "RTP/AVP", (), False),
        (("RTP/AVPF", ""), "RTP/AVP", (), True),
    ],
)
def test_encryption_is_answered_as_asked_for(
    offered: tuple[str, str], ours: str, crypto: tuple[Crypto, ...], fits: bool
) -> None:
    protocol, lines = offered
    offer = SessionDescription.parse(
        f"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 {protocol} 0\r\n{lines}"
    )
    media = LocalMedia(6000, protocol=ours, crypto=crypto)
    assert wanted_lines(offer, media, address="192.0.2.2") == (fits,)
    if not fits:
        with pytest.raises(NothingFits):
            make_answer(offer, [media], address="192.0.2.2", session_id=1)
        return
    answer = make_answer(offer, [media], address="192.0.2.2", session_id=1)
    (line,) = negotiated(answer, offer)
    assert answer.media[0].protocol == protocol
    if protocol == "RTP/SAVP":
        # The tag of the offer, the key of our own (RFC 4568 section 5.1.2).
        assert str(answer.media[0].crypto[0]) == "7 AES_CM_128_HMAC_SHA1_80 inline:ours"
        assert (line.local_crypto, line.remote_crypto) == (KEY._replace(tag=7), offer.media[0].crypto[0])
    else:
        assert (line.active, line.local_crypto, line.remote_crypto) == (True, None, None)


def test_an_answer_that_drops_the_encryption_or_changes_the_suite_is_not_used() -> None:
    offer = make_offer([LocalMedia(6000, protocol="RTP/SAVP", crypto=(KEY,))], address="192.0.2.1", session_id=1)
    text = str(offer)
    for change in (("RTP/SAVP", "RTP/AVP"), ("crypto:1 ", "crypto:2 "), ("HMAC_SHA1_80", "HMAC_SHA1_32")):
        answer = SessionDescription.parse(text.replace(*change))
        assert [line.active for line in negotiated(offer, answer)] == [False]


FOREIGN_PROTOCOLS = (
    *("UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF", "TCP/RTP/AVP", "TCP/RTP/AVPF", "TCP/TLS/RTP/SAVP", "DCCP/RTP/AVP"),
    *("DCCP/TLS/RTP/SAVPF", "udp", "UDP", "udptl", "UDPTL", "vat", "rtp", "TCP", "TCP/MSRP", "TCP/TLS/BFCP"),
    *("UDP/DTLS/SCTP", "FOO/BAR", "RTP/AVPX", "RTP", "AVP"),
)


def described(protocol: str) -> SessionDescription:
    return SessionDescription.parse(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nc=IN IP4 192.0.2.1\r\n"
        f"m=audio 4000 {protocol} 0\r\na=fingerprint:sha-256 00:11\r\na=setup:active\r\n"
        f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:them\r\n"
    )


@pytest.mark.parametrize("protocol", [*FOREIGN_PROTOCOLS, "RTP/SAVP", "RTP/SAVPF"])
def test_an_answer_with_another_protocol_than_the_offer_agrees_on_nothing(protocol: str) -> None:
    """RFC 3264 6: the transport protocol of the answer matches that of the offer."""
    offer = make_offer([LocalMedia(6000)], address="192.0.2.2", session_id=1)
    assert [line.active for line in negotiated(offer, described(protocol))] == [False]
    # Nor does one that a user wrote, whatever it is and whoever offers.
    own, other = described(protocol), described("RTP/AVP" if protocol != "udp" else "udptl")
    assert [line.active for line in negotiated(own, other)] == [False]
    assert [line.active for line in negotiated(other, own)] == [False]


@pytest.mark.parametrize("protocol", ["RTP/AVP", "RTP/AVPF", "rtp/avp", "Rtp/Avpf"])
def test_an_answer_in_a_profile_that_differs_in_feedback_only_is_taken(protocol: str) -> None:
    offer = make_offer([LocalMedia(6000)], address="192.0.2.2", session_id=1)
    assert [line.active for line in negotiated(offer, described(protocol))] == [True]


@pytest.mark.parametrize("protocol", FOREIGN_PROTOCOLS)
def test_a_protocol_of_the_users_own_is_agreed_on_with_itself(protocol: str) -> None:
    both = described(protocol), described(protocol.swapcase())
    assert [line.active for line in negotiated(*both)] == [True]


IMPOSSIBLE_CLOCKS = (
    "0",
    "00",
    "000000000",
    "1",
    "7",
    "999",
    "192001",
    "999999999",
    "4294967295",
    "9" * 21,
    "-8000",
    "x",
)


@pytest.mark.parametrize("clock", IMPOSSIBLE_CLOCKS)
def test_digits_under_a_clock_in_which_none_can_be_told_are_not_agreed_on(clock: str) -> None:
    """RFC 3264 6.1: what an answer lists is received, so that it lists nothing that cannot be."""
    lines = f"a=rtpmap:101 telephone-event/{clock}\r\na=fmtp:101 0-15\r\n"
    theirs = SessionDescription.parse(
        f"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0 101\r\n{lines}"
    )
    answer = make_answer(theirs, [LocalMedia(6000)], address="192.0.2.2", session_id=1)
    assert answer.media[0].text == "audio 6000 RTP/AVP 0"
    assert "telephone-event" not in str(answer)
    offer = make_offer([LocalMedia(6000)], address="192.0.2.2", session_id=1)
    # Theirs is an offer, an answer, and the words of a user on both sides.
    for ours in (answer, offer, theirs):
        (line,) = negotiated(ours, theirs)
        assert (line.active, line.events_send) == (True, ())
        assert all(codec.clock_rate == 8000 for codec in line.events_receive)
    only = theirs.replace(media=[theirs.media[0].replace(formats=["101"])])
    assert [line.active for line in negotiated(offer, only)] == [False]


@pytest.mark.parametrize("clock", [1000, 8000, 11025, 16000, 44100, 48000, 90000, 96000, 192000])
def test_digits_under_every_clock_of_audio_are_agreed_on(clock: int) -> None:
    theirs = SessionDescription.parse(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0 101\r\n"
        f"a=rtpmap:101 telephone-event/{clock}\r\n"
    )
    answer = make_answer(theirs, [LocalMedia(6000)], address="192.0.2.2", session_id=1)
    assert answer.media[0].rtpmap(101) == ("telephone-event", clock, 1)
    (line,) = negotiated(answer, theirs)
    assert [codec.clock_rate for codec in line.events_send + line.events_receive] == [clock, clock]


@pytest.mark.parametrize(
    ("connection", "address", "fits"),
    [
        ("c=IN IP4 192.0.2.1\r\n", "192.0.2.2", True),
        ("c=IN IP6 2001:db8::1\r\n", "192.0.2.2", False),
        ("c=IN IP6 2001:db8::1\r\n", "2001:db8::2", True),
        ("c=IN IP4 0.0.0.0\r\n", "2001:db8::2", True),  # a hold of Net::SIP 0.835 in a call of IPv6
        ("c=IN IP4 192.0.2.1\r\n", "2001:db8::2", False),
        ("c=TN X 1\r\n", "192.0.2.2", False),
        ("", "192.0.2.2", False),
    ],
)
def test_only_an_address_of_our_family_fits(connection: str, address: str, fits: bool) -> None:
    offer = SessionDescription.parse(f"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\n{connection}m=audio 4000 RTP/AVP 0\r\n")
    assert wanted_lines(offer, LocalMedia(6000), address=address) == (fits,)


def test_a_line_that_is_no_rtp_is_refused_and_agreed_off() -> None:
    offer = SessionDescription.parse(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nc=IN IP4 192.0.2.1\r\nm=image 5000 udptl t38\r\nm=audio 4000 RTP/AVP 0\r\n"
    )
    answer = make_answer(offer, [LocalMedia(1, media="image"), LocalMedia(6000)], address="192.0.2.2", session_id=1)
    assert [line.text for line in answer.media] == ["image 0 udptl t38", "audio 6000 RTP/AVP 0"]
    verbatim = offer.with_addresses([("192.0.2.2", 5000), ("192.0.2.2", 6000)])
    assert [(line.active, line.send) for line in negotiated(offer, verbatim)] == [(True, ()), (True, (PCMU,))]


# Hold. Each row: style, what the offer says, what is left for the holder and for the held side.
HOLDS: list[tuple[Hold, str, str, Direction, Direction]] = [
    ("", "192.0.2.7", "sendrecv", Direction.SENDRECV, Direction.SENDRECV),
    ("address", "0.0.0.0", "sendrecv", Direction.SENDONLY, Direction.RECVONLY),
    ("direction", "192.0.2.7", "sendonly", Direction.SENDONLY, Direction.RECVONLY),
    ("both", "0.0.0.0", "sendonly", Direction.SENDONLY, Direction.RECVONLY),
]


@pytest.mark.parametrize(("hold", "address", "direction", "holder", "held"), HOLDS)
@pytest.mark.parametrize("family", [4, 6])
def test_hold_in_every_style_and_back(
    hold: Hold, address: str, direction: str, holder: Direction, held: Direction, family: int
) -> None:
    ours, theirs = ("192.0.2.7", "192.0.2.8") if family == 4 else ("2001:db8::7", "2001:db8::8")
    if family == 6:
        address = "::" if address == "0.0.0.0" else ours
    first = make_offer([LocalMedia(6000)], address=ours, session_id=1)
    answer = make_answer(first, [LocalMedia(7000)], address=theirs, session_id=2)
    offer = make_offer([LocalMedia(6000)], address=ours, session_id=1, previous=first, hold=hold)
    assert (offer.media[0].address, offer.media[0].port, offer.media[0].direction.value) == (address, 6000, direction)
    assert offer.origin.version == (2 if hold else 1)
    again = make_answer(offer, [LocalMedia(7000)], address=theirs, session_id=2, previous=answer)
    assert negotiated(offer, again)[0].direction is holder
    assert negotiated(again, offer)[0].direction is held
    assert negotiated(again, offer)[0].held_by_peer is bool(hold)
    # The one-shot is over: address and direction come back, the version rises once more.
    back = make_offer([LocalMedia(6000)], address=ours, session_id=1, previous=offer)
    assert back.media[0].address == ours
    assert back.same_as(first)
    assert back.origin.version == (3 if hold else 1)
    last = make_answer(back, [LocalMedia(7000)], address=theirs, session_id=2, previous=again)
    assert negotiated(back, last)[0].direction is Direction.SENDRECV


@pytest.mark.parametrize(("hold", "address", "direction", "holder", "held"), HOLDS)
def test_an_answer_can_hold_too(hold: Hold, address: str, direction: str, holder: Direction, held: Direction) -> None:
    offer = make_offer([LocalMedia(7000)], address="192.0.2.8", session_id=1)
    answer = make_answer(offer, [LocalMedia(6000)], address="192.0.2.7", session_id=2, hold=hold)
    assert (answer.media[0].address, answer.media[0].direction.value) == (address, direction)
    assert negotiated(answer, offer)[0].direction is holder
    assert negotiated(offer, answer)[0].direction is held


def test_a_black_hole_is_answered_as_usual_and_the_same_once_it_is_filled() -> None:
    # RFC 4317 section 5.2: Bob's second answer is his first, version and all.
    hole = description("alice", 1, "audio 23442 97", at="0.0.0.0")
    answer = make_answer(hole, [LocalMedia(49170, (ILBC,))], address="192.0.2.8", session_id=2)
    assert short(negotiated(answer, hole)[0]) == "recvonly 97>97 23442"
    filled = description("alice", 2, "audio 49170 97")
    second = make_answer(filled, [LocalMedia(49170, (ILBC,))], address="192.0.2.8", session_id=2, previous=answer)
    assert second is answer
    assert short(negotiated(second, filled)[0]) == "sendrecv 97>97 49170"


def test_putting_a_written_description_on_hold() -> None:
    own = description("alice", 1, "audio 4000 0", "audio 4002 0 recvonly c=IN IP6 2001:db8::1", "audio 4004 0 inactive")
    held = put_on_hold(own, "both")
    assert [line.address for line in held.media] == ["0.0.0.0", "::", "0.0.0.0"]
    assert [line.direction.value for line in held.media] == ["sendonly", "inactive", "inactive"]
    assert [line.port for line in held.media] == [4000, 4002, 4004]
    assert [line.direction.value for line in put_on_hold(own, "address").media] == ["sendrecv", "recvonly", "inactive"]
    assert [line.address for line in put_on_hold(own, "direction").media][1] == "2001:db8::1"
    assert put_on_hold(own, "").same_as(own)


def test_the_version_rises_exactly_when_the_description_changes() -> None:
    first = make_offer([LocalMedia(6000)], address="192.0.2.7", session_id=9)
    assert make_offer([LocalMedia(6000)], address="192.0.2.7", session_id=10, previous=first) is first
    moved = make_offer([LocalMedia(6002)], address="192.0.2.7", session_id=10, previous=first)
    assert (moved.origin.session_id, moved.origin.version) == ("9", 2)
    assert make_offer([LocalMedia(6002)], address="192.0.2.7", session_id=10, previous=moved) is moved
    elsewhere = make_offer([LocalMedia(6002)], address="192.0.2.9", session_id=10, previous=moved)
    # The address of the o= line is a name for the session, not a place: it stays (RFC 3264 section 8).
    assert (elsewhere.origin.address, elsewhere.origin.version) == ("192.0.2.7", 3)


def test_written_descriptions_follow_the_same_rule() -> None:
    one, two = description("alice", 7, "audio 4000 0"), description("bob", 1, "audio 4000 8")
    assert revise(one, None) is one
    assert revise(description("alice", 99, "audio 4000 0"), one) is one
    revised = revise(two, one)
    assert revised.origin == one.origin._replace(version=8)
    assert revised.media[0].formats == ("8",)


def test_lines_beyond_what_we_still_want_stay_as_refused_lines() -> None:
    first = make_offer([LocalMedia(6000), LocalMedia(6002)], address="192.0.2.7", session_id=9)
    later = make_offer([LocalMedia(6000)], address="192.0.2.7", session_id=9, previous=first)
    assert [line.text for line in later.media] == ["audio 6000 RTP/AVP 0 8 101", "audio 0 RTP/AVP 0 8 101"]
    off = make_offer([LocalMedia(0, ()), LocalMedia(6002)], address="192.0.2.7", session_id=9, previous=first)
    assert off.media[0].text == "audio 0 RTP/AVP 0 8 101"


def test_a_line_without_codecs_or_an_address_that_is_none_is_our_mistake() -> None:
    with pytest.raises(LocalProtocolError):
        make_offer([LocalMedia(6000, ())], address="192.0.2.7", session_id=9)
    with pytest.raises(ParseError):
        make_offer([LocalMedia(6000)], address="not an address", session_id=9)


def test_digits_use_the_number_of_each_side_and_the_clock_of_the_audio() -> None:
    ours = description("alice", 1, "audio 4000 0 98")
    theirs = SessionDescription.parse(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nc=IN IP4 192.0.2.1\r\nm=audio 6000 RTP/AVP 0 100 96\r\n"
        "a=rtpmap:100 telephone-event/48000\r\na=rtpmap:96 telephone-event/8000\r\n"
    )
    (line,) = negotiated(ours, theirs)
    assert (line.telephone_event_receive, line.telephone_event_send) == (98, 96)
    (line,) = negotiated(description("alice", 1, "audio 4000 0"), theirs)
    assert (line.telephone_event_receive, line.telephone_event_send) == (None, 96)


@pytest.mark.parametrize(
    ("lines", "ptime"),
    [
        ("", None),
        ("ptime:30", 30.0),
        ("maxptime:20", 20.0),
        ("maxptime:10", 10.0),
        ("maxptime:200", 20.0),  # what it can take is no wish for so much (RFC 8866 section 6.4, RFC 3551 section 4.2)
        ("ptime:30 maxptime:20", 20.0),
        ("ptime:10 maxptime:20", 10.0),
    ],
)
def test_the_packet_time_is_what_the_peer_wants_and_can_take(lines: str, ptime: float | None) -> None:
    ours, theirs = description("alice", 1, "audio 4000 0"), description("bob", 1, f"audio 6000 0 {lines}")
    assert negotiated(ours, theirs)[0].ptime == ptime


def test_rtcp_is_sent_where_the_peer_says() -> None:
    ours = description("alice", 1, "audio 4000 0 rtcp-mux")
    theirs = description("bob", 1, "audio 6000 0 rtcp-mux rtcp:7001")
    (line,) = negotiated(ours, theirs)
    assert (line.number, line.media, line.local_port, line.remote_address) == (
        0,
        "audio",
        4000,
        "host.biloxi.example.com",
    )
    assert (line.remote_rtcp_address, line.remote_rtcp_port, line.rtcp_mux) == ("host.biloxi.example.com", 7001, True)
    answer = make_answer(theirs, [LocalMedia(5000, rtcp_mux=True)], address="192.0.2.2", session_id=1)
    assert answer.media[0].rtcp_mux
    plain = make_answer(
        description("bob", 1, "audio 6000 0"), [LocalMedia(5000, rtcp_mux=True)], address="192.0.2.2", session_id=1
    )
    assert not plain.media[0].rtcp_mux


def test_lines_of_own_address_and_attributes_are_answered_with_them() -> None:
    media = LocalMedia(5000, (PCMU,), address="192.0.2.9", rtcp_port=5005, ptime=20, attributes=("a=label:2",))
    answer = make_answer(description("bob", 1, "audio 6000 0"), [media], address="192.0.2.2", session_id=1)
    assert list(answer.media[0].lines) == [
        "c=IN IP4 192.0.2.9", "a=rtpmap:0 PCMU/8000", "a=ptime:20", "a=rtcp:5005", "a=label:2",
    ]  # fmt: skip
    assert answer.media[0].address == "192.0.2.9"
