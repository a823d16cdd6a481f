"""L16 of two channels is never taken for one: refused, left out of the answer, or heard and sent as two."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from sipswarm.actors.errors import CallEnded
from sipswarm.sipcore.message.messages import Response
from sipswarm.sipcore.message.parser import parse
from tests.actors.stranger import SDP, invite
from tests.e2e.agents import agent
from tests.e2e.test_renegotiated_media import Phone
from tests.e2e.waiting import again_after_a_stop
from tests.media.rtp_packet import RtpPacket
from tests.media.tones import channels, fit, sine

DYNAMIC = "a=rtpmap:98 L16/8000/2\r\n"


@pytest.mark.parametrize(
    ("formats", "answered"),
    [("10", ""), ("98", ""), ("10 98", ""), ("98 0", "0"), ("10 0", "0"), ("0 10 98", "0"), ("98 99", "99")],
)
def test_an_offer_of_two_channels_is_refused_or_answered_with_what_is_beside_it(formats: str, answered: str) -> None:
    async def main() -> None:
        async with asyncio.timeout(20), agent(codecs=("l16", "pcmu")) as alice:
            alice.listen(media="silence")
            loop = asyncio.get_running_loop()
            queue: asyncio.Queue[bytes] = asyncio.Queue()

            class Caller(asyncio.DatagramProtocol):
                def datagram_received(self, data: bytes, addr: object) -> None:
                    queue.put_nowait(data)

            place = (alice.legs[0].host, alice.legs[0].port)
            transport, _ = await loop.create_datagram_endpoint(Caller, remote_addr=place)
            host, port = transport.get_extra_info("sockname")
            maps = DYNAMIC + "a=rtpmap:99 L16/8000\r\n"
            body = SDP.replace(b"RTP/AVP 0", f"RTP/AVP {formats}".encode()) + maps.encode()
            transport.sendto(invite(1, host, port, body=body))
            response = parse(await queue.get())
            while isinstance(response, Response) and response.status < 200:
                response = parse(await queue.get())
            transport.close()
            assert isinstance(response, Response)
            if not answered:
                assert response.status == 488
            else:
                assert response.status == 200
                line = next(each for each in response.body.decode().splitlines() if each.startswith("m="))
                assert line.split()[3:] == [answered]

    asyncio.run(main())


def test_an_answer_of_two_channels_to_an_offer_of_one_is_not_used() -> None:
    phone = Phone("m=audio PORT RTP/AVP 96\na=rtpmap:96 L16/8000/2")

    async def main() -> None:
        async with asyncio.timeout(20), agent(codecs=("l16", "pcmu")) as alice, phone:
            with pytest.raises(CallEnded, match="bad_description"):
                await alice.invite(phone.uri(), media="silence")

    try:
        asyncio.run(main())
    finally:
        phone.close()


@pytest.mark.parametrize(("payload_type", "name", "rate"), [(98, "L16/8000/2", 8000), (10, "", 44100)])
@again_after_a_stop
def test_two_channels_are_recorded_as_their_mean_at_the_right_pitch(
    payload_type: int, name: str, rate: int, tmp_path: Path
) -> None:
    path = tmp_path / "heard.wav"
    phone = Phone(f"m=audio PORT RTP/AVP {payload_type}" + f"\na=rtpmap:{payload_type} {name}" * bool(name))
    ticks = rate // 100 // (2 if rate > 8000 else 1)

    async def main() -> None:
        async with asyncio.timeout(20), agent() as alice, phone:
            param = (payload_type, 4 * ticks, ticks / rate, *([name] if name else []))
            call = await alice.invite(phone.uri(), init_media=alice.rtp("record", str(path)), rtp_param=param)
            loop = asyncio.get_running_loop()
            begun = loop.time()
            for place in range(2 * rate // ticks):
                left = sine(place * ticks / rate, ticks / rate, rate)
                both = np.stack((left, np.zeros_like(left)), axis=1)
                await asyncio.sleep(max(0.0, begun + place * ticks / rate - loop.time()))
                packet = RtpPacket(payload_type, place, place * ticks, 7, both.astype(">i2").tobytes())
                phone.rtp.sendto(packet.to_bytes(), phone.destination())
            await call.bye()
            await call.over()

    try:
        asyncio.run(main())
    finally:
        phone.close()
    (heard,) = channels(path, rate)
    assert len(heard) / rate == pytest.approx(2, abs=0.2)
    fits = [fit(heard[at : at + rate // 10], rate) for at in range(0, len(heard) - rate // 10, rate // 10)]
    clean = [peak for ratio, peak in fits if ratio > 30]
    assert len(clean) > len(fits) / 2, "all but where a busy machine sent too late"
    assert np.median(clean) == pytest.approx(4000, rel=0.02), "one channel is silent"
