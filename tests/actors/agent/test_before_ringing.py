"""What is refused by rule is refused before anybody hears ringing, and an invitation ends when its time is over.

RFC 3261 sections 13.3.1, 13.3.1.3, 20.43 and 21.4.26; a worker in memory, in virtual time.
"""

import asyncio
from collections.abc import Callable

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.handle.call import Call
from sipswarm.sipcore.message.messages import Response
from tests.actors.agent.test_answers_and_ends import failures, tracebacks, with_stranger
from tests.actors.stranger import FOREIGN_SDP, NO_SDP, SDP, Stranger, finals, follow_up, statuses, within


async def rings(call: Call) -> None:
    call.ring()
    await call.over()


async def rings_and_answers(call: Call) -> None:
    call.ring()
    await asyncio.sleep(3)
    await call.answer()


async def plays_early(call: Call) -> None:
    call.early_media()
    await asyncio.sleep(3)
    await call.answer()


async def says_181(call: Call) -> None:
    call.ring(181)
    await call.over()


async def waits(call: Call) -> None:
    await call.over()


RINGING: dict[str, Callable[[UserAgent], None]] = {
    "rings": lambda ua: ua.listen(rings),
    "rings and answers": lambda ua: ua.listen(rings_and_answers),
    "early media": lambda ua: ua.listen(plays_early),
    "181": lambda ua: ua.listen(says_181),
    "180 by cb_invite": lambda ua: ua.listen(cb_invite=lambda call, request: Response.to_request(request, 180)),
    "rings in cb_create": lambda ua: ua.listen(cb_create=lambda call, request: call.ring() or True),
}
EVENTS = "a=rtpmap:101 telephone-event/8000"


def with_formats(formats: str, *lines: str) -> bytes:
    """The usual offer with other formats, and more lines at its end."""
    return SDP.replace(b"RTP/AVP 0", b"RTP/AVP " + formats.encode()) + b"".join(
        f"{each}\r\n".encode() for each in lines
    )


UNFIT = {
    "foreign codec": FOREIGN_SDP,
    "unreadable": NO_SDP,
    "another address family": SDP.replace(b"IN IP4 127.0.0.1\r\nt", b"IN IP6 ::1\r\nt"),
    "a host name": SDP.replace(b"IN IP4 127.0.0.1\r\nt", b"IN IP4 localhost\r\nt"),
    "a group": SDP.replace(b"IN IP4 127.0.0.1\r\nt", b"IN IP4 224.2.1.1/127\r\nt"),
    "another profile": SDP.replace(b"RTP/AVP", b"UDP/TLS/RTP/SAVP"),
    "another transport": SDP.replace(b"RTP/AVP", b"TCP/RTP/AVP"),
    "an unknown protocol": SDP.replace(b"RTP/AVP", b"FOO/BAR"),
    "video only": SDP.replace(b"m=audio 9 RTP/AVP 0", b"m=video 9 RTP/AVP 31"),
    "events only": with_formats("101", EVENTS),
    "noise only": with_formats("13"),
    "events and noise only": with_formats("101 13", EVENTS),
    "events of two clocks only": with_formats("101 96", EVENTS, "a=rtpmap:96 telephone-event/48000"),
    "a foreign codec with events": with_formats("18 101", EVENTS),
    "a foreign codec with noise and redundancy": with_formats("18 13 97", "a=rtpmap:97 red/8000"),
    "events only on two lines": with_formats("101", EVENTS, "m=audio 11 RTP/AVP 101", EVENTS),
    "events beside video": with_formats("101", EVENTS, "m=video 11 RTP/AVP 31"),
    "other media only": SDP.replace(b"m=audio 9 RTP/AVP 0", b"m=image 9 udptl t38"),
}


@pytest.mark.parametrize("unfit", UNFIT)
@pytest.mark.parametrize("how", [*RINGING, "answers at once"])
def test_an_offer_that_does_not_fit_is_refused_with_a_warning_and_without_ringing(
    how: str, unfit: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(ua: UserAgent, stranger: Stranger) -> None:
        if how in RINGING:
            RINGING[how](ua)
        else:
            ua.listen()
        first = stranger.invite(1, body=UNFIT[unfit])
        got = await stranger.exchange(first, seconds=0.2)
        assert statuses(got) == [100, 488]
        (refused,) = finals(got)
        code, agent, _ = (refused.headers.get("Warning") or "").split(" ", 2)
        codes = {"unreadable": 399, "a host name": 301, "a group": 301}
        assert (int(code), agent) == (codes.get(unfit, 305), "127.0.0.1")
        await stranger.exchange(follow_up("ACK", first, refused), seconds=5)
        assert failures(ua) == []

    with_stranger(scenario)
    assert tracebacks(caplog) == []


@pytest.mark.parametrize("how", RINGING)
def test_an_offer_that_fits_rings(how: str) -> None:
    async def scenario(ua: UserAgent, stranger: Stranger) -> None:
        RINGING[how](ua)
        got = await stranger.exchange(stranger.invite(1), seconds=0.5)
        assert statuses(got)[1] in (180, 181, 183)

    with_stranger(scenario)


def test_a_description_of_the_users_own_answers_what_would_not_fit() -> None:
    async def scenario(ua: UserAgent, stranger: Stranger) -> None:
        ports = await ua.reserve_media()
        own = SDP.replace(b"audio 9 RTP/AVP 0", b"audio %d RTP/AVP 100" % ports[0].port)
        ua.listen(rings_and_answers, sdp=own, media_lsocks=ports)
        got = await stranger.exchange(stranger.invite(1, body=FOREIGN_SDP), seconds=4)
        assert statuses(got) == [100, 180, 200]

    with_stranger(scenario)


@pytest.mark.parametrize("robot", [rings, rings_and_answers, waits, says_181, plays_early])
@pytest.mark.parametrize("expires", ["1", "0", "2"])
def test_an_invitation_that_runs_out_gets_487(robot: Callable[[Call], object], expires: str) -> None:
    causes: list[tuple[str, str, int]] = []

    async def watched(call: Call) -> None:
        try:
            await robot(call)  # type: ignore[misc]
        finally:
            causes.append((call.cause, call.by, call.times.answered > 0))

    async def scenario(ua: UserAgent, stranger: Stranger) -> None:
        ua.listen(watched)
        first = stranger.invite(1, f"Expires: {expires}")
        got = await stranger.exchange(first, seconds=int(expires) - 0.1)
        assert finals(got) == []
        (refused, *_) = finals(await stranger.exchange(seconds=0.3))
        assert refused.status == 487
        await stranger.exchange(follow_up("ACK", first, refused), seconds=6)
        assert causes == [("cancelled", "expired", False)]
        assert failures(ua) == []

    with_stranger(scenario)


@pytest.mark.parametrize(
    "header", ["Expires: 60", "Expires: soon", "Expires:", "Expires: -1", "Expires: 99999999999", ""]
)
def test_an_invitation_that_has_time_or_says_nothing_that_can_be_read_is_answered(header: str) -> None:
    async def scenario(ua: UserAgent, stranger: Stranger) -> None:
        ua.listen(rings_and_answers)
        got = await stranger.exchange(stranger.invite(1, *([header] if header else [])), seconds=4)
        assert statuses(got) == [100, 180, 200]

    with_stranger(scenario)


def test_the_expires_of_an_answered_or_later_invite_ends_nothing() -> None:
    async def scenario(ua: UserAgent, stranger: Stranger) -> None:
        ua.listen(media="none")
        first = stranger.invite(1, "Expires: 1")
        answer = finals(await stranger.exchange(first))[0]
        await stranger.exchange(within("ACK", first, answer, 1), seconds=3)
        (call,) = stranger.worker.actors.live.values()
        assert call.is_up
        call.set_param(cb_invite=lambda call, request: Response.to_request(request, 180))
        again = within("INVITE", first, answer, 2, SDP)
        got = await stranger.exchange(again, seconds=3)
        assert statuses(got) == [100, 180]
        assert call.is_up

    with_stranger(scenario)
