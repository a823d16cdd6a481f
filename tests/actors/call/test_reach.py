"""Descriptions of the peer that name addresses which are not sent to: refused, or nothing is sent there."""

import itertools

import pytest

from sipswarm.actors.call.media import CallMedia
from sipswarm.actors.call.reach import Reach
from sipswarm.actors.call.stream_configuration import MediaDemand
from sipswarm.actors.diagnosis.offer_warnings import NOT_SENT_TO
from sipswarm.actors.runtime.peer import Peer
from sipswarm.media.messages import Command, ConfigureStream
from sipswarm.sipcore.errors import RemoteProtocolError
from sipswarm.sipcore.sdp.description import SessionDescription
from sipswarm.sipcore.sdp.offer_answer import NothingFits

HOME, PEER, BAD = "192.0.2.1", "192.0.2.2", "169.254.169.254"


def description(*lines: tuple[str, ...]) -> bytes:
    """A description with a media line for each of these: its address, and further attributes."""
    head = ("v=0", f"o=- 1 1 IN IP4 {PEER}", "s=-", "t=0 0")
    media = [
        (f"m=audio {4000 + 2 * number} RTP/AVP 0", f"c=IN IP4 {address}", *more)
        for number, (address, *more) in enumerate(lines)
    ]
    return "".join(f"{each}\r\n" for each in (*head, *itertools.chain(*media))).encode()


class Side:
    """The media of one call, and what it asked about addresses."""

    def __init__(self, lines: int = 1) -> None:
        self.commands: list[Command] = []
        self.refused: list[str] = []
        numbers = itertools.count(1)
        reach = Reach(Peer((PEER,)), self.may_send)
        demand = MediaDemand(True, HOME, 0)
        self.media = CallMedia(demand, self.commands, numbers.__next__, 1, bytes, reach=reach)
        self.media.require(lines)
        for number, each in enumerate(self.media.lines):
            each.port, each.rtcp_port = 5000 + 2 * number, 5001 + 2 * number

    def may_send(self, host: str, peer: Peer, what: str) -> bool:
        assert peer == Peer((PEER,))
        if host == BAD and what:
            self.refused.append(what)
        return host != BAD

    def sent_to(self) -> list[tuple[str, str]]:
        """RTP and RTCP addresses of the newest configuration of each stream."""
        newest = {each.stream_id: each for each in self.commands if isinstance(each, ConfigureStream)}
        return [(each.remote_address, each.remote_rtcp_address) for each in newest.values()]

    def offer(self) -> None:
        self.media.forks.invited()
        self.media.offer()


def test_an_offer_with_such_an_address_alone_fits_not_and_says_why() -> None:
    side = Side()
    side.media.take_offer(description((BAD,)))
    assert not side.media.fits_offer
    assert side.media.misfit == NOT_SENT_TO
    with pytest.raises(NothingFits):
        side.media.answer()
    assert not side.sent_to()
    assert set(side.refused) == {"media"}


def test_of_an_offer_with_other_lines_such_a_line_is_refused() -> None:
    side = Side(2)
    side.media.take_offer(description((BAD,), (PEER,)))
    assert side.media.fits_offer
    answer = SessionDescription.parse(side.media.answer())
    assert [bool(line.port) for line in answer.media] == [False, True]
    side.media.configure(side.media.agreed())
    assert all(BAD not in addresses for addresses in side.sent_to())
    assert (PEER, PEER) in side.sent_to() or (PEER, "") in side.sent_to()


def test_an_answer_with_such_an_address_alone_cannot_be_used() -> None:
    side = Side()
    side.offer()
    with pytest.raises(RemoteProtocolError):
        side.media.take_answer(description((BAD,)), final=True)
    assert side.refused == ["media"]
    assert not side.sent_to()


def test_nothing_is_sent_to_such_a_line_of_an_answer_with_others() -> None:
    side = Side(2)
    side.offer()
    side.media.configure(side.media.take_answer(description((PEER,), (BAD,)), final=True))
    assert [address for address, _ in side.sent_to()] == [PEER, ""]
    assert side.refused == ["media"]


def test_early_media_goes_to_no_such_address() -> None:
    side = Side()
    side.offer()
    side.media.configure(side.media.take_answer(description((BAD,)), final=False))
    assert [address for address, _ in side.sent_to()] == [""]


def test_rtcp_goes_to_no_such_address_of_its_own() -> None:
    side = Side()
    side.offer()
    answer = description((PEER, f"a=rtcp:4001 IN IP4 {BAD}"))
    side.media.configure(side.media.take_answer(answer, final=True))
    assert side.sent_to() == [(PEER, "")]
    assert side.refused == ["media"]


def test_a_later_offer_moves_no_media_to_such_an_address() -> None:
    side = Side()
    side.media.take_offer(description((PEER,)))
    side.media.answer()
    side.media.configure(side.media.agreed())
    side.media.take_offer(description((BAD,)))
    with pytest.raises(NothingFits):
        side.media.answer()
    side.media.configure(side.media.agreed())
    assert [address for address, _ in side.sent_to()] == [PEER]


@pytest.mark.parametrize("hold", ["0.0.0.0"])
def test_hold_by_address_is_no_address_to_send_to(hold: str) -> None:
    side = Side()
    side.media.take_offer(description((hold,)))
    assert side.media.fits_offer
    side.media.answer()
    side.media.configure(side.media.agreed())
    assert [address for address, _ in side.sent_to()] == [""]
    assert not side.refused
