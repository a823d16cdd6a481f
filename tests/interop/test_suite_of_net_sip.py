"""The scenarios of Net::SIP's own test suite, with our user agent in one of the two roles and Perl in the other.

Each is named by its number there. What Perl's callbacks saw is the verdict; what ours saw is checked besides. The gate
runs them over UDP and IPv4, and 02 over every transport and family; `make interop-full` runs all of them over all six.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.handle.call import Call
from sipswarm.actors.handle.media_handlers import echo, send_recv
from sipswarm.actors.runtime.callbacks import StopVariable
from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Request, Response
from tests.e2e.agents import SDP, note, rtp_ports
from tests.e2e.waiting import until

from .conftest import Start
from .net_sip import ALL, HEARD, NetSip, Wire, over_every_wire, over_tls
from .processes import free_port

FRAME = b"\xfe" * 160


def agent(wire: Wire, **options: Any) -> UserAgent:
    return UserAgent("sip:alice@127.0.0.1", legs=(wire.leg,), rtp_ports=rtp_ports(), tls=wire.tls, **options)


def frames(got: list[int]) -> Any:
    """A handler that sends without end and counts what comes in."""
    return send_recv(lambda number, channel: FRAME, output=lambda *frame: note(got, frame[3]))


async def reported(perl: NetSip) -> dict[str, Any]:
    return await asyncio.get_running_loop().run_in_executor(None, perl.report)


def call_perl(
    folder: Path,
    start: Start,
    wire: Wire,
    scenario: Callable[[UserAgent, str], Awaitable[None]],
    *,
    host: str = "",
    more: str = "",
    auth: tuple[str, str] | None = None,
    **arguments: object,
) -> dict[str, Any]:
    """Direction A: Perl waits for our call. host, more: of the URI that we call, as for `Wire.uri`."""
    port = free_port(wire.host)
    perl = start(NetSip(folder, "talk.pl", 25, host=wire.host, **wire.of_perl(port), **arguments))
    perl.ready()

    async def main() -> dict[str, Any]:
        async with asyncio.timeout(30), agent(wire, auth=auth) as ua:
            await scenario(ua, wire.uri("perl", port, host=host, more=more))
            return await reported(perl)

    return asyncio.run(main())


def called_by_perl(
    folder: Path,
    start: Start,
    wire: Wire,
    listen: Callable[[UserAgent], Awaitable[None]],
    *,
    to_host: str = "",
    more: str = "",
    **arguments: object,
) -> dict[str, Any]:
    """Direction B: Perl calls us. to_host, more: of the URI that it calls, as for `Wire.uri`."""

    async def main() -> dict[str, Any]:
        async with asyncio.timeout(30), agent(wire) as ua:
            await listen(ua)
            to = wire.uri("alice", ua.legs[0].port, host=to_host, more=more)
            words = {"to": to, "host": wire.host, **wire.of_perl(), **arguments}
            return await reported(start(NetSip(folder, "talk.pl", 25, **words)))

    return asyncio.run(main())


@over_every_wire(*ALL)
def test_02_a_180_and_a_200_of_perl_are_told_and_our_bye_ends_the_call(
    tmp_path: Path, start: Start, wire: Wire
) -> None:
    async def scenario(ua: UserAgent, to: str) -> None:
        codes: list[int] = []
        ended = StopVariable()
        got: list[int] = []
        call = await ua.invite(
            to, init_media=frames(got), cb_preliminary=lambda call, code, response: note(codes, code)
        )
        assert list(dict.fromkeys(codes)) == [100, 180]  # Perl says both again to an INVITE that comes again
        await until(lambda: len(got) > 25)
        await call.bye(ended)
        assert ended

    said = call_perl(tmp_path, start, wire, scenario)
    assert said["ended"] == 1
    assert said["established"] == 1


@over_every_wire(*ALL)
def test_02_perl_is_told_our_180_and_its_bye_ends_the_call(tmp_path: Path, start: Start, wire: Wire) -> None:
    told: list[str] = []

    async def listen(ua: UserAgent) -> None:
        def ring(call: Call, request: Request) -> bool:
            call.ring()
            return True

        ua.listen(cb_create=ring, cb_cleanup=lambda call: note(told, "cleanup"))

    said = called_by_perl(tmp_path, start, wire, listen)
    assert said["preliminary"] == [100, 180] or said["preliminary"] == [180]
    assert (said["final"], said["bye"]) == ("OK", 1)
    assert told == ["cleanup"]


@over_tls
def test_02_perl_calls_a_sips_uri_and_gets_a_contact_of_that_kind(tmp_path: Path, start: Start, wire: Wire) -> None:
    async def main() -> dict[str, Any]:
        async with asyncio.timeout(30), agent(wire) as ua:
            ua.listen()
            words = {"to": wire.sips_uri("alice", ua.legs[0].port), **wire.of_perl()}
            return await reported(start(NetSip(tmp_path, "talk.pl", 25, **words)))

    said = asyncio.run(main())
    assert (said["final"], said["bye"]) == ("OK", 1)
    assert said["context"]["remote_contact"].startswith("sips:alice@"), said  # RFC 3261 section 12.1.1


@over_tls
def test_02_we_call_a_sips_uri_with_a_contact_of_that_kind(tmp_path: Path, start: Start, wire: Wire) -> None:
    async def scenario(ua: UserAgent, to: str) -> None:
        port = int(to.rpartition(":")[2].partition(";")[0])
        got: list[int] = []
        call = await ua.invite(wire.sips_uri("perl", port), init_media=frames(got))
        await until(lambda: len(got) > 25)
        await call.bye()

    said = call_perl(tmp_path, start, wire, scenario)
    assert said["ended"] == 1
    assert "sips:alice@" in said["context"]["remote_contact"], said  # RFC 3261 section 8.1.1.8


@over_every_wire("udp", "tls6")
def test_04_numbered_frames_come_back_from_perl_in_order(tmp_path: Path, start: Start, wire: Wire) -> None:
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
        with suppress(AssertionError):  # the next lines say more
            await until(lambda: len(got) >= 99, 3)
        missing = [each[:3] for each in sent if each not in set(got)]
        assert len(missing) <= 1, missing
        assert got == [each for each in sent if each in set(got)]
        await call.bye()

    said = call_perl(tmp_path, start, wire, scenario, frames=99)
    assert said["received"]["first"] >= 99


@over_every_wire()
@pytest.mark.parametrize("mode", ["renew", "hold"])
def test_06_and_07_perl_reinvites_us(tmp_path: Path, start: Start, wire: Wire, mode: str) -> None:
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

    said = call_perl(tmp_path, start, wire, scenario, mode=mode)
    assert said["outcomes"] == (["OK"] if mode == "renew" else ["OK", "OK"])
    assert said["received"]["first"] >= HEARD
    if mode == "renew":
        assert said["received"]["second"] >= HEARD
    else:
        assert said["received"]["second"] == 0
        assert said["received"]["third"] >= HEARD
    assert said["ended"] == 1


@over_every_wire()
@pytest.mark.parametrize("mode", ["renew", "hold"])
def test_06_and_07_we_reinvite_perl(tmp_path: Path, start: Start, wire: Wire, mode: str) -> None:
    phases: list[int] = []

    async def listen(ua: UserAgent) -> None:
        got: list[int] = []

        async def robot(call: Call) -> None:
            await call.answer()
            call.start_media(frames(got))
            await until(lambda: len(got) > 25)
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

    said = called_by_perl(tmp_path, start, wire, listen, mode=mode, remote=1 if mode == "renew" else 2)
    assert said["established"] == (1 if mode == "renew" else 2)
    assert said["received"]["first"] >= HEARD
    assert said["received"]["second"] >= HEARD
    assert said["bye"] == 1
    assert phases == ([] if mode == "renew" else [0])


@over_every_wire()
def test_11_perl_rings_for_ever_and_we_cancel(tmp_path: Path, start: Start, wire: Wire) -> None:
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

    assert call_perl(tmp_path, start, wire, scenario, mode="ring")["ended"] == 1


@over_every_wire()
def test_11_we_ring_for_ever_and_perl_cancels(tmp_path: Path, start: Start, wire: Wire) -> None:
    told: list[str] = []

    async def main() -> dict[str, Any]:
        async with asyncio.timeout(30), agent(wire) as ua:

            def ring(call: Call, request: Request) -> Callable[..., None]:
                """As the library's own test does: a receiver of the call's messages, which delegates the CANCEL."""
                call.ring()

                def receive(message: Request | Response, source: Hop) -> None:
                    told.append(message.method if isinstance(message, Request) else str(message.status))
                    call.receive(message, source)

                return receive

            ua.listen(cb_create=ring, recv_bye=lambda param: note(told, "recv_bye"))
            words = {"to": wire.uri("alice", ua.legs[0].port), **wire.of_perl()}
            report = await reported(start(NetSip(tmp_path, "uac_cancel.pl", 25, **words)))
            await until(lambda: "ACK" in told)  # Perl has sent it before it ended
            return report

    said = asyncio.run(main())
    assert (said["final"], said["code"]) == ("FAIL", 487), said
    assert (said["could"], said["cancelled"]) == (1, 1)
    assert 180 in said["preliminary"]
    assert told == ["CANCEL", "recv_bye", "ACK"]


def maddr(wire: Wire) -> str:
    return f"[{wire.host}]" if ":" in wire.host else wire.host


@over_every_wire()
def test_12_maddr_leads_to_perl_whatever_the_host_is_called(tmp_path: Path, start: Start, wire: Wire) -> None:
    async def scenario(ua: UserAgent, to: str) -> None:
        got: list[int] = []
        call = await ua.invite(to, init_media=frames(got))
        await until(lambda: len(got) > 25)
        await call.bye()

    assert (
        call_perl(tmp_path, start, wire, scenario, host="nowhere.invalid", more=f";maddr={maddr(wire)}")["ended"] == 1
    )


@over_every_wire()
def test_12_maddr_leads_perl_to_us_whatever_the_host_is_called(tmp_path: Path, start: Start, wire: Wire) -> None:
    invited: list[str] = []

    async def listen(ua: UserAgent) -> None:
        ua.listen(cb_create=lambda call, request: note(invited, request.uri))

    host = "nowhere.invalid"
    said = called_by_perl(tmp_path, start, wire, listen, to_host=host, more=f";maddr={maddr(wire)}")
    assert (said["final"], said["bye"]) == ("OK", 1)
    assert host in invited[0]
    assert said["received"]["first"] >= HEARD


@over_every_wire()
def test_17_perl_challenges_invite_reinvite_and_bye(tmp_path: Path, start: Start, wire: Wire) -> None:
    async def scenario(ua: UserAgent, to: str) -> None:
        got: list[int] = []
        call = await ua.invite(to, init_media=frames(got))
        await call.reinvite()
        await until(lambda: len(got) > 25)
        await call.bye()
        assert call.cause == "bye"

    said = call_perl(tmp_path, start, wire, scenario, mode="auth", auth=("alice", "secret"))
    assert said["ended"] == 1
    assert said["established"] == 2


@over_every_wire()
def test_17_we_challenge_invite_reinvite_and_bye_of_perl(tmp_path: Path, start: Start, wire: Wire) -> None:
    told: list[Any] = []

    async def listen(ua: UserAgent) -> None:
        ua.listen(
            auth_user2pass={"perl": "secret"},
            auth_realm="ours",
            auth_opaque="kept",
            cb_invite=lambda call, request: note(told, (request.method, call.get_param("auth_user"))) and None,
            recv_bye=lambda param: note(told, "BYE"),
        )

    said = called_by_perl(tmp_path, start, wire, listen, mode="again", user="perl", password="secret")
    assert (said["final"], said["outcomes"], said["bye"]) == ("OK", ["OK"], 1)
    assert said["received"]["first"] >= HEARD
    assert said["received"]["second"] >= HEARD
    assert told == [("INVITE", "perl"), ("INVITE", "perl"), "BYE"]


def test_17_perl_with_another_password_is_refused(tmp_path: Path, start: Start) -> None:
    told: list[Any] = []
    wire = Wire()

    async def main() -> None:
        async with asyncio.timeout(30), agent(wire) as ua:
            ua.listen(auth_user2pass={"perl": "secret"}, cb_create=lambda call, request: note(told, call))
            to = wire.uri("alice", ua.legs[0].port)
            words = {"to": to, **wire.of_perl(), "user": "perl", "password": "wrong"}
            perl = start(NetSip(tmp_path, "talk.pl", 25, **words))
            with pytest.raises(AssertionError, match="not established: FAIL 401"):
                await reported(perl)

    asyncio.run(main())
    assert told == []


CODECS = pytest.mark.parametrize(
    "codec", [pytest.param(0, id="pcmu"), pytest.param(8, id="pcma", marks=pytest.mark.slow)]
)


@over_every_wire()
@CODECS
def test_19_perl_hears_our_digits_as_events_and_as_tones(tmp_path: Path, start: Start, wire: Wire, codec: int) -> None:
    async def scenario(ua: UserAgent, to: str) -> None:
        call = await ua.invite(to, media="silence", rtp_param=[codec, 160, 0.02])
        await call.dtmf("12D#", duration=250, methods="rfc2833")
        await call.dtmf("34B*", duration=250, methods="audio")
        await asyncio.sleep(0.3)
        await call.bye()

    said = call_perl(tmp_path, start, wire, scenario, mode="dtmf", codec=codec)
    assert "".join(said["digits"]) == "12D#34B*"


@over_every_wire()
@CODECS
def test_19_we_hear_perls_digits_as_events_and_as_tones(tmp_path: Path, start: Start, wire: Wire, codec: int) -> None:
    digits: list[str] = []
    durations: list[int] = []

    async def listen(ua: UserAgent) -> None:
        ua.listen(cb_dtmf=lambda event, duration: (note(digits, event), note(durations, duration)))

    said = called_by_perl(tmp_path, start, wire, listen, mode="dtmf", codec=codec)
    assert said["bye"] == 1
    assert "".join(digits) == "12D#34B*"
    assert abs(sorted(durations)[4] - 250) <= 60, durations  # single ones depend on how busy Perl was


async def four_lines(ua: UserAgent, open_lines: set[int], wire: Wire) -> dict[str, Any]:
    leases = await ua.reserve_media(4)
    ports = [lease.port if index in open_lines else 0 for index, lease in enumerate(leases)]
    lines = "".join(f"m=audio {port} RTP/AVP 0\r\n" for port in ports)
    head = SDP.partition("m=")[0]
    if ":" in wire.host:
        head = head.replace("IP4 127.0.0.1", f"IP6 {wire.host}")
    return {"sdp": head + lines, "media_lsocks": leases}


@over_every_wire()
def test_20_of_four_lines_each_side_uses_those_that_both_have_open(tmp_path: Path, start: Start, wire: Wire) -> None:
    ours: list[int] = []

    async def scenario(ua: UserAgent, to: str) -> None:
        call = await ua.invite(to, init_media=frames(ours), **await four_lines(ua, {0, 2, 3}, wire))
        await asyncio.sleep(1.5)
        await call.bye()

    said = call_perl(tmp_path, start, wire, scenario, mode="lines", open="0,1,3")
    assert set(said["channels"]) == {"0", "3"}
    assert set(ours) == {0, 3}
    assert said["ended"] == 1


@over_every_wire()
def test_20_four_lines_of_perl_as_the_caller(tmp_path: Path, start: Start, wire: Wire) -> None:
    ours: list[int] = []

    async def listen(ua: UserAgent) -> None:
        ua.listen(init_media=frames(ours), **await four_lines(ua, {0, 1, 3}, wire))

    said = called_by_perl(tmp_path, start, wire, listen, mode="lines", open="0,2,3")
    assert set(said["channels"]) == {"0", "3"}
    assert set(ours) == {0, 3}
    assert said["bye"] == 1
