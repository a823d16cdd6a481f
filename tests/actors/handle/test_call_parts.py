"""The small parts of a call that need no network: parameters, callbacks of every form, what parameters ask of media."""

import asyncio
import re
from collections.abc import Awaitable
from typing import Any

import pytest

from sipswarm.actors.diagnosis.user_failure import UserCodeFailed
from sipswarm.actors.errors import CallError, ConfigurationError
from sipswarm.actors.handle.demand import demand_wishes, given_description
from sipswarm.actors.handle.dtmf_methods import dtmf_modes
from sipswarm.actors.handle.parameters import CallParameters
from sipswarm.actors.runtime.callbacks import StopVariable, invoke
from sipswarm.sipcore.sdp.description import SessionDescription

SDP = "v=0\r\no=- 7 7 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"


def no_spawn(awaitable: Awaitable[Any]) -> None:
    raise AssertionError("nothing is to be awaited")


class Runner:
    """The form with a method `run`."""

    def run(self, *arguments: Any) -> tuple[Any, ...]:
        return arguments


FORMS: list[tuple[Any, Any]] = [
    (None, None),
    ((), None),
    (lambda *arguments: arguments, ("OK", 1)),
    (Runner(), ("OK", 1)),
    ((lambda *arguments: arguments, "own"), ("own", "OK", 1)),
    ([Runner(), "own"], ("own", "OK", 1)),
    (re.compile("^O"), True),
    (re.compile("^x"), False),
    (((lambda *arguments: arguments, 1), 2), (1, 2, "OK", 1)),
]


@pytest.mark.parametrize(("form", "result"), FORMS)
def test_a_callback_of_any_form_is_called_with_its_own_arguments_first(form: Any, result: Any) -> None:
    assert invoke(form, "OK", 1, spawn=no_spawn) == result


def test_variables_events_and_futures_are_set() -> None:
    async def main() -> None:
        variable, event = StopVariable(), asyncio.Event()
        future = asyncio.get_running_loop().create_future()
        for form in (variable, event, future, future):
            assert invoke(form, "OK", spawn=no_spawn) == "OK"  # as Perl's invoke_callback
        assert (variable.value, event.is_set(), future.result()) == ("OK", True, "OK")
        invoke(variable, spawn=no_spawn)
        assert variable.value is True
        assert bool(StopVariable()) is False

    asyncio.run(main())


def test_a_coroutine_is_spawned() -> None:
    async def answers(value: int) -> int:
        return value

    async def main() -> None:
        spawned: list[Awaitable[Any]] = []
        assert invoke(answers, 7, spawn=spawned.append) is None
        assert [await awaitable for awaitable in spawned] == [7]

    asyncio.run(main())


def test_what_is_no_callback_is_refused_by_its_type() -> None:
    with pytest.raises(UserCodeFailed) as failed:
        invoke(7, spawn=no_spawn)
    assert isinstance(failed.value.__cause__, TypeError)
    assert "int is no callback" in str(failed.value.__cause__)


def test_parameters_keep_what_they_do_not_know_and_both_spellings() -> None:
    param = CallParameters(asymmetric_rtp=True, colour="blue", sip_header={"X-A": ["1", "2"], "X-B": "3"})
    assert (param.asymetric_rtp, param.get("colour"), param.get("nothing"), param.get("clear_sdp")) == (
        True,
        "blue",
        None,
        False,
    )
    assert param.header_pairs() == (("X-A", "1"), ("X-A", "2"), ("X-B", "3"))
    param.update({"asymmetric_rtp": False})
    assert param.asymetric_rtp is False
    assert param.merged({"why": 1})["colour"] == "blue"
    assert repr(CallParameters(a=1, b=2)) == "CallParameters(a, b)"


def test_methods_are_known_by_both_names_and_unknown_ones_refused() -> None:
    assert dtmf_modes("rfc2833, audio,info") == ("rfc4733", "inband", "info")
    assert dtmf_modes(["rfc4733"]) == ("rfc4733",)
    with pytest.raises(CallError, match="smoke"):
        dtmf_modes("smoke")


def test_rtp_param_becomes_codec_size_and_interval() -> None:
    wishes = demand_wishes(CallParameters(rtp_param=[97, 50, 0.03, "iLBC/8000"], dtmf_rtptype=96))
    codec, events = wishes["codecs"]
    assert (codec.payload_type, codec.name, events.payload_type) == (97, "iLBC", 96)
    assert (wishes["payload_size"], wishes["interval"]) == (50, 0.03)


@pytest.mark.parametrize("given", [[97], ["x", 1, 2], 7, [97, 50, 0.03, "iLBC/x"]])
def test_an_rtp_param_that_cannot_be_is_refused_with_an_example(given: Any) -> None:
    with pytest.raises(ConfigurationError, match="rtp_param"):
        demand_wishes(CallParameters(rtp_param=given))


@pytest.mark.parametrize("sdp", [SDP, SDP.encode(), SessionDescription.parse(SDP)])
def test_a_description_may_be_given_in_any_form(sdp: Any) -> None:
    found = given_description(CallParameters(sdp=sdp, media_lsocks=["lease"]))
    assert found is not None
    assert [line.port for line in found.media] == [4000]


@pytest.mark.parametrize(
    ("sdp", "leases", "reason"),
    [
        (SDP, [], "needs media_lsocks"),
        (SDP, ["one", "two"], "1 media lines, media_lsocks 2"),
        ("nonsense", ["one"], "cannot be read"),
        ({"nonsense": 1}, ["one"], "sdp"),
    ],
)
def test_a_description_that_cannot_be_is_refused(sdp: Any, leases: list[str], reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        given_description(CallParameters(sdp=sdp, media_lsocks=leases))
