"""Digits to and from phones made of sockets: clocks of telephone-event, tones where none was agreed."""

import asyncio
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import pytest

from sipswarm.actors.bus.messages import CallFinished
from sipswarm.actors.errors import CallEnded, CallError
from sipswarm.actors.handle.call import Call
from sipswarm.media.audio.g711 import PCMU
from sipswarm.media.digits.inband import ToneGenerator
from sipswarm.sipcore.message.messages import Request, Response
from tests.e2e.agents import address_of, agent, reply
from tests.e2e.test_renegotiated_media import Phone, arrived
from tests.e2e.waiting import again_after_a_stop, until
from tests.media.rtp_packet import RtpPacket


def press(phone: Phone, payload_type: int, clock: int, code: int, number: int, timestamp: int) -> None:
    """A key of 100 ms, as fast as the socket takes it. number: its first sequence number."""
    unit = clock // 50
    for place, (duration, end) in enumerate([(unit * n, 0) for n in range(1, 5)] + [(unit * 5, 0x80)] * 3):
        event = bytes((code, 10 | end)) + duration.to_bytes(2)
        packet = RtpPacket(payload_type, number + place, timestamp, 9, event)
        phone.rtp.sendto(packet.to_bytes(), phone.destination())


BOTH_CLOCKS = """97 0 102 101
a=rtpmap:97 opus/48000/2
a=rtpmap:102 telephone-event/48000
a=rtpmap:101 telephone-event/8000"""


@pytest.mark.parametrize(
    ("answer", "audio", "events"),
    [
        ("97 101\na=rtpmap:97 opus/48000/2\na=rtpmap:101 telephone-event/8000", 97, {101: 8000}),
        ("97 0 101\na=rtpmap:97 opus/48000/2\na=rtpmap:101 telephone-event/8000", 97, {101: 8000}),
        ("0 97 102\na=rtpmap:97 opus/48000/2\na=rtpmap:102 telephone-event/48000", 0, {102: 48000}),
        (BOTH_CLOCKS, 97, {102: 48000, 101: 8000}),
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


class InfoPhone(Phone):
    """A callee that takes INFO of one content type only, and refuses others."""

    def __init__(self, taken: str, refusal: int) -> None:
        super().__init__("m=audio PORT RTP/AVP 0")
        self.taken, self.refusal = taken, refusal

    def _reply(self, request: Request) -> Sequence[Response]:
        if request.method == "INFO" and request.content_type != self.taken:
            return [reply(request, self.refusal, ("Accept", self.taken))]
        return super()._reply(request)

    def said(self) -> list[tuple[str, bytes]]:
        return [(each.content_type, each.body) for each in self.requests if each.method == "INFO"]


RELAY, PLAIN = "application/dtmf-relay", "application/dtmf"


@pytest.mark.parametrize(
    ("methods", "taken", "said"),
    [
        ("info", RELAY, [(RELAY, b"Signal=5\r\nDuration=60\r\n"), (RELAY, b"Signal=#\r\nDuration=60\r\n")]),
        ("info", PLAIN, [(RELAY, b"Signal=5\r\nDuration=60\r\n"), (PLAIN, b"5"), (PLAIN, b"#")]),
        ("dtmf-relay", RELAY, [(RELAY, b"Signal=5\r\nDuration=60\r\n"), (RELAY, b"Signal=#\r\nDuration=60\r\n")]),
        ("dtmf", PLAIN, [(PLAIN, b"5"), (PLAIN, b"#")]),
    ],
)
def test_digits_by_info_are_of_the_type_that_the_peer_takes(
    methods: str, taken: str, said: list[tuple[str, bytes]]
) -> None:
    async def main() -> None:
        async with asyncio.timeout(30), agent() as alice, phone:
            call = await alice.invite(phone.uri())
            await call.dtmf("5#", duration=60, methods=methods)
            assert call.digits_sent == "5#"
            await call.bye()
        assert phone.said() == said

    with closing(InfoPhone(taken, 415)) as phone:
        asyncio.run(main())


@pytest.mark.parametrize("refusal", [405, 415, 501])
def test_a_peer_that_takes_no_info_gets_the_next_method_or_an_error(refusal: int) -> None:
    async def main() -> None:
        async with asyncio.timeout(30), agent() as alice, phone:
            call = await alice.invite(phone.uri(), media="silence")
            await call.dtmf("5", methods="info,audio")
            assert call.digits_sent == "5"
            with pytest.raises(CallError, match=f"takes no INFO with digits .{refusal}"):
                await call.dtmf("5", methods="info")
            assert call.digits_sent == "5"
            await call.bye()

    with closing(InfoPhone("text/none", refusal)) as phone:
        asyncio.run(main())


@pytest.mark.parametrize("methods", ["rfc2833", "audio"])
@pytest.mark.parametrize(("digits", "after"), [("2", 1), ("159#", 4), ("12-", 2), ("1234", 2), ("5555", 3)])
@again_after_a_stop
def test_a_digit_that_makes_the_peer_hang_up_was_sent(digits: str, after: int, methods: str) -> None:
    """The robot acts on the first end packet; two more would follow (RFC 4733 2.5.1.4)."""

    async def main() -> None:
        rows: list[CallFinished] = []

        async def robot(call: Call) -> None:
            await call.answer()
            await call.digits(after, 10)
            call.hang_up()

        async with asyncio.timeout(30), agent() as alice, agent("sip:bob@127.0.0.1") as bob:
            bob.listen(robot, media="silence", cb_dtmf=lambda event, duration: None)
            for _ in range(3):
                call = await alice.invite(address_of(bob), media="silence")
                call.report = rows.append
                wanted = digits.replace("-", "")
                if len(wanted) == after:
                    await call.dtmf(digits, methods=methods)
                else:
                    with pytest.raises(CallEnded):
                        await call.dtmf(digits, methods=methods)
                await call.over()
                assert call.digits_sent == wanted[:after]
            assert [row.digits_sent for row in rows] == [after] * 3

    asyncio.run(main())


def test_a_callback_is_told_ok_for_a_digit_that_ends_the_call() -> None:
    async def main() -> None:
        told: list[str] = []

        async def robot(call: Call) -> None:
            await call.answer()
            await call.digits(1, 10)
            call.hang_up()

        async with asyncio.timeout(30), agent() as alice, agent("sip:bob@127.0.0.1") as bob:
            bob.listen(robot, media="silence")
            call = await alice.invite(address_of(bob), media="silence")
            await call.dtmf("7", cb_final=lambda *said: told.append(said[0]))
            await until(lambda: bool(told))
            assert told == ["OK"]

    asyncio.run(main())


class TonePhone(Phone):
    """A callee without telephone-event, or with it by turns, that presses keys as tones."""

    number = 100

    def press_tones(self, digits: str, duration_ms: int = 80) -> list[bytes]:
        """The packets of these keys, 100 ms of silence before each and after the last."""
        tones, packets = ToneGenerator(PCMU), []
        total = duration_ms * 8
        for digit in (*digits, ""):
            frames = [b"\xff" * 160] * 5
            if digit:
                frames += [tones.frame(digit, start, 160, total) for start in range(0, total, 160)]
            for frame in frames:
                packets.append(RtpPacket(0, self.number & 0xFFFF, 160 * self.number, 77, frame).to_bytes())
                self.number += 1
        return packets

    async def play(self, packets: list[bytes]) -> None:
        for packet in packets:
            self.rtp.sendto(packet, self.destination())
            await asyncio.sleep(0.005)


WITHOUT, WITH = "m=audio PORT RTP/AVP 0", "m=audio PORT RTP/AVP 0 101\na=rtpmap:101 telephone-event/8000"


@pytest.mark.parametrize("consumer", ["digits", "received_digits", "cb_dtmf"])
def test_tones_are_heard_by_every_consumer_where_no_events_were_agreed(consumer: str) -> None:
    async def main() -> None:
        heard: list[str] = []
        async with asyncio.timeout(30), agent() as alice, phone:
            reports: dict[str, Any] = {"cb_dtmf": lambda event, duration: heard.append(event)}
            param = reports if consumer == "cb_dtmf" else {}
            call = await alice.invite(phone.uri(), media="silence", **param)
            playing = asyncio.ensure_future(phone.play(phone.press_tones("1590#")))
            if consumer == "digits":
                heard.append(await call.digits(5, 10))
            elif consumer == "received_digits":
                async for digit in call.received_digits():
                    heard.append(digit)
                    if len(heard) == 5:
                        break
            else:
                await until(lambda: len(heard) >= 5)
            await playing
            await call.bye()
            assert "".join(heard) == call.digits_received == "1590#"

    with closing(TonePhone(WITHOUT)) as phone:
        asyncio.run(main())


def test_tones_are_heard_as_long_as_no_events_are_agreed() -> None:
    """A re-INVITE adds events, another removes them; while they are agreed a tone in the audio is no digit."""

    async def main() -> None:
        async with asyncio.timeout(30), agent() as alice, phone:
            call = await alice.invite(phone.uri(), media="silence")
            for expected in ("1", "12", "123"):
                await phone.play(phone.press_tones("7" if len(expected) == 2 else expected[-1]))
                if len(expected) == 2:
                    press(phone, 101, 8000, 2, phone.number, 160 * phone.number)
                    phone.number += 7
                await until(lambda expected=expected: call.digits_received == expected)  # type: ignore[misc]
                await call.reinvite()
            await call.bye()
            assert call.digits_received == "123"

    with closing(TonePhone(WITHOUT, WITH, WITHOUT, WITH)) as phone:
        asyncio.run(main())


@pytest.mark.parametrize(
    ("fmtp", "digits", "events", "tones"),
    [
        ("0-9", "1*A2", {1, 2}, True),
        ("0-11", "#D", {11}, True),
        ("0,3-5", "035", {0, 3, 5}, False),
        ("10,11", "5#", {11}, True),
        ("0-15", "1A", {1, 12}, False),
        ("", "1A", {1, 12}, False),
        ("0-9", "5", {5}, False),
        ("16,66", "1", set(), True),
    ],
)
@again_after_a_stop
def test_digits_that_the_peer_does_not_list_are_sent_as_tones(
    fmtp: str, digits: str, events: set[int], tones: bool
) -> None:
    """RFC 4733 2.4.1: events are sent only as the list in the peer's a=fmtp has them; without one it is 0 to 15."""
    lines = "m=audio PORT RTP/AVP 0 101\na=rtpmap:101 telephone-event/8000"
    phone = Phone(lines + (f"\na=fmtp:101 {fmtp}" if fmtp else ""))

    async def main() -> None:
        async with asyncio.timeout(40), agent() as alice, phone:
            call = await alice.invite(phone.uri(), media="silence")
            arrived(phone.rtp)
            await call.dtmf(digits, duration=80)
            assert call.digits_sent == digits
            packets = [RtpPacket.parse(each) for each in arrived(phone.rtp)]
            assert {each.payload[0] for each in packets if each.payload_type == 101} == events
            loud = [each for each in packets if each.payload_type == 0 and set(each.payload) != {0xFF}]
            assert (len(loud) >= 3) is tones
            unlisted = [each for each in digits if "0123456789*#ABCD".index(each) not in events]
            if unlisted:
                with pytest.raises(CallError, match="not_listed"):
                    await call.dtmf(digits, methods="rfc2833")
                await asyncio.sleep(0.2)
                assert not [each for each in arrived(phone.rtp) if RtpPacket.parse(each).payload_type == 101]
                told: list[str] = []
                await call.dtmf(digits, methods="rfc2833", cb_final=lambda result, why: told.extend((result, why)))
                await until(lambda: bool(told))
                assert told[0] == "FAIL"
                assert "not_listed" in told[1]
            await call.bye()

    with closing(phone):
        asyncio.run(main())
