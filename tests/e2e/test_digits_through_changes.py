"""Digits under way through a re-INVITE that changes the format: each is heard once, or the request says what was not.

The phone is a socket: it answers the second INVITE with another description.
"""

import asyncio
from contextlib import closing

import pytest

from sipswarm.actors.errors import CallError
from sipswarm.media.audio.codecs import open_codec
from sipswarm.media.digits.digit_packet import EVENTS
from tests.e2e.agents import agent
from tests.e2e.test_renegotiated_media import Phone, arrived
from tests.e2e.waiting import again_after_a_stop, pass_time
from tests.media.rtp_packet import RtpPacket
from tests.media.test_every_pair import key

KEYS = "159D26"
EVENTS_101 = "m=audio PORT RTP/AVP 0 101\na=rtpmap:101 telephone-event/8000"
EVENTS_96 = "m=audio PORT RTP/AVP 8 96\na=rtpmap:96 telephone-event/8000"
FIRST_ONES = EVENTS_101 + "\na=fmtp:101 0-4"
CODECS = {0: ("PCMU", 8000), 8: ("PCMA", 8000), 9: ("G722", 16000)}


def heard(packets: list[RtpPacket]) -> str:
    """The keys in the order of their begin: events by their identity, tones by the audio of the packet's format."""
    keys: list[str] = []
    known: set[tuple[int, int]] = set()
    before = ""
    codecs = {number: open_codec(name, 8000) for number, (name, _) in CODECS.items()}
    for packet in packets:
        if packet.payload_type not in CODECS:
            identity = packet.timestamp, packet.payload[0]
            if identity not in known:
                keys.append(EVENTS[packet.payload[0]])
            known.add(identity)
            continue
        rate = CODECS[packet.payload_type][1]
        samples = codecs[packet.payload_type].decode(packet.payload).astype(float)
        for at in range(0, len(samples) - rate // 100 + 1, rate // 100):
            now = key(samples[at : at + rate // 100], rate)
            if now and now != before:
                keys.append(now)
            before = now
    return "".join(keys)


async def _change(first: str, second: str, methods: str, wait: float) -> tuple[str, str, str, list[int]]:
    """What the phone heard, what counts as sent, the error, and the payload types after the change."""
    error = ""
    with closing(Phone(first, second)) as phone:
        async with asyncio.timeout(40), agent(codecs=("pcmu", "pcma", "g722")) as alice, phone:
            call = await alice.invite(phone.uri(), media="silence")
            sending = asyncio.ensure_future(call.dtmf(KEYS, methods=methods))
            await asyncio.sleep(wait)
            await call.reinvite()
            await pass_time(0.05)
            packets = arrived(phone.rtp)
            change = len(packets)
            try:
                await sending
            except CallError as failed:
                error = str(failed)
            packets += arrived(phone.rtp)
            parsed = [RtpPacket.parse(each) for each in packets]
            await call.bye()
            return heard(parsed), call.digits_sent, error, sorted({each.payload_type for each in parsed[change:]})


@pytest.mark.parametrize("wait", [0.05, 0.13, 0.3])
@pytest.mark.parametrize(
    ("first", "second", "methods", "numbers"),
    [
        (EVENTS_101, EVENTS_96, "rfc2833", [96]),
        (EVENTS_101, "m=audio PORT RTP/AVP 0", "rfc2833,audio", [0]),
        (EVENTS_101, "m=audio PORT RTP/AVP 8", "rfc2833,audio", [8]),
        (EVENTS_101, FIRST_ONES, "rfc2833,audio", [0, 101]),
        ("m=audio PORT RTP/AVP 0", "m=audio PORT RTP/AVP 8", "audio", [8]),
        ("m=audio PORT RTP/AVP 8", "m=audio PORT RTP/AVP 0\na=ptime:60", "audio", [0]),
        ("m=audio PORT RTP/AVP 0", EVENTS_96, "rfc2833,audio", [96]),
        ("m=audio PORT RTP/AVP 0", EVENTS_96, "audio", [8]),
    ],
)
@again_after_a_stop
def test_each_digit_is_heard_once_in_the_new_format(
    first: str, second: str, methods: str, numbers: list[int], wait: float
) -> None:
    keys, sent, error, seen = asyncio.run(_change(first, second, methods, wait))
    assert (keys, sent, error) == (KEYS, KEYS, "")
    assert set(numbers) <= set(seen)
    assert 101 in numbers or 101 not in seen


@pytest.mark.parametrize("wait", [0.05, 0.13, 0.3])
@pytest.mark.parametrize(
    ("first", "second", "methods", "reason"),
    [
        (EVENTS_101, "m=audio PORT RTP/AVP 8", "rfc2833", "no telephone-event"),
        (EVENTS_101, "m=audio PORT RTP/AVP 9", "rfc2833,audio", "tones (audio) need PCMU or PCMA"),
        (EVENTS_101, FIRST_ONES, "rfc2833", "lists no telephone-event for"),
        ("m=audio PORT RTP/AVP 0", "m=audio PORT RTP/AVP 9", "audio", "tones (audio) need PCMU or PCMA"),
    ],
)
@again_after_a_stop
def test_what_the_new_format_cannot_carry_is_not_sent_and_the_error_says_so(
    first: str, second: str, methods: str, reason: str, wait: float
) -> None:
    keys, sent, error, _ = asyncio.run(_change(first, second, methods, wait))
    assert sent == KEYS[: len(sent)] != KEYS
    assert keys[: len(sent)] == sent
    assert len(keys) - len(sent) <= (methods == "audio")  # a tone that was cut may be known all the same
    which = f"only the first {len(sent)} of {len(KEYS)} digits were sent" if sent else "digits were not sent"
    assert error.startswith(f"{which}: the format changed within the call; ")
    assert reason in error
