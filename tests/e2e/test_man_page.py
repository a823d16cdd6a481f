"""The man page's call between two user agents of ours in one loop: callbacks, re-INVITE, hold, requests, transfer."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.errors import CallEnded, CallRejected, CallTimeout, ConfigurationError
from sipswarm.actors.handle.call import Call
from sipswarm.actors.handle.media_handlers import echo, send_recv
from sipswarm.actors.runtime.callbacks import StopVariable
from sipswarm.sipcore.message.messages import Request, Response
from tests.e2e.waiting import again_after_a_stop, pass_time, until


def address_of(ua: UserAgent, user: str = "bob") -> str:
    return f"sip:{user}@{ua.legs[0].host}:{ua.legs[0].port}"


def note(log: list[Any], item: Any) -> bool:
    """Remember something; true, so that a filter or `cb_create` made of it accepts."""
    log.append(item)
    return True


def start_echo(call: Call, param: object) -> bool:
    echo()(call, param)
    return True


async def two_agents(scenario: Callable[[UserAgent, UserAgent], Any]) -> None:
    async with UserAgent("sip:alice@127.0.0.1") as alice, UserAgent("sip:bob@127.0.0.1") as bob:
        await scenario(alice, bob)


def run(scenario: Callable[[UserAgent, UserAgent], Any]) -> None:
    asyncio.run(two_agents(scenario))


def test_callbacks_of_an_answered_call_come_in_the_order_of_the_man_page() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        seen: list[str] = []
        finals: list[dict[str, Any]] = []
        bob.listen(
            cb_create=lambda call, request: note(seen, "uas cb_create"),
            cb_invite=lambda call, request: note(seen, "uas cb_invite"),
            cb_established=lambda status, call: note(seen, f"uas cb_established {status}"),
            init_media=lambda call, param: note(seen, "uas init_media") and start_echo(call, param),
            recv_bye=lambda param: note(seen, "uas recv_bye"),
            cb_cleanup=lambda call: note(seen, "uas cb_cleanup"),
        )
        call = await alice.invite(
            address_of(bob),
            cb_preliminary=lambda call, code, response: note(seen, f"uac {code}"),
            cb_final=lambda status, call, info: (note(seen, f"uac cb_final {status}"), note(finals, info)),
            init_media=lambda call, param: note(seen, "uac init_media") and start_echo(call, param),
            send_bye=lambda param: note(seen, f"uac send_bye {param['why']}"),
            cb_cleanup=lambda call: note(seen, "uac cb_cleanup"),
        )
        await until(lambda: "uas init_media" in seen)
        assert isinstance(finals[0]["packet"], Response)
        await call.bye(why="done")
        await until(lambda: "uas recv_bye" in seen)
        uac = list(dict.fromkeys(each[4:] for each in seen if each.startswith("uac")))  # 100 answers each copy
        uas = [each[4:] for each in seen if each.startswith("uas")]
        assert uac == ["100", "cb_final OK", "init_media", "send_bye done", "cb_cleanup"]
        assert uas == ["cb_create", "cb_invite", "cb_established OK", "init_media", "cb_cleanup", "recv_bye"]

    run(scenario)


def test_reinvite_keeps_dialog_and_ports_unless_clear_sdp() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        offers: list[Request] = []
        bob.listen(cb_invite=lambda call, request: note(offers, request))
        call = await alice.invite(address_of(bob), sip_header={"X-Test": ["one", "two"]})
        await call.reinvite()
        await call.reinvite(clear_sdp=True)
        assert [request.cseq.number for request in offers] == [1, 2, 3]
        assert len({request.call_id for request in offers}) == 1
        ports = [int(re.search(rb"m=audio (\d+)", request.body)[1]) for request in offers]  # type: ignore[index]
        assert ports[0] == ports[1] != ports[2]
        assert all(request.headers.get_all("X-Test") == ["one", "two"] for request in offers)
        await call.bye()

    run(scenario)


def test_hold_is_said_once_and_resumed_with_the_real_address() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        bodies: list[bytes] = []
        bob.listen(cb_invite=lambda call, request: note(bodies, request.body))
        call = await alice.invite(address_of(bob))
        await call.hold()
        await call.resume()
        assert [b"c=IN IP4 0.0.0.0" in body for body in bodies] == [False, True, False]
        versions = [int(body.split(b"o=")[1].split()[2]) for body in bodies]
        assert versions[1] == versions[0] + 1
        assert versions[2] == versions[1] + 1
        await call.bye()

    run(scenario)


def test_reinvite_of_the_called_side_establishes_at_the_caller() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        calls: list[Call] = []
        established: list[str] = []
        bob.listen(cb_create=lambda call, request: note(calls, call))
        call = await alice.invite(address_of(bob), cb_established=lambda status, call: note(established, status))
        await until(lambda: calls and calls[0].is_up)
        await calls[0].reinvite(call_on_hold=True)
        await until(lambda: established == ["OK"])
        await call.bye()

    run(scenario)


def test_delayed_offer_is_answered_in_the_ack() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        requests: list[Request] = []
        bob.listen(cb_invite=lambda call, request: note(requests, request))
        call = await alice.invite(address_of(bob), sdp_on_ack=True, media="tone:440")
        await pass_time(0.3)
        await call.bye()
        assert requests[0].body == b""
        assert call.statistics is not None
        assert call.statistics.packets_received > 5

    run(scenario)


def test_rtp_param_is_a_demand_and_shapes_the_packets() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        bob.listen()
        with pytest.raises(CallRejected) as refused:
            await alice.invite(address_of(bob), rtp_param=[97, 50, 0.03, "iLBC/8000"])
        assert refused.value.status == 488
        bob.listen(rtp_param=[97, 50, 0.03, "iLBC/8000"])
        frames: list[tuple[bytes, int]] = []
        call = await alice.invite(
            address_of(bob),
            rtp_param=[97, 50, 0.03, "iLBC/8000"],
            init_media=send_recv(
                lambda number, channel: b"x" * 50 if number is not None else None,
                output=lambda payload, number, timestamp, channel, kind: note(frames, (payload, kind)),
            ),
        )
        await until(lambda: len(frames) > 5)
        await call.bye()
        assert set(frames) == {(b"x" * 50, 97)}

    run(scenario)


@again_after_a_stop
def test_numbered_frames_of_a_callback_come_back_in_order_and_end_the_call() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        sent: list[bytes] = []
        got: list[bytes] = []
        done = StopVariable()

        def read(sequence_number: int, channel: int) -> bytes | None:
            if len(sent) == 100:
                return None
            sent.append(f"{len(sent):03}".encode().ljust(160, b"."))
            return sent[-1]

        bob.listen()
        call = await alice.invite(
            address_of(bob),
            init_media=send_recv(read, output=lambda payload, *more: note(got, payload)),
            cb_rtp_done=done,
        )
        await until(lambda: done.value is call)
        await pass_time(0.3)  # the last ones are on their way
        await call.bye()
        rest = iter(sent)
        assert all(frame in rest for frame in got), "in order, each octet for octet"
        assert len(got) >= 50, "on a machine that is too busy, frames that are late are left out"

    run(scenario)


@again_after_a_stop
def test_a_file_is_played_and_recorded_byte_for_byte(tmp_path: Path) -> None:
    source, recorded = tmp_path / "in.raw", tmp_path / "out.raw"
    source.write_bytes(b"".join(bytes([number]) + bytes(range(159)) for number in range(40)))

    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        bob.listen(media="echo")  # which echoes from the 200 on, not from the ACK on
        ended = asyncio.Event()
        call = await alice.invite(address_of(bob), init_media=send_recv(source, 1, recorded), cb_rtp_done=ended)
        await asyncio.wait_for(ended.wait(), 5)
        await pass_time(0.3)
        await call.bye()

    run(scenario)
    sent, got = (
        [data[at : at + 160] for at in range(0, len(data), 160)]
        for data in (source.read_bytes(), recorded.read_bytes())
    )
    rest = iter(sent)
    assert all(frame in rest for frame in got)  # in order, each octet for octet
    assert len(got) >= len(sent) / 2  # on a machine that is too busy, frames that are late are left out


def test_cancel_before_the_answer_says_fail_487() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        async def ring_only(call: Call) -> None:
            call.ring()
            await call.over()

        results: list[Any] = []
        bob.listen(ring_only)
        call = await alice.invite(
            address_of(bob), cb_final=lambda status, call, info: results.append((status, info.get("code")))
        )
        await until(lambda: call.times.alerted)
        assert call.cancel(cb_final=lambda param: note(results, param["why"]), why="enough")
        await until(lambda: len(results) == 2)
        assert sorted(map(str, results)) == sorted(["enough", "('FAIL', 487)"])
        assert not call.cancel()

    run(scenario)


def test_ring_time_cancels_and_tells_cb_noanswer() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        async def ring_only(call: Call) -> None:
            call.ring()
            await call.over()

        answer = StopVariable()
        bob.listen(ring_only)
        with pytest.raises(CallTimeout):
            await alice.invite(address_of(bob), ring_time=0.3, cb_noanswer=answer)
        assert answer.value == "NOANSWER"

    run(scenario)


def test_requests_within_the_call_and_digits_by_info() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        notified: list[bytes] = []
        bob.listen(cb_notify=lambda call, request: note(notified, request.body))
        call = await alice.invite(address_of(bob))
        response = await call.request("NOTIFY", b"hello", content_type="text/plain", Event="test")
        assert response.status == 200
        await until(lambda: notified == [b"hello"])
        outcome: list[Any] = []
        call.request("MESSAGE", "hi", lambda status, call, info: note(outcome, (status, info["code"])))
        await until(lambda: outcome == [("OK", 200)])
        await call.dtmf("1#", methods="info")
        await call.bye()

    run(scenario)


def test_digits_in_every_callback_form() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        class Runner:
            def __init__(self) -> None:
                self.seen: list[str] = []

            def run(self, event: str, duration: int) -> None:
                self.seen.append(event)

        plain: list[tuple[str, int]] = []
        runner = Runner()
        own: list[tuple[str, str]] = []
        variable = StopVariable()
        forms: list[Any] = [
            lambda event, duration: note(plain, (event, duration)),
            runner,
            (lambda mine, event, duration: note(own, (mine, event)), "own"),
            variable,
            re.compile("[0-9]"),
        ]
        for form in forms:
            bob.listen(cb_dtmf=form, media="silence")
            call = await alice.invite(address_of(bob), media="silence")
            await call.dtmf("5", duration=100)
            await pass_time(0.1)
            await call.bye()
        assert [event for event, _ in plain] == ["5"]
        assert abs(plain[0][1] - 100) <= 40
        assert runner.seen == ["5"]
        assert own == [("own", "5")]
        assert variable.value == "5"

    run(scenario)


def test_blind_transfer_is_declined_without_consent() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        bob.listen()
        call = await alice.invite(address_of(bob))
        with pytest.raises(CallRejected) as refused:
            await call.transfer("sip:carol@127.0.0.1")
        assert refused.value.status == 603
        assert call.is_up
        await call.bye()

    run(scenario)


def test_sdp_without_sockets_is_refused_before_anything_is_sent() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        with pytest.raises(ConfigurationError, match="media_lsocks"):
            await alice.invite(address_of(bob), sdp="v=0\r\n")

    run(scenario)


def test_reserved_ports_carry_a_description_of_the_users_own() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        offers: list[bytes] = []
        bob.listen(cb_invite=lambda call, request: note(offers, request.body))
        leases = await alice.reserve_media(2)
        lines = "".join(f"m=audio {lease.port} RTP/AVP 0\r\n" for lease in leases)
        sdp = f"v=0\r\no=- 7 7 IN IP4 127.0.0.1\r\ns=mine\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n{lines}"
        call = await alice.invite(address_of(bob), sdp=sdp, media_lsocks=leases, media="silence")
        assert offers == [sdp.encode()]
        await asyncio.sleep(0.2)
        await call.bye()
        assert len(call.all_statistics) == 2

    run(scenario)


def test_cleanup_leaves_without_a_bye_and_twice_is_once() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        calls: list[Call] = []
        bob.listen(cb_create=lambda call, request: note(calls, call))
        cleaned: list[Call] = []
        call = await alice.invite(address_of(bob), cb_cleanup=lambda call: note(cleaned, call))
        call.cleanup()
        call.cleanup()
        await call.over()
        assert cleaned == [call]
        assert calls[0].is_up
        with pytest.raises(CallEnded):
            await call.dtmf("1")

    run(scenario)


def test_get_peer_has_no_tag_and_parameters_round_trip() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        calls: list[Call] = []
        bob.listen(cb_create=lambda call, request: note(calls, call))
        call = await alice.invite(f'"Bob" <{address_of(bob)}>', {"colour": "blue"})
        assert call.get_peer() == f'"Bob" <{address_of(bob)}>'
        assert calls[0].get_peer() == "<sip:alice@127.0.0.1>"
        assert call.set_param(size=3).get_param("colour", "size", "nothing") == ["blue", 3, None]
        await call.bye()

    run(scenario)
