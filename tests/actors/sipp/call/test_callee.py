"""Calls that the peer begins."""

import pytest

from sipswarm.actors.sipp.call.settings import Behaviour, Settings
from sipswarm.actors.sipp.call.statistics import EndedBy, Failure

from .scripted import Scripted, header, nop, recv, request, request_of_peer, response, scenario

CALLEE = scenario(
    recv("INVITE"),
    response(180),
    response(200, retrans=500),
    recv("ACK"),
    recv("BYE"),
    response(200),
    '<timewait milliseconds="4000"/>',
)


def test_an_ordinary_call_is_answered_and_succeeds() -> None:
    run = Scripted(CALLEE)
    assert run.sent == []
    run.ask("INVITE", at=1.0)
    run.ask("ACK", at=1.1)
    run.ask("BYE", 2, at=2.0)
    run.pass_time(10)
    assert run.times == [(1.0, "180"), (1.0, "200"), (2.0, "200")]
    assert run.succeeded
    figures = run.call.figures
    assert (figures.started_at, figures.method, figures.code, figures.ended_by) == (1.0, "INVITE", 200, EndedBy.REMOTE)
    assert figures.ended_at == pytest.approx(6.0)


def test_a_200_is_repeated_until_the_ack_comes() -> None:
    run = Scripted(CALLEE)
    run.ask("INVITE")
    run.ask("ACK", at=1.6)
    run.pass_time(8)
    assert run.times == [(0.0, "180"), (0.0, "200"), (0.5, "200"), (1.5, "200")]
    assert run.failure is None


def test_a_repeated_invite_gets_the_same_200() -> None:
    run = Scripted(scenario(recv("INVITE"), response(200), recv("ACK"), '<pause milliseconds="1000"/>'))
    run.ask("INVITE")
    run.ask("INVITE", at=0.3)
    assert run.names == ["200", "200"]
    assert run.sent[0][1] == run.sent[1][1]
    run.ask("ACK", at=0.4)
    run.pass_time(2)
    assert run.succeeded


def test_a_request_that_nobody_expects_gets_no_answer_and_fails() -> None:
    run = Scripted(CALLEE)
    run.ask("OPTIONS")
    assert run.sent == []
    assert run.failure is Failure.UNEXPECTED_MESSAGE
    assert "expected INVITE, got OPTIONS" in run.call.figures.detail


@pytest.mark.parametrize("method", ["BYE", "CANCEL"])
def test_bye_and_cancel_get_200_and_fail_the_call(method: str) -> None:
    run = Scripted(CALLEE)
    run.ask("INVITE")
    run.ask(method, at=0.1)
    assert run.names == ["180", "200", "200"]
    assert header(run.sent[2][1], "CSeq") == f"1 {method}"
    assert run.failure is Failure.UNEXPECTED_MESSAGE


def test_an_ack_of_another_invite_is_unexpected_unless_that_is_switched_off() -> None:
    run = Scripted(CALLEE)
    run.ask("INVITE", 3)
    run.ask("ACK", 4)
    assert run.failure is Failure.UNEXPECTED_MESSAGE
    run = Scripted(CALLEE, Settings(behaviours=frozenset(Behaviour) - {Behaviour.BAD_CSEQ}))
    run.ask("INVITE", 3)
    run.ask("ACK", 4)
    assert run.failure is None


def test_routes_of_a_request_keep_their_order() -> None:
    run = Scripted(scenario(recv("INVITE", rrs="true"), response(200), recv("ACK"), request("BYE", more="[routes]")))
    invite = (
        "INVITE sip:a@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:b@h>;tag=b\r\n"
        "To: <sip:a@h>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\nRecord-Route: <sip:p1;lr>\r\nRecord-Route: <sip:p2;lr>\r\n"
        "Contact: <sip:b@h>\r\nContent-Length: 0\r\n\r\n"
    )
    run.hear(invite)
    run.ask("ACK")
    assert header(run.sent[1][1], "Route") == "<sip:p1;lr>, <sip:p2;lr>"


def test_a_regular_expression_takes_several_methods() -> None:
    for method, failure in (("MESSAGE", None), ("OPTIONS", None), ("INFO", Failure.UNEXPECTED_MESSAGE)):
        run = Scripted(scenario(recv("MESSAGE|OPTIONS", regexp_match="true"), response(200)))
        run.ask(method)
        assert run.failure is failure


def test_a_file_may_begin_with_a_nop() -> None:
    run = Scripted(scenario(nop('<assignstr assign_to="x" value="y"/>'), recv("OPTIONS"), response(200, "X: [$x]")))
    run.ask("OPTIONS")
    assert header(run.sent[0][1], "X") == "y"
    assert run.succeeded


UNEXPECTED = scenario(
    recv("INVITE"),
    response(200),
    recv("ACK"),
    '<pause milliseconds="1000"/>',
    recv("BYE"),
    response(200, next="over"),
    '<label id="_unexp.main"/>',
    recv("INFO"),
    response(200),
    nop(
        '<assign assign_to="back" variable="_unexp.retaddr"/><assign assign_to="_unexp.retaddr" value="0"/>'
        '<jump variable="back"/>'
    ),
    '<label id="over"/>',
    nop('<log message="over"/>'),
)


def test_an_unexpected_message_goes_to_its_label_and_back_into_the_pause() -> None:
    run = Scripted(UNEXPECTED)
    run.ask("INVITE")
    run.ask("ACK")
    run.ask("INFO", 2, at=0.5)
    run.ask("INFO", 3, at=0.8)
    assert run.names == ["200", "200", "200"]
    run.pass_time(1.9)
    run.ask("BYE", 4)
    assert run.succeeded, run.call.figures.detail


def test_a_message_that_the_label_does_not_expect_either_fails_the_call() -> None:
    run = Scripted(UNEXPECTED)
    run.ask("INVITE")
    run.ask("ACK")
    run.ask("OPTIONS", 2, at=0.5)
    assert run.failure is Failure.UNEXPECTED_MESSAGE
    assert "expected INFO, got OPTIONS" in run.call.figures.detail


def up(settings: Settings | None = None, *, before: str = "") -> Scripted:
    """A call that the peer began, and whose ACK has come; it may have begun with another request."""
    run = Scripted(CALLEE.replace("<recv", f"{recv(before)}{response(200)}<recv", 1) if before else CALLEE, settings)
    if before:
        run.ask(before)
    run.ask("INVITE")
    run.hear(request_of_peer("ACK").replace("To: <sip:a@192.0.2.1>", "To: <sip:a@192.0.2.1>;tag=mine"), at=0.1)
    return run


def test_a_call_that_is_up_is_hung_up_when_it_is_given_up() -> None:
    run = up()
    run.give_up()
    assert run.names == ["180", "200", "BYE"]
    bye = run.sent[-1][1]
    assert bye.startswith("BYE sip:b@192.0.2.2 SIP/2.0\r\n")
    assert (header(bye, "From"), header(bye, "To")) == ("<sip:a@192.0.2.1>;tag=mine", "<sip:b@192.0.2.2>;tag=peer")
    assert header(bye, "CSeq") == "2 BYE"
    assert run.succeeded
    assert run.call.figures.ended_by is EndedBy.LOCAL


def test_a_call_that_began_with_another_request_is_hung_up_too() -> None:
    run = up(before="REGISTER")
    run.give_up()
    assert run.names == ["200", "180", "200", "BYE"]


@pytest.mark.parametrize("settings", [Settings(strict=True), Settings(behaviours=frozenset())])
def test_such_a_call_is_left_where_sipp_leaves_it(settings: Settings) -> None:
    run = up(settings)
    run.give_up()
    assert run.names == ["180", "200"]


def test_a_call_without_an_ack_or_after_its_bye_gets_none() -> None:
    run = Scripted(CALLEE)
    run.ask("INVITE")
    run.give_up()
    assert run.names == ["180", "200"]
    run = up()
    run.ask("BYE", 2, at=2.0)
    run.give_up()
    assert run.names == ["180", "200", "200"]


def test_a_request_without_to_gets_no_answer_and_fails_its_call() -> None:
    call = Scripted(scenario(recv("INVITE"), response(200), recv("ACK")))
    lines = request_of_peer("INVITE").split("\r\n")
    call.hear("\r\n".join(line for line in lines if not line.startswith("To:")))
    assert (call.sent, call.call.figures.failure) == ([], Failure.UNEXPECTED_MESSAGE)
    assert "expected INVITE, got INVITE without To" in call.call.figures.detail
