"""`call.update`: what holds after an UPDATE of ours that fails, is not answered, crosses another, or holds the call."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from sipswarm.actors.errors import CallRejected, ConfigurationError
from sipswarm.actors.handle.call import Call
from sipswarm.sipcore.errors import LocalProtocolError
from sipswarm.sipcore.message.messages import Request, Response
from tests.e2e.agents import SDP, address_of, agent, note, reply
from tests.e2e.test_foreign_decoder import PCMA, PCMU, Form, collect
from tests.e2e.test_foreign_decoder_of_updates import Phone


class Stubborn(Phone):
    """A phone that answers the first UPDATE as it is told, and the others as it ought to."""

    def __init__(self, forms: Sequence[Form], first: Callable[[Request], Response]) -> None:
        super().__init__(forms)
        self._first: Callable[[Request], Response] | None = first

    def _respond(self, request: Request) -> Sequence[Response]:
        if request.method == "UPDATE" and self._first is not None:
            first, self._first = self._first, None
            return [first(request)]
        return super()._respond(request)


def up(phone: Phone, scenario: Callable[[Call], Awaitable[None]]) -> None:
    """Run a scenario in a call to a phone that has answered."""

    async def main() -> None:
        async with asyncio.timeout(30), agent(codecs=("pcmu", "pcma")) as alice, phone:
            placing = asyncio.ensure_future(alice.invite(phone.uri(), media="tone:700"))
            await collect(phone.rtp, [], PCMU)
            phone.answer()
            call = await placing
            await scenario(call)
            await call.bye()

    try:
        asyncio.run(main())
    finally:
        phone.close()


def answered_with(text: str) -> Callable[[Request], Response]:
    body = SDP.format(port=9).replace("AVP 0", text).encode()
    return lambda request: Response.to_request(request, 200, body=body, content_type="application/sdp")


@pytest.mark.parametrize(
    ("first", "status"),
    [
        (lambda request: reply(request, 488), 488),
        (lambda request: reply(request, 405), 405),
        (lambda request: reply(request, 200), 488),
        (answered_with("AVP 18"), 488),
        (answered_with("AVP 0\r\nm=audio 7 RTP/AVP 0"), 488),
        (lambda request: Response.to_request(request, 200, body=b"junk", content_type="application/sdp"), 488),
    ],
    ids=["refused", "not allowed", "no answer", "another codec", "a line more", "junk"],
)
def test_after_an_update_that_changes_nothing_the_old_codec_goes_on_and_the_next_one_is_taken(
    first: Callable[[Request], Response], status: int
) -> None:
    phone = Stubborn((PCMU, PCMA), first)

    async def scenario(call: Call) -> None:
        with pytest.raises(CallRejected) as refused:
            await call.update()
        assert refused.value.status == status
        await collect(phone.rtp, [], PCMU)
        assert (await call.update()).status == 200
        await collect(phone.rtp, [], PCMA)

    up(phone, scenario)


def test_an_update_that_crosses_another_offer_is_sent_again_and_taken() -> None:
    phone = Stubborn((PCMU, PCMA), lambda request: reply(request, 491))

    async def scenario(call: Call) -> None:
        assert (await call.update()).status == 200
        assert phone.methods().count("UPDATE") == 2
        await collect(phone.rtp, [], PCMA)

    up(phone, scenario)


def test_an_offer_of_the_phone_is_answered_while_an_update_of_ours_waits_to_be_sent_again() -> None:
    phone = Stubborn((PCMU, PCMA, PCMU), lambda request: reply(request, 491))

    async def scenario(call: Call) -> None:
        waiting = asyncio.ensure_future(call.update())
        while "UPDATE" not in phone.methods():
            await asyncio.sleep(0.02)
        await phone.update()
        await collect(phone.rtp, [], PCMA)
        assert (await waiting).status == 200
        await collect(phone.rtp, [], PCMU)

    up(phone, scenario)


def test_an_update_holds_and_resumes_and_carries_headers() -> None:
    phone = Phone((PCMU, PCMU, PCMU))

    async def scenario(call: Call) -> None:
        await call.update([("X-Reason", "lunch")], call_on_hold=True)
        assert phone.requests[-1].headers.get("X-Reason") == "lunch"
        assert b"a=sendonly" in phone.requests[-1].body
        await call.update()
        assert b"a=sendrecv" in phone.requests[-1].body

    up(phone, scenario)


def test_an_update_before_anything_is_agreed_is_not_sent() -> None:
    async def main() -> None:
        async with asyncio.timeout(20), agent() as alice, agent("sip:bob@127.0.0.1") as bob:
            rung: list[Any] = []
            bob.listen(cb_create=lambda call, request: note(rung, call), cb_invite=lambda call, request: call.ring())
            call = await alice.invite(address_of(bob), media="silence", cb_final=lambda *_: None)
            while not rung:
                await asyncio.sleep(0.02)
            for each in (call, rung[0]):
                with pytest.raises(LocalProtocolError):
                    await each.update()
            call.cancel()

    asyncio.run(main())


def test_an_update_with_an_offer_is_no_other_request() -> None:
    phone = Phone((PCMU,))

    async def scenario(call: Call) -> None:
        for kind in ("application/sdp", "Application/SDP ; charset=x"):
            with pytest.raises(ConfigurationError, match=r"call\.update\(\)"):
                await call.request("UPDATE", SDP.format(port=9), content_type=kind)
        assert "UPDATE" not in phone.methods()

    up(phone, scenario)
