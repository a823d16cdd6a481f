"""The length that frames of a callback must have: told to it, at each packet time and codec, and after changes."""

import asyncio
from collections.abc import Callable
from contextlib import closing
from itertools import pairwise
from typing import Any

import pytest

from tests.e2e.agents import agent
from tests.e2e.test_renegotiated_media import Phone, arrived
from tests.e2e.waiting import until
from tests.media.rtp_packet import RtpPacket

LINE = "m=audio PORT RTP/AVP "


async def _sent(phone: Phone, read: Callable[..., Any], changes: int = 0) -> list[RtpPacket]:
    async with asyncio.timeout(40), agent(codecs=("pcmu", "l16")) as alice, phone:
        call = await alice.invite(phone.uri(), init_media=alice.rtp("send_recv", read))
        found: list[RtpPacket] = []

        def heard() -> int:
            found.extend(RtpPacket.parse(each) for each in arrived(phone.rtp))
            return len(found)

        await until(lambda: heard() >= 12)
        for _ in range(changes):
            await call.reinvite()
            before = heard()  # after it, because frames of before go on until it is answered
            await until(lambda before=before: heard() >= before + 24)  # type: ignore[misc]
        await call.bye()
    return found


@pytest.mark.parametrize(
    ("answer", "octets", "step"),
    [
        ("0", 160, 160),
        ("0\na=ptime:10", 80, 80),
        ("0\na=ptime:60", 480, 480),
        ("96\na=rtpmap:96 L16/8000\na=ptime:30", 480, 240),
    ],
)
def test_a_callback_that_asks_for_the_length_of_frames_gets_it(answer: str, octets: int, step: int) -> None:
    def read(number: int, channel: int, octets: int) -> bytes:
        return b"\x55" * octets

    with closing(Phone(LINE + answer)) as phone:
        packets = asyncio.run(_sent(phone, read))
    assert {len(each.payload) for each in packets} == {octets}
    steps = {(b.timestamp - a.timestamp) & 0xFFFFFFFF for a, b in pairwise(packets)}
    assert step in steps
    assert not any(each % step for each in steps)  # a busy machine may leave out some


def test_the_length_follows_another_packet_time() -> None:
    def read(number: int, channel: int, octets: int) -> bytes:
        return b"\x55" * octets

    with closing(Phone(LINE + "0\na=ptime:10", LINE + "0\na=ptime:60")) as phone:
        packets = asyncio.run(_sent(phone, read, 1))
    lengths = [len(each.payload) for each in packets]
    assert lengths[:12] == [80] * 12
    assert lengths[-12:] == [480] * 12
    assert lengths == sorted(lengths)
    assert not any((b.timestamp - a.timestamp) % 480 for a, b in pairwise(packets[-12:]))


def test_arguments_that_a_callback_has_by_default_are_its_own() -> None:
    got: list[tuple[object, ...]] = []

    def plain(number: int, channel: int, frame: bytes = b"\x11" * 160) -> bytes:
        got.append((channel, frame))
        return frame

    def bound(own: bytes, number: int, channel: int, octets: int) -> bytes:
        return own * octets

    for read, payload in ((plain, b"\x11" * 160), ((bound, b"\x22"), b"\x22" * 160)):
        with closing(Phone(LINE + "0")) as phone:
            packets = asyncio.run(_sent(phone, read))  # type: ignore[arg-type]  # a function with its own argument
        assert {each.payload for each in packets} == {payload}
    assert set(got) == {(0, b"\x11" * 160)}
