"""Whatever two descriptions agree on can be configured: swept over codecs, packet times, addresses and roles.

The judge is a media engine: it refuses no configuration, and what was agreed to be sent leaves.
"""

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipswarm.actors.call.media import CallMedia
from sipswarm.actors.call.media_stream import MediaStream
from sipswarm.actors.call.stream_configuration import LARGEST_PAYLOAD, MediaDemand, is_sendable
from sipswarm.actors.diagnosis.offer_warnings import NOTHING_FITS
from sipswarm.actors.handle.media_values import BY_NAME, named_codecs
from sipswarm.media.engine import MediaEngine
from sipswarm.media.messages import CloseStream, Command, CommandRefused, ConfigureStream, OpenStream
from sipswarm.sipcore.errors import ParseError, RemoteProtocolError
from sipswarm.sipcore.sdp.negotiation import NothingFits

HOME = "127.0.0.1"
NUMBERS = {"pcmu": "0", "pcma": "8", "g722": "9", "l16": "96", "opus": "97"}
MAPS = "a=rtpmap:96 L16/8000\r\na=rtpmap:97 opus/48000/2\r\na=rtpmap:101 telephone-event/8000\r\n"
TIMES = (
    "",
    "180",
    "200",
    "1000",
    "0.5",
    "1",
    "0",
    "-20",
    "junk",
    "20",
    "30",
    "5",
    "240",
    "999999",
    "1e3",
    "20.5",
    "٢٠",
)


def description(formats: str, *lines: str, connection: str = f"IN IP4 {HOME}", port: int = 4002) -> bytes:
    there = f"c={connection}\r\n" if connection else ""
    head = f"v=0\r\no=- 1 1 IN IP4 {HOME}\r\ns=-\r\n{there}t=0 0\r\nm=audio {port} RTP/AVP {formats}\r\n{MAPS}"
    return (head + "".join(f"{line}\r\n" for line in lines)).encode()


class Side:
    """One side of a negotiation, and the engine that its commands go to."""

    def __init__(self, engine: MediaEngine, *codecs: str, srtp: str = "off") -> None:
        self.engine = engine
        commands: list[Command] = []
        demand = MediaDemand(True, HOME, 0, codecs=named_codecs(codecs), source=("silence",), srtp=srtp)
        self.media = CallMedia(demand, commands, itertools.count(1).__next__, 1, bytes)
        self.commands = commands
        self.media.lines = [MediaStream(1, 4000, 4001)]

    def offers(self, answer: bytes) -> bool:
        self.media.offer()
        try:
            self.media.configure(self.media.take_answer(answer, final=True))
        except (ParseError, RemoteProtocolError):
            return False
        return True

    def answers(self, offer: bytes) -> bool:
        try:
            self.media.take_offer(offer)
            fits = self.media.fits_offer
            self.media.answer()
        except (ParseError, RemoteProtocolError):
            return False
        except NothingFits:
            assert not fits, "known before the ports, so before any ringing"
            return False
        assert fits
        self.media.configure(self.media.agreed())
        return True

    def configured(self) -> ConfigureStream:
        """The configuration, which the engine has taken."""
        (command,) = [each for each in self.commands if isinstance(each, ConfigureStream)]
        engine = self.engine
        engine.handle(1, OpenStream(1, HOME), 0.0)
        engine.handle(1, command, 0.0)
        said = [event for _, event in engine.drain()]
        engine.handle(1, CloseStream(1), 0.0)
        engine.drain()
        assert [each for each in said if isinstance(each, CommandRefused)] == []
        return command


@pytest.fixture(scope="module")
def engine() -> Iterator[MediaEngine]:
    made = MediaEngine()
    yield made
    made.close()


@pytest.mark.parametrize("role", ["offers", "answers"])
@pytest.mark.parametrize("codec", BY_NAME)
def test_every_packet_time_of_every_codec_is_met_as_nearly_as_can_be(
    engine: MediaEngine, role: str, codec: str
) -> None:
    for ptime, maxptime in itertools.product(TIMES, TIMES):
        _is_met(engine, role, codec, ptime, maxptime)


def _is_met(engine: MediaEngine, role: str, codec: str, ptime: str, maxptime: str) -> None:
    times = [f"a={name}:{value}" for name, value in (("ptime", ptime), ("maxptime", maxptime)) if value]
    side = Side(engine, codec)
    assert getattr(side, role)(description(f"{NUMBERS[codec]} 101", *times))
    command = side.configured()
    assert 0.01 <= command.packet_interval <= 0.12
    assert 1 <= command.payload_size <= LARGEST_PAYLOAD
    if codec in ("pcmu", "pcma", "g722"):
        assert command.payload_size == round(8000 * command.packet_interval)
    if not maxptime:
        met = {"": 0.02, "20": 0.02, "30": 0.03 if codec not in ("opus",) else 0.02, "1": 0.01, "0.5": 0.01}
        assert command.packet_interval == met.get(ptime, command.packet_interval)


ADDRESSES = {
    "IN IP4 127.0.0.1": True,
    "IN IP4 0.0.0.0": True,  # hold
    "IN IP6 ::": True,  # as Net::SIP holds
    "IN IP4 nobody.invalid": True,  # RFC 6157 5.1: an address that is not known yet
    "IN IP4 localhost": False,
    "IN IP4 media.example.org": False,
    "IN IP4 Media.Example.INVALID.org": False,
    "IN IP6 ::1": False,
    "IN IP6 ::ffff:127.0.0.1": False,
    "IN IP6 ff02::1": False,
    "IN IP4 224.2.1.1/127": False,
    "IN IP4 239.255.0.1/127/3": False,
    "IN IP4 255.255.255.255": False,
    "IN IP4 240.0.0.1": False,
    "ATM NSAP 47.0091.8100.0000.0060.3e64.fd01.0060.3e64.fd01.00": False,
    "TN RFC2543 +1-201-406-4090": False,
    "": False,
    "IN IP4": False,
    "IN IP4 127.0.0.999": False,
}


@pytest.mark.parametrize("role", ["offers", "answers"])
@pytest.mark.parametrize("connection", ADDRESSES)
def test_an_address_that_nothing_can_be_sent_to_is_refused_while_answering(
    engine: MediaEngine, role: str, connection: str
) -> None:
    side = Side(engine, "pcmu")
    taken = getattr(side, role)(description("0", connection=connection))
    assert taken == ADDRESSES[connection]
    if taken:
        assert (side.configured().remote_address == "") == ("127.0.0.1" not in connection)


def test_the_line_with_an_address_is_taken_beside_one_that_names_a_host(engine: MediaEngine) -> None:
    """Of two lines the answer refuses the first alone (RFC 3264 6)."""
    side = Side(engine, "pcmu")
    side.media.lines.append(MediaStream(2, 4004, 4005))
    offer = description("0", "c=IN IP4 elsewhere.example.org") + b"m=audio 4006 RTP/AVP 0\r\n"
    side.media.take_offer(offer)
    assert side.media.fits_offer
    assert b"m=audio 0 RTP/AVP 0\r\n" in side.media.answer()
    assert [line.active for line in side.media.agreed()] == [False, True]


@pytest.mark.parametrize("formats", ["101", "13", "101 13", "13 101 18"])
def test_a_later_offer_of_digits_or_noise_alone_is_refused_and_changes_nothing(
    engine: MediaEngine, formats: str
) -> None:
    """By re-INVITE or UPDATE: what was agreed on before holds (RFC 3264 8)."""
    side = Side(engine, "pcmu")
    assert side.answers(description("0 101"))
    before = side.media.agreed()
    assert not side.answers(description(formats))
    assert side.media.misfit == NOTHING_FITS
    assert side.media.agreed() == before
    side.configured()


@pytest.mark.parametrize("role", ["offers", "answers"])
def test_digits_alone_beside_a_line_of_audio_are_refused(engine: MediaEngine, role: str) -> None:
    side = Side(engine, "pcmu")
    side.media.lines.append(MediaStream(2, 4004, 4005))
    described = description("0 101") + b"m=audio 4006 RTP/AVP 101\r\na=rtpmap:101 telephone-event/8000\r\n"
    assert getattr(side, role)(described)
    assert [line.active for line in side.media.agreed()] == [True, False]


@pytest.mark.parametrize(
    "more",
    [
        "a=rtcp:70000",
        "a=rtcp:0",
        "a=rtcp:5000 IN IP4 rtcp.example.org",
        "a=rtcp:5000 IN IP6 ::1",
        "a=rtcp:5000 IN IP4 224.0.0.1",
        "a=rtcp:junk",
        "a=rtcp-mux",
        "a=inactive",
        "a=sendonly",
    ],
)
@pytest.mark.parametrize("role", ["offers", "answers"])
@pytest.mark.parametrize("port", [1, 9, 65534, 65535])
def test_odd_ports_and_rtcp_are_configured_all_the_same(engine: MediaEngine, role: str, more: str, port: int) -> None:
    side = Side(engine, "pcmu")
    assert getattr(side, role)(description("0", more, port=port))
    side.configured()


KEYS = ("", "AAAA", "A" * 40, "A" * 39 + "=", "A" * 60, "A" * 62, "A" * 60 + "|2^20|1:4", "!" * 40, "A" * 40 + "|2^99")
SUITES = ("AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", "AEAD_AES_256_GCM", "AEAD_AES_128_GCM", "NULL_X")


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("role", ["offers", "answers"])
def test_a_key_that_is_agreed_on_fits_its_suite(engine: MediaEngine, role: str, suite: str, key: str) -> None:
    pytest.importorskip("pylibsrtp", reason="pylibsrtp is in the extra srtp")
    side = Side(engine, "pcmu", srtp="required" if role == "offers" else "optional")
    described = description("0", f"a=crypto:1 {suite} inline:{key}").replace(b"RTP/AVP", b"RTP/SAVP")
    if getattr(side, role)(described):
        side.configured()


_word = st.sampled_from(["0", "8", "9", "96", "97", "101", "3", "127", "128", "x"])
_line = st.one_of(
    st.builds("a={}:{}".format, st.sampled_from(["ptime", "maxptime", "rtcp"]), st.text("0123456789.-e ", max_size=7)),
    st.sampled_from(["a=sendonly", "a=recvonly", "a=inactive", "a=rtcp-mux", "c=IN IP4 localhost", "c=IN IP4 0.0.0.0"]),
    st.builds("a=rtpmap:{} {}/{}".format, _word, st.sampled_from(["PCMU", "opus", "X"]), st.integers(-1, 10**7)),
)


@given(
    formats=st.lists(_word, min_size=1, max_size=5).map(" ".join),
    lines=st.lists(_line, max_size=5),
    codecs=st.lists(st.sampled_from(sorted(BY_NAME)), min_size=1, max_size=5, unique=True),
    role=st.sampled_from(["offers", "answers"]),
    port=st.integers(0, 65536),
)
@settings(max_examples=300, deadline=None)
def test_what_is_agreed_on_can_be_configured(
    engine: MediaEngine, formats: str, lines: list[str], codecs: list[str], role: str, port: int
) -> None:
    side = Side(engine, *codecs)
    if getattr(side, role)(description(formats, *lines, port=port)):
        side.configured()


@pytest.mark.parametrize("here", [HOME, "::1"])
def test_an_address_is_sendable_in_its_own_version_only(here: str) -> None:
    assert is_sendable("192.0.2.1", here) == (here == HOME)
    assert is_sendable("2001:db8::1", here) == (here == "::1")
    for there in ("0.0.0.0", "::", "0::0", "x.INVALID"):
        assert is_sendable(there, here)
