"""What was agreed as encrypted is offered encrypted for the rest of the call (RFC 4568 section 7.1.4, RFC 3264 8)."""

import itertools
from base64 import b64encode
from collections.abc import Callable

import pytest

from sipswarm.actors.call.media import CallMedia
from sipswarm.actors.call.stream_configuration import MediaDemand
from sipswarm.media.messages import Command, ConfigureStream
from sipswarm.sipcore.sdp.description import SessionDescription

pytest.importorskip("pylibsrtp", reason="pylibsrtp is in the extra srtp")

HOME = "127.0.0.1"
SUITE = "AES_CM_128_HMAC_SHA1_80"
KEY = f"a=crypto:1 {SUITE} inline:{b64encode(bytes(range(30))).decode()}"


def description(*lines: str, version: int = 1) -> bytes:
    head = ("v=0", f"o=- 1 {version} IN IP4 {HOME}", "s=-", f"c=IN IP4 {HOME}", "t=0 0")
    return "".join(f"{each}\r\n" for each in head + lines).encode()


def line(protocol: str, port: int = 4002) -> tuple[str, ...]:
    keys = (KEY,) if "SAVP" in protocol else ()
    return f"m=audio {port} {protocol} 0 101", "a=rtpmap:101 telephone-event/8000", *keys


class Side:
    """The media of one call of ours."""

    def __init__(self, srtp: str, lines: int = 1) -> None:
        self.commands: list[Command] = []
        self.numbers = itertools.count(1)
        demand = MediaDemand(True, HOME, 0, srtp=srtp)
        self.media = CallMedia(demand, self.commands, self.numbers.__next__, 1, bytes)
        self.require(lines)

    def require(self, lines: int) -> None:
        self.media.require(lines)
        for number, each in enumerate(self.media.lines):
            each.port, each.rtcp_port = 5000 + 2 * number, 5001 + 2 * number

    def answers(self, offer: bytes) -> SessionDescription:
        self.media.take_offer(offer)
        answer = SessionDescription.parse(self.media.answer())
        self.media.configure(self.media.agreed())
        return answer

    def offers(self, answer: Callable[[SessionDescription], bytes], hold: str = "") -> SessionDescription:
        self.media.forks.invited()
        offer = SessionDescription.parse(self.media.offer(hold))  # type: ignore[arg-type]
        self.media.configure(self.media.take_answer(answer(offer), final=True))
        return offer

    def keys(self) -> tuple[str, bytes, bytes]:
        """What the newest configuration encrypts with."""
        newest = [each for each in self.commands if isinstance(each, ConfigureStream)][-1]
        return newest.srtp_suite, newest.srtp_send_key, newest.srtp_receive_key


def likewise(offer: SessionDescription) -> bytes:
    """An answer of the peer in the protocol of each line, with its key under the tag that was offered."""
    lines = []
    for each in offer.media:
        tag = next((crypto.tag for crypto in each.crypto if crypto.suite == SUITE), 0)
        lines += [text.replace("crypto:1 ", f"crypto:{tag} ") for text in line(each.protocol)]
    return description(*lines)


def spoken(offer: SessionDescription) -> list[tuple[str, bool]]:
    return [(each.protocol, bool(each.crypto)) for each in offer.media]


@pytest.mark.parametrize("hold", ["", "direction", "address", "both"])
@pytest.mark.parametrize("protocol", ["RTP/SAVP", "RTP/SAVPF"])
@pytest.mark.parametrize("srtp", ["optional", "required"])
def test_every_later_offer_keeps_the_profile_and_the_keys(srtp: str, protocol: str, hold: str) -> None:
    side = Side(srtp)
    side.answers(description(*line(protocol)))
    keys = side.keys()
    assert keys[0] == SUITE
    for _ in range(2):
        assert spoken(side.offers(likewise, hold)) == [(protocol, True)]
        assert side.keys() == keys
    side.media.renew()
    side.require(1)
    assert spoken(side.offers(likewise)) == [(protocol, True)], "other ports, the same protection"
    assert side.keys()[1] != b""


@pytest.mark.parametrize("srtp", ["optional", "required"])
def test_an_answer_to_an_offerless_invite_of_ours_settles_it_too(srtp: str) -> None:
    """The peer offers in its 2xx, we answer in the ACK, and offer later."""
    side = Side(srtp)
    side.media.forks.invited()
    side.answers(description(*line("RTP/SAVP")))
    assert spoken(side.offers(likewise)) == [("RTP/SAVP", True)]


def test_a_call_that_became_encrypted_stays_so() -> None:
    side = Side("optional")
    assert spoken(side.offers(likewise)) == [("RTP/AVP", False)]
    side.answers(description(*line("RTP/SAVP"), version=2))
    assert spoken(side.offers(likewise, "direction")) == [("RTP/SAVP", True)]


def test_a_peer_that_takes_the_encryption_away_is_offered_what_it_asked_for() -> None:
    side = Side("optional")
    side.answers(description(*line("RTP/SAVP")))
    side.answers(description(*line("RTP/AVP"), version=2))
    assert spoken(side.offers(likewise)) == [("RTP/AVP", False)]
    side.answers(description(*line("RTP/SAVP"), version=3))
    assert spoken(side.offers(likewise)) == [("RTP/SAVP", True)]


@pytest.mark.parametrize("order", [("RTP/SAVP", "RTP/AVP"), ("RTP/AVP", "RTP/SAVP")])
def test_each_line_keeps_its_own(order: tuple[str, str]) -> None:
    side = Side("optional", 2)
    side.answers(description(*line(order[0]), *line(order[1], 4006)))
    assert spoken(side.offers(likewise)) == [(each, "SAVP" in each) for each in order]


@pytest.mark.parametrize("protocol", ["RTP/SAVP", "RTP/AVP"])
def test_a_line_that_was_switched_off_comes_back_encrypted(protocol: str) -> None:
    """Port 0 settles nothing, whatever the profile beside it is."""
    side = Side("optional", 2)
    side.answers(description(*line("RTP/SAVP"), *line("RTP/SAVP", 4006)))
    side.answers(description(*line("RTP/SAVP"), *line(protocol, 0), version=2))
    assert spoken(side.offers(likewise)) == [("RTP/SAVP", True)] * 2


def test_an_offer_that_failed_settles_nothing() -> None:
    side = Side("optional")
    side.answers(description(*line("RTP/SAVP")))
    side.media.forks.invited()
    side.media.take_offer(description(*line("RTP/AVP"), version=2))
    side.media.exchange.reject()
    side.media.forks.fall_back()
    assert spoken(side.offers(likewise)) == [("RTP/SAVP", True)]


def test_a_refresh_says_what_holds() -> None:
    side = Side("optional")
    side.answers(description(*line("RTP/SAVP")))
    side.media.forks.repeat_offer()
    pending = side.media.exchange.pending
    assert pending is not None
    assert spoken(pending) == [("RTP/SAVP", True)]
