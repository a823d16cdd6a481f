"""The scenarios of Net::SIP's own test suite, with our user agent in one of the two roles and Perl in the other.

Each is named by its number there. What Perl's callbacks saw is the verdict; what ours saw is checked besides.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from actors.call import Call
from actors.callbacks import StopVariable
from actors.media_handlers import echo, send_recv
from actors.user_agent import UserAgent
from sipcore.message import Request
from tests.e2e.agents import SDP, note, rtp_ports
from tests.e2e.waiting import until

from .conftest import Start
from .net_sip import NetSip
from .processes import LOOPBACK, free_port

FRAME = b"\xfe" * 160


def agent(**options: Any) -> UserAgent:
    return UserAgent("sip:alice@127.0.0.1", rtp_ports=rtp_ports(), **options)


def frames(got: list[int]) -> Any:
    """A handler that sends without end and counts what comes in."""
    return send_recv(lambda number, channel: FRAME, output=lambda *frame: note(got, frame[3]))


async def reported(perl: NetSip) -> dict[str, Any]:
    return await asyncio.get_running_loop().run_in_executor(None, perl.report)


def call_perl(
    folder: Path,
    start: Start,
    scenario: Callable[[UserAgent, str], Awaitable[None]],
    *,
    suffix: str = "",
    auth: tuple[str, str] | None = None,
    **arguments: object,
) -> dict[str, Any]:
    """Direction A: Perl waits for our call."""
    port = free_port()
    perl = start(NetSip(folder, "talk.pl", 25, local=f"sip:{LOOPBACK}:{port}", **arguments))
    perl.ready()
    host = "nowhere.invalid" if suffix else LOOPBACK

    async def main() -> dict[str, Any]:
        async with asyncio.timeout(30), agent(auth=auth) as ua:
            await scenario(ua, f"sip:perl@{host}:{port}{suffix}")
            return await reported(perl)

    return asyncio.run(main())


def called_by_perl(
    folder: Path,
    start: Start,
    listen: Callable[[UserAgent], Awaitable[None]],
    **arguments: object,
) -> dict[str, Any]:
    """Direction B: Perl calls us."""

    async def main() -> dict[str, Any]:
        async with asyncio.timeout(30), agent() as ua:
            await listen(ua)
            to = f"sip:alice@{LOOPBACK}:{ua.legs[0].port}"
            return await reported(
                start(NetSip(folder, "talk.pl", 25, to=to, local=f"sip:{LOOPBACK}:{free_port()}", **arguments))
            )

    return asyncio.run(main())


def test_02_a_180_and_a_200_of_perl_are_told_and_our_bye_ends_the_call(tmp_path: Path, start: Start) -> None:
    async def scenario(ua: UserAgent, to: str) -> None:
        codes: list[int] = []
        ended = StopVariable()
        got: list[int] = []
        call = await ua.invite(
            to, init_media=frames(got), cb_preliminary=lambda call, code, response: note(codes, code)
        )
        assert codes == [100, 180]
        await until(lambda: len(got) > 25)
        await call.bye(ended)
        assert ended

    said = call_perl(tmp_path, start, scenario)
    assert said["ended"] == 1
    assert said["established"] == 1


def test_02_perl_is_told_our_180_and_its_bye_ends_the_call(tmp_path: Path, start: Start) -> None:
    told: list[str] = []

    async def listen(ua: UserAgent) -> None:
        def ring(call: Call, request: Request) -> bool:
            call.ring()
            return True

        ua.listen(cb_create=ring, cb_cleanup=lambda call: note(told, "cleanup"))

    said = called_by_perl(tmp_path, start, listen)
    assert said["preliminary"] == [100, 180] or said["preliminary"] == [180]
    assert (said["final"], said["bye"]) == ("OK", 1)
    assert told == ["cleanup"]


def test_04_numbered_frames_come_back_from_perl_in_order(tmp_path: Path, start: Start) -> None:
    async def scenario(ua: UserAgent, to: str) -> None:
        sent: list[bytes] = []
        got: list[bytes] = []
        done = StopVariable()

        def read(number: int, channel: int) -> bytes | None:
            if len(sent) == 100:
                return None
            sent.append(f"{len(sent):03}".encode() + FRAME[3:])
            return sent[-1]

        handler = send_recv(read, output=lambda payload, *more: note(got, payload))
        call = await ua.invite(to, init_media=handler, cb_rtp_done=done)
        await until(lambda: done.value is call)
        await until(lambda: len(got) >= 99)
        assert got == [each for each in sent if each in set(got)]
        await call.bye()

    said = call_perl(tmp_path, start, scenario, frames=99)
    assert said["received"]["first"] >= 99


@pytest.mark.parametrize("mode", ["renew", "hold"])
def test_06_and_07_perl_reinvites_us(tmp_path: Path, start: Start, mode: str) -> None:
    async def scenario(ua: UserAgent, to: str) -> None:
        told: list[str] = []

        def established(status: str, call: Call) -> None:
            told.append(status)
            call.set_param(init_media=echo())

        ended = StopVariable()
        got: list[int] = []
        call = await ua.invite(to, init_media=frames(got), cb_established=established, recv_bye=ended)
        await until(lambda: len(told) == (1 if mode == "renew" else 2), 15)
        await asyncio.sleep(2)
        await call.bye()

    said = call_perl(tmp_path, start, scenario, mode=mode)
    assert said["outcomes"] == (["OK"] if mode == "renew" else ["OK", "OK"])
    assert said["received"]["first"] >= 20
    if mode == "renew":
        assert said["received"]["second"] >= 20
    else:
        assert said["received"]["second"] == 0
        assert said["received"]["third"] >= 20
    assert said["ended"] == 1


@pytest.mark.parametrize("mode", ["renew", "hold"])
def test_06_and_07_we_reinvite_perl(tmp_path: Path, start: Start, mode: str) -> None:
    phases: list[int] = []

    async def listen(ua: UserAgent) -> None:
        got: list[int] = []

        async def robot(call: Call) -> None:
            await call.answer()
            call.start_media(frames(got))
            await until(lambda: len(got) > 20)
            if mode == "renew":
                await call.reinvite(clear_sdp=True, init_media=frames(got))
            else:
                await call.hold()
                await asyncio.sleep(0.3)
                before = len(got)
                await asyncio.sleep(1)
                phases.append(len(got) - before)
                await call.reinvite(clear_sdp=True)
            await call.over()

        ua.listen(robot)

    said = called_by_perl(tmp_path, start, listen, mode=mode, remote=1 if mode == "renew" else 2)
    assert said["established"] == (1 if mode == "renew" else 2)
    assert said["received"]["first"] >= 20
    assert said["received"]["second"] >= 20
    assert said["bye"] == 1
    assert phases == ([] if mode == "renew" else [0])


def test_11_perl_rings_for_ever_and_we_cancel(tmp_path: Path, start: Start) -> None:
    async def scenario(ua: UserAgent, to: str) -> None:
        finals: list[Any] = []
        ringing = StopVariable()
        call = await ua.invite(
            to,
            cb_preliminary=lambda call, code, response: ringing.__setattr__("value", code == 180),
            cb_final=lambda status, call, info: note(finals, (status, info["code"])),
        )
        await until(lambda: ringing)
        assert call.cancel()
        await until(lambda: finals == [("FAIL", 487)])
        await call.over()

    assert call_perl(tmp_path, start, scenario, mode="ring")["ended"] == 1


def test_12_maddr_leads_to_perl_whatever_the_host_is_called(tmp_path: Path, start: Start) -> None:
    async def scenario(ua: UserAgent, to: str) -> None:
        got: list[int] = []
        call = await ua.invite(to, init_media=frames(got))
        await until(lambda: len(got) > 25)
        await call.bye()

    # Not the other way: without Net::DNS, Net::SIP 0.835 does not place a call to a name, maddr or not.
    assert call_perl(tmp_path, start, scenario, suffix=f";maddr={LOOPBACK}")["ended"] == 1


def test_17_perl_challenges_invite_reinvite_and_bye(tmp_path: Path, start: Start) -> None:
    async def scenario(ua: UserAgent, to: str) -> None:
        got: list[int] = []
        call = await ua.invite(to, init_media=frames(got))
        await call.reinvite()
        await until(lambda: len(got) > 25)
        await call.bye()
        assert call.cause == "bye"

    said = call_perl(tmp_path, start, scenario, mode="auth", auth=("alice", "secret"))
    assert said["ended"] == 1
    assert said["established"] == 2


def test_19_perl_hears_our_digits_as_events_and_as_tones(tmp_path: Path, start: Start) -> None:
    async def scenario(ua: UserAgent, to: str) -> None:
        call = await ua.invite(to, media="silence")
        await call.dtmf("12D#", duration=250, methods="rfc2833")
        await call.dtmf("34B*", duration=250, methods="audio")
        await asyncio.sleep(0.3)
        await call.bye()

    said = call_perl(tmp_path, start, scenario, mode="dtmf")
    assert "".join(said["digits"]) == "12D#34B*"


def test_19_we_hear_perls_digits_as_events_and_as_tones(tmp_path: Path, start: Start) -> None:
    digits: list[str] = []
    durations: list[int] = []

    async def listen(ua: UserAgent) -> None:
        ua.listen(cb_dtmf=lambda event, duration: (note(digits, event), note(durations, duration)))

    said = called_by_perl(tmp_path, start, listen, mode="dtmf")
    assert said["bye"] == 1
    assert "".join(digits) == "12D#34B*"
    assert abs(sorted(durations)[4] - 250) <= 60, durations  # single ones depend on how busy Perl was


async def four_lines(ua: UserAgent, open_lines: set[int]) -> dict[str, Any]:
    leases = await ua.reserve_media(4)
    ports = [lease.port if index in open_lines else 0 for index, lease in enumerate(leases)]
    lines = "".join(f"m=audio {port} RTP/AVP 0\r\n" for port in ports)
    return {"sdp": SDP.partition("m=")[0] + lines, "media_lsocks": leases}


def test_20_of_four_lines_each_side_uses_those_that_both_have_open(tmp_path: Path, start: Start) -> None:
    ours: list[int] = []

    async def scenario(ua: UserAgent, to: str) -> None:
        call = await ua.invite(to, init_media=frames(ours), **await four_lines(ua, {0, 2, 3}))
        await asyncio.sleep(1.5)
        await call.bye()

    said = call_perl(tmp_path, start, scenario, mode="lines", open="0,1,3")
    assert set(said["channels"]) == {"0", "3"}
    assert set(ours) == {0, 3}
    assert said["ended"] == 1


def test_20_four_lines_of_perl_as_the_caller(tmp_path: Path, start: Start) -> None:
    ours: list[int] = []

    async def listen(ua: UserAgent) -> None:
        ua.listen(init_media=frames(ours), **await four_lines(ua, {0, 1, 3}))

    said = called_by_perl(tmp_path, start, listen, mode="lines", open="0,2,3")
    assert set(said["channels"]) == {"0", "3"}
    assert set(ours) == {0, 3}
    assert said["bye"] == 1
