"""Digits to and from phones made of sockets: clocks of telephone-event, tones where none was agreed."""

import asyncio
from contextlib import closing

import pytest

from media.rtp import RtpPacket
from tests.e2e.agents import agent
from tests.e2e.test_renegotiated_media import Phone, arrived
from tests.e2e.waiting import until


def press(phone: Phone, payload_type: int, clock: int, code: int, number: int, timestamp: int) -> None:
    """A key of 100 ms, as fast as the socket takes it. number: its first sequence number."""
    unit = clock // 50
    for place, (duration, end) in enumerate([(unit * n, 0) for n in range(1, 5)] + [(unit * 5, 0x80)] * 3):
        event = bytes((code, 10 | end)) + duration.to_bytes(2)
        packet = RtpPacket(payload_type, number + place, timestamp, 9, event)
        phone.rtp.sendto(packet.to_bytes(), phone.destination())


@pytest.mark.parametrize(
    ("answer", "audio", "events"),
    [
        ("97 101\na=rtpmap:97 opus/48000/2\na=rtpmap:101 telephone-event/8000", 97, {101: 8000}),
        ("97 0 101\na=rtpmap:97 opus/48000/2\na=rtpmap:101 telephone-event/8000", 97, {101: 8000}),
        ("0 97 102\na=rtpmap:97 opus/48000/2\na=rtpmap:102 telephone-event/48000", 0, {102: 48000}),
        (
            "97 0 102 101\na=rtpmap:97 opus/48000/2\n"
            "a=rtpmap:102 telephone-event/48000\na=rtpmap:101 telephone-event/8000",
            97,
            {102: 48000, 101: 8000},
        ),
    ],
)
def test_digits_go_both_ways_under_every_clock_of_the_answer(answer: str, audio: int, events: dict[int, int]) -> None:
    if audio == 97:
        pytest.importorskip("av", reason="PyAV is in the extra audio")

    async def main() -> None:
        heard: list[tuple[str, int]] = []
        async with asyncio.timeout(40), agent(codecs=("opus", "pcmu")) as alice, phone:
            call = await alice.invite(
                phone.uri(), init_media=alice.rtp("silence"), cb_dtmf=lambda event, ms: heard.append((event, ms))
            )
            for number, (payload_type, clock) in enumerate(events.items()):
                press(phone, payload_type, clock, number + 1, 20 * number + 10, 90_000 * number)
            await until(lambda: len(heard) == len(events))
            assert heard == [(str(number + 1), 100) for number in range(len(events))]
            arrived(phone.rtp)
            await call.dtmf("7", duration=120, methods="rfc2833")
            packets = [RtpPacket.parse(each) for each in arrived(phone.rtp)]
            await call.bye()
        pressed = [packet for packet in packets if packet.payload_type in events]
        assert {packet.payload_type for packet in pressed} == {next(iter(events))}
        clock = next(iter(events.values()))
        ends = [packet.payload for packet in pressed if packet.payload[1] & 0x80]
        assert ends == [bytes((7, 0x8A)) + (clock // 1000 * 120).to_bytes(2)] * 3
        assert {packet.payload_type for packet in packets} <= {audio, *events}

    with closing(Phone(f"m=audio PORT RTP/AVP {answer}")) as phone:
        asyncio.run(main())
