"""Reading digits with terminator and time-outs, and sending them: how many, how spelled, and what fails how."""

import asyncio
from typing import Any

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.call.notices import DtmfReceived
from sipswarm.actors.errors import CallEnded, CallError, ConfigurationError
from sipswarm.actors.handle.call import Call
from sipswarm.actors.handle.digits import UNREAD_DIGITS
from sipswarm.media.digits.dtmf import QUEUE_BOUND
from tests.e2e.agents import SDP, address_of, note, run
from tests.e2e.waiting import again_after_a_stop, pass_time, until


def presses(call: Call, *keys: tuple[float, str]) -> None:
    """Let digits come: after so many seconds each."""
    loop = asyncio.get_running_loop()
    for delay, digit in keys:
        loop.call_later(delay, call.actor._notify, DtmfReceived(digit, 100, "rfc4733"))
        loop.call_later(delay, call.actor_loop.flush_soon)


async def up(alice: UserAgent, bob: UserAgent, **param: Any) -> Call:
    bob.listen()
    return await alice.invite(address_of(bob), media="none", **param)


TYPED = tuple((0.02 * place, digit) for place, digit in enumerate("1234#56*"))
READS: dict[str, tuple[dict[str, Any], str, str]] = {
    "count": ({"count": 4}, "1234", "#56*"),
    "until": ({"until": "#"}, "1234", "56*"),
    "until, another": ({"until": "*"}, "1234#56", ""),
    "until one of two": ({"until": "*#"}, "1234", "56*"),
    "count before until": ({"count": 2, "until": "#"}, "12", "34#56*"),
    "until before count": ({"count": 9, "until": "#"}, "1234", "56*"),
    "count and timeout": ({"count": 20, "timeout": 0.5}, "1234#56*", ""),
    "between": ({"count": 20, "between": 0.4}, "1234#56*", ""),
    "first and between": ({"first": 0.5, "between": 0.4}, "1234#56*", ""),
    "nothing within first": ({"first": 0.0, "until": "#"}, "", "1234#56*"),
    "none": ({"count": 0}, "", "1234#56*"),
}


@pytest.mark.parametrize("read", READS)
@again_after_a_stop
def test_digits_end_by_count_terminator_or_time(read: str) -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        call = await up(alice, bob)
        arguments, found, left = READS[read]
        presses(call, *((0.05 + delay, digit) for delay, digit in TYPED))
        assert await call.digits(**arguments) == found
        await until(lambda: len(call.digits_received) == len(TYPED))
        assert call.flush_digits() == left
        assert call.flush_digits() == ""
        await call.bye()

    run(scenario)


def test_several_readers_share_the_digits_and_none_starves() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        call = await up(alice, bob)
        readers = [asyncio.create_task(call.digits(1, 10)) for _ in range(4)]
        pin = asyncio.create_task(call.digits(2, 10))
        await asyncio.sleep(0.05)
        presses(call, (0, "1"), (0, "2"), (0.02, "3"), (0.04, "4"), (0.06, "5"), (0.08, "6"))
        assert [await reader for reader in readers] == ["1", "2", "3", "4"]
        assert await pin == "56"
        await call.bye()

    run(scenario)


def test_digits_of_a_reader_that_gives_up_go_to_those_behind_it_at_once() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        call = await up(alice, bob)
        first = asyncio.create_task(call.digits(3))
        await asyncio.sleep(0.05)
        presses(call, (0, "1"), (0.02, "2"))
        await asyncio.sleep(0.1)
        others = [asyncio.create_task(call.digits(1, 10)) for _ in range(3)]
        await asyncio.sleep(0.05)
        call.keypad.keep("3")
        call.keypad.wake()
        first.cancel()  # it was just woken
        assert sorted([await other for other in others]) == ["1", "2", "3"]
        await call.bye()

    run(scenario)


def test_a_cancelled_reader_returns_all_that_it_read_and_the_oldest_unread_make_way() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        call = await up(alice, bob)
        first = asyncio.create_task(call.digits(1000))
        typed = "0123456789" * 10
        for digit in typed:
            call.keypad.keep(digit)
            call.keypad.wake()
            await asyncio.sleep(0.001)
        first.cancel()
        await asyncio.wait([first])
        assert first.cancelled()
        assert call.flush_digits() == typed
        dropped = [call.keypad.keep(digit) for digit in typed]
        assert dropped == [False] * UNREAD_DIGITS + [True] * (len(typed) - UNREAD_DIGITS)
        assert call.flush_digits() == typed[-UNREAD_DIGITS:]
        await call.bye()

    run(scenario)


KEYS: dict[str, tuple[list[tuple[float, str, int, str]], str]] = {
    # Seconds, digit, milliseconds and way of each report; what was pressed.
    "an event, then INFO": ([(0, "5", 100, "rfc4733"), (0.05, "5", 100, "info")], "5"),
    "INFO, then an event": ([(0, "5", 100, "info"), (0.1, "5", 100, "rfc4733")], "5"),
    "INFO at the start of a long event": ([(0, "5", 250, "info"), (1.5, "5", 1500, "rfc4733")], "5"),
    "INFO some time after the event": ([(0, "5", 100, "rfc4733"), (0.4, "5", 100, "info")], "5"),
    "a tone and INFO": ([(0, "5", 100, "inband"), (0.05, "5", 100, "info")], "5"),
    "two presses": (
        [(0, "5", 80, "rfc4733"), (0.01, "5", 80, "info"), (0.2, "5", 80, "info"), (0.21, "5", 80, "rfc4733")],
        "55",
    ),
    "two quick presses whose INFO comes late": (
        [(0, "5", 80, "rfc4733"), (0.2, "5", 80, "rfc4733"), (0.25, "5", 80, "info"), (0.3, "5", 80, "info")],
        "55",
    ),
    "a whole number": ([(0.03 * n, d, 60, way) for n, d in enumerate("1223") for way in ("rfc4733", "info")], "1223"),
    "INFO alone": ([(0, "5", 80, "info"), (0.05, "5", 80, "info")], "55"),
    "events alone": ([(0, "5", 80, "rfc4733"), (0.05, "5", 80, "rfc4733")], "55"),
    "other keys": ([(0, "5", 80, "rfc4733"), (0.05, "6", 80, "info")], "56"),
    "long after": ([(0, "5", 80, "rfc4733"), (0.9, "5", 80, "info")], "55"),
    "an INFO of a senseless duration": ([(0, "5", 80, "rfc4733"), (0.1, "6", 99999, "info")], "56"),
}


@pytest.mark.parametrize("keys", KEYS)
@again_after_a_stop
def test_a_key_that_is_told_by_event_and_by_info_is_one_digit(keys: str) -> None:
    """Some phones and gateways send each press both ways."""
    reports, pressed = KEYS[keys]

    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        told: list[str] = []
        call = await up(alice, bob, cb_dtmf=lambda digit, duration: told.append(digit))
        loop = asyncio.get_running_loop()
        for at, digit, duration, way in reports:
            loop.call_later(at, call.actor._notify, DtmfReceived(digit, duration, way))
            loop.call_later(at, call.actor_loop.flush_soon)
        await pass_time(reports[-1][0] + 0.1)
        assert call.digits_received == pressed
        assert "".join(told) == pressed
        assert await call.digits(9, 0.01) == pressed
        await call.bye()

    run(scenario)


def test_digits_that_have_come_are_read_at_once() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        call = await up(alice, bob)
        presses(call, *((0.0, digit) for digit in "12#3"))
        await until(lambda: call.digits_received == "12#3")
        assert await call.digits(until="#", timeout=0) == "12"
        assert await call.digits(5, 0) == "3"
        assert await call.digits(5, 0.01) == ""
        await call.bye()

    run(scenario)


@again_after_a_stop
def test_a_pause_between_two_digits_ends_the_input() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        call = await up(alice, bob)
        presses(call, (0.05, "1"), (0.1, "2"), (1.5, "3"))
        assert await call.digits(until="#", first=5, between=0.5) == "12"
        assert await call.digits(1, 5) == "3"
        await call.bye()

    run(scenario)


def test_a_reader_that_is_cancelled_leaves_its_digits_to_the_next() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        call = await up(alice, bob)
        presses(call, (0.0, "1"), (0.0, "2"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(call.digits(4), 0.3)
        presses(call, (0.0, "3"), (0.0, "4"))
        assert await call.digits(4, 5) == "1234"
        await call.bye()

    run(scenario)


def test_an_input_without_an_end_is_refused_and_the_end_of_the_call_ends_it() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        call = await up(alice, bob)
        unbounded: list[dict[str, Any]] = [{}, {"between": 1.0}, {"first": 1.0}]
        for arguments in unbounded:
            with pytest.raises(ConfigurationError, match="without an end"):
                await call.digits(**arguments)
        asyncio.get_running_loop().call_later(0.05, call.hang_up)
        with pytest.raises(CallEnded):
            await call.digits(until="#")

    run(scenario)


def test_hundreds_of_digits_and_pauses_go_in_one_request() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        heard: list[str] = []
        bob.listen(media="silence", cb_dtmf=lambda event, duration: heard.append(event))
        call = await alice.invite(address_of(bob), media="silence")
        await call.dtmf("1" + "-" * 150 + "2" + "34" * 40, duration=10)
        await until(lambda: len(heard) == 82)
        assert "".join(heard) == "12" + "34" * 40
        await call.bye()

    run(scenario)


@pytest.mark.parametrize("callback", [False, True])
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"events": "1" * (QUEUE_BOUND + 1)}, f"at most {QUEUE_BOUND}"),
        ({"events": "1", "duration": 0}, "between 1 and"),
        ({"events": "1", "duration": 10**7}, "between 1 and"),
        ({"events": "1", "methods": "smoke"}, "unknown DTMF method 'smoke'"),
        ({"events": "1", "methods": " , "}, "no DTMF method is named"),
        ({"events": "1", "methods": []}, "no DTMF method is named"),
    ],
)
def test_arguments_that_cannot_be_are_refused_at_once(arguments: dict[str, Any], said: str, callback: bool) -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        call = await up(alice, bob)
        told: list[Any] = []
        with pytest.raises(CallError, match=said):
            await call.dtmf(**arguments, cb_final=(lambda *all_: told.append(all_)) if callback else None)
        assert not told
        await call.bye()

    run(scenario)


@pytest.mark.parametrize(
    "methods", ["rfc2833,audio", "rfc2833 audio", "RFC2833", " Audio ,, rfc2833\t", ["RFC4733", "audio"], ("audio",)]
)
@again_after_a_stop
def test_methods_are_taken_in_any_case_with_commas_or_blanks(methods: Any) -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        heard: list[str] = []
        bob.listen(media="silence", cb_dtmf=lambda event, duration: heard.append(event), dtmf_methods="AUDIO rfc2833")
        call = await alice.invite(address_of(bob), media="silence", dtmf_methods=methods)
        await call.dtmf("7", methods=methods)
        await until(lambda: heard == ["7"])
        await call.bye()

    run(scenario)


def test_digits_that_were_not_negotiated_raise_or_are_told_with_the_reason() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        leases = await bob.reserve_media(1)
        bob.listen(media="silence", sdp=SDP.format(port=leases[0].port), media_lsocks=leases)
        call = await alice.invite(address_of(bob), media="silence")
        with pytest.raises(CallError, match="the peer's description has no telephone-event"):
            await call.dtmf("1", methods="rfc2833")
        both: list[Any] = []
        one: list[Any] = []
        own: list[Any] = []
        await call.dtmf("1", methods="rfc2833", cb_final=lambda status, reason: note(both, (status, reason)))
        await call.dtmf("1", methods="rfc2833", cb_final=lambda status: note(one, status))
        await call.dtmf("1", methods="rfc2833", cb_final=(lambda mine, *said: note(own, (mine, *said)), "mine"))
        await until(lambda: bool(both and one and own))
        reason = "digits were not sent: not_negotiated: the peer's description has no telephone-event (rfc2833)"
        assert both == [("FAIL", reason)]
        assert one == ["FAIL"]
        assert own == [("mine", "FAIL", reason)]
        await call.bye()

    run(scenario)
