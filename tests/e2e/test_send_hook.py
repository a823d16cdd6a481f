"""What leaves is seen, changed or withheld by a function of the user (`ua.on_send`)."""

import asyncio
from typing import Any

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.errors import CallTimeout, ConfigurationError
from sipswarm.actors.handle.call import Call
from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Request, Response
from tests.e2e.agents import address_of, agent, note, run
from tests.e2e.waiting import until


def name_of(message: Request | Response) -> str:
    return message.method if isinstance(message, Request) else f"{message.status} {message.cseq.method}"


def distinct(names: list[str]) -> list[str]:
    """The names in the order of their first time: a machine that stops repeats messages."""
    return list(dict.fromkeys(names))


@pytest.mark.parametrize("leg", ["udp:127.0.0.1:0", "tcp:127.0.0.1:0"])
def test_each_message_of_both_sides_is_seen_with_where_it_goes(leg: str) -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        sent: dict[str, list[str]] = {"alice": [], "bob": []}
        places: list[Hop] = []
        alice.on_send(lambda message, hop: note(places, hop) and note(sent["alice"], name_of(message)) and None)
        bob.on_send((lambda names, message, hop: names.append(name_of(message)), sent["bob"]))
        transport = leg.partition(":")[0]
        bob.listen(media="none")
        call = await alice.invite(f"{address_of(bob)};transport={transport}", media="none")
        await call.bye()
        assert (await alice.request("OPTIONS", f"{address_of(bob)};transport={transport}")).status == 200
        assert distinct(sent["alice"]) == ["INVITE", "ACK", "BYE", "OPTIONS"]
        assert distinct(sent["bob"]) == ["100 INVITE", "200 INVITE", "200 BYE", "200 OPTIONS"]
        assert set(places) == {Hop(transport, "127.0.0.1", bob.legs[0].port)}

    run(scenario, leg)


def test_headers_and_body_are_changed_in_place_and_another_message_takes_its_place() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        def change(message: Request | Response, hop: Hop) -> Any:
            if isinstance(message, Request) and message.method == "INVITE":
                message.headers.set("User-Agent", "phone 1.0")
                message.headers.remove("Supported")
                message.body = message.body.replace(b"s=-", b"s=a longer name")
                return None
            if isinstance(message, Request) and message.method == "INFO":
                return Request.build("INFO", message.uri, [*message.headers.items(), ("X-Instead", "yes")], b"other")
            return message.to_bytes()

        alice.on_send(change)
        invites: list[Request] = []
        bob.listen(media="none", cb_invite=lambda call, request: note(invites, request) and None)
        infos: list[Request] = []
        call = await alice.invite(address_of(bob), media="none")
        assert invites[0].headers.get("User-Agent") == "phone 1.0"
        assert "Supported" not in invites[0].headers
        assert b"s=a longer name\r\n" in invites[0].body
        assert call.is_up
        alice.on_send(lambda message, hop: note(infos, message) and change(message, hop))
        response = await call.request("INFO", "text", content_type="text/plain")
        assert response.status == 200
        assert [each.body for each in infos[:1]] == [b"text"]
        await call.bye()

    run(scenario)


def test_what_is_withheld_is_not_sent_and_its_repetition_is_asked_about_again() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        asked: list[str] = []
        came: list[str] = []

        def loses_the_first(message: Request | Response, hop: Hop) -> Any:
            asked.append(name_of(message))
            return None if asked.count(name_of(message)) > 1 else False

        alice.on_send(loses_the_first)
        bob.listen(media="none", cb_invite=lambda call, request: note(came, request.method) and None)
        call = await alice.invite(address_of(bob), media="none")
        assert asked[:2] == ["INVITE", "INVITE"]
        assert came == ["INVITE"]
        alice.on_send(lambda message, hop: False)
        with pytest.raises(CallTimeout):
            await alice.request("OPTIONS", address_of(bob), timeout=0.5)
        alice.on_send(None)
        await call.bye()
        assert call.times.bye_status == 200

    run(scenario)


def test_a_function_that_fails_or_returns_nonsense_costs_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        def fails(message: Request | Response, hop: Hop) -> None:
            raise OSError("gone")

        bob.listen(media="none")
        for function, text in (
            (fails, "the function of on_send() failed at "),
            (lambda message, hop: 7, "(7, no message)"),
        ):
            caplog.clear()
            alice.on_send(function)
            call = await alice.invite(address_of(bob), media="none")
            await call.bye()
            (line,) = [each for each in caplog.messages if "on_send" in each]
            assert text in line
            assert "test_send_hook.py:" in line
            assert line.endswith("and the message leaves as it was")

    run(scenario)


def test_what_cannot_be_called_for_each_message_is_refused() -> None:
    async def later(message: object, hop: object) -> None:
        pass

    async def main() -> None:
        async with agent() as alice:
            for wrong in (later, lambda message: None, 7, "text"):
                with pytest.raises(ConfigurationError, match="function"):
                    alice.on_send(wrong)

    asyncio.run(main())


def test_two_phones_are_joined_by_the_first_flow_of_third_party_call_control() -> None:
    """RFC 3725 section 4.1: the offer of the one goes to the other, whose answer goes into the ACK."""

    async def main() -> None:
        async with (
            asyncio.timeout(50),
            agent("sip:controller@127.0.0.1") as ua,
            agent() as alice,
            agent("sip:bob@127.0.0.1") as bob,
        ):
            calls: dict[str, Call] = {}

            alice.listen(media="tone:440", cb_create=(keep_and_take, calls, "alice"))
            bob.listen(media="tone:660", cb_create=(keep_and_take, calls, "bob"))
            joined: list[Call] = []

            async def answer_of_bob(call: Call, offer: object) -> object:
                assert not calls["alice"].is_up, "its ACK must wait"
                second = await ua.invite(address_of(bob), media="none", sdp=offer)  # type: ignore[arg-type]
                joined.append(second)
                return second.get_param("sdp_peer")

            first = await ua.invite(address_of(alice), media="none", sdp_on_ack=True, cb_ack=answer_of_bob)
            assert first.is_up
            await until(lambda: all(each.statistics.packets_received > 5 for each in calls.values()))
            ports = {name: call.get_param("media_lsocks")[0].port for name, call in calls.items()}
            assert calls["alice"].remote_media == ("127.0.0.1", ports["bob"])
            assert calls["bob"].remote_media == ("127.0.0.1", ports["alice"])
            await first.bye()
            await joined[0].bye()
            assert {call.by for call in calls.values()} == {"remote"}

    asyncio.run(main())


def keep_and_take(calls: dict[str, Call], name: str, call: Call, request: Request) -> bool:
    calls[name] = call
    return True


@pytest.mark.parametrize("fault", ["raises", "no description", "hangs up"])
def test_an_answer_that_does_not_come_ends_the_call_by_ack_and_bye(
    fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        seen: list[Call] = []

        async def decide(call: Call, offer: object) -> Any:
            await asyncio.sleep(0)
            if fault == "raises":
                raise OSError("gone")
            if fault == "hangs up":
                call.hang_up()
                return None
            return "no description"

        bob.listen(media="none", cb_create=lambda call, request: note(seen, call))
        sent: list[str] = []
        alice.on_send(lambda message, hop: sent.append(message.method) if isinstance(message, Request) else None)
        finals: list[str] = []
        call = await alice.invite(
            address_of(bob),
            media="none",
            sdp_on_ack=True,
            cb_ack=decide,
            cb_final=lambda status, *rest: finals.append(status),
        )
        await call.over()
        await until(lambda: seen[0].closed)
        assert distinct(sent) == ["INVITE", "ACK", "BYE"]
        assert call.failure == ("" if fault == "hangs up" else "scenario_error")
        assert ("cb_ack" in caplog.text) is (fault != "hangs up")

    run(scenario)
