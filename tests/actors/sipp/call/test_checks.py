"""Actions of calls: how they judge a call, and how they steer it."""

import pytest

from sipswarm.actors.sipp.call.settings import Settings
from sipswarm.actors.sipp.call.statistics import Counted, Failure

from .scripted import Scripted, header, nop, recv, request, scenario

GOOD = '<ereg regexp="2" search_in="msg" check_it="true" assign_to="a"/>'
MISS = '<ereg regexp="none" search_in="msg" check_it="true" assign_to="a"/>'
HIT = '<ereg regexp="SIP" search_in="msg" check_it_inverse="true" assign_to="a"/>'
ABSENT = '<ereg regexp="x" search_in="hdr" header="X-None:" check_it="true" assign_to="a"/>'
USE = "X: [$a]"


@pytest.mark.parametrize(
    ("actions", "failure"),
    [
        (GOOD, None),
        (MISS, Failure.REGEXP),
        (HIT, Failure.REGEXP_MATCHED),
        (ABSENT, Failure.HEADER_MISSING),
        (MISS + GOOD, Failure.REGEXP),
    ],
)
def test_a_call_goes_to_its_end_and_then_a_failed_check_counts(actions: str, failure: Failure | None) -> None:
    run = Scripted(scenario(request("OPTIONS"), recv(200, actions), request("OPTIONS", 2, USE), recv(200)))
    run.answer(200)
    run.answer(200)
    assert run.names == ["OPTIONS", "OPTIONS"]
    assert run.call.finished
    assert run.failure is failure


def test_the_first_failure_names_the_call_and_with_sipp_strict_the_last() -> None:
    file = scenario(request("OPTIONS"), recv(200, MISS), request("OPTIONS", 2, USE), recv(200, HIT))
    for settings, failure in ((Settings(), Failure.REGEXP), (Settings(strict=True), Failure.REGEXP_MATCHED)):
        run = Scripted(file, settings)
        run.answer(200)
        run.answer(200, "X: 1\r\n")
        assert run.failure is failure
        assert run.call.figures.failures == 2


def test_a_loop_counts_and_a_variable_of_0_counts_as_not_set() -> None:
    run = Scripted(
        scenario(
            nop('<assign assign_to="n" value="0"/>'),
            '<label id="again"/>',
            request("OPTIONS", 1, "X-N: <[$n]>"),
            nop(
                '<add assign_to="n" value="1"/><test assign_to="more" variable="n" compare="less_than" value="3"/>',
                next="again",
                test="more",
            ),
        )
    )
    assert [header(text, "X-N") for _, text in run.sent] == ["<>", "<1.000000>", "<2.000000>"]
    assert run.succeeded


def test_conditions_choose_what_is_carried_out() -> None:
    run = Scripted(
        scenario(
            nop(
                '<assignstr assign_to="who" value="call [call_number]"/>'
                '<strcmp assign_to="order" variable="who" value="call 1"/>'
                '<test assign_to="same" variable="order" compare="equal" value="0"/>'
            ),
            request("OPTIONS", 1, "X: [$same]", condexec="same"),
            request("OPTIONS", 2, condexec="same", condexec_inverse="true"),
        )
    )
    (only,) = run.sent
    assert header(only[1], "X") == "true"
    assert header(only[1], "CSeq") == "1 OPTIONS"


def test_a_skipped_command_takes_its_next() -> None:
    run = Scripted(
        scenario(
            request("OPTIONS", 1, "X: [$no]", condexec="no", next="end"),
            request("OPTIONS", 2),
            '<label id="end"/>',
            request("OPTIONS", 3),
        )
    )
    assert [header(text, "CSeq") for _, text in run.sent] == ["3 OPTIONS"]


def test_chance_is_drawn() -> None:
    file = scenario(nop('<log message="x"/>', next="end", chance="0.5"), request("OPTIONS"), '<label id="end"/>', nop())
    sent = [len(Scripted(file, seed=seed).sent) for seed in range(200)]
    assert 60 < sum(sent) < 140


def test_stop_call_ends_the_call_but_in_a_nop_with_sipp_strict() -> None:
    file = scenario(nop('<exec int_cmd="stop_call"/>'), request("OPTIONS"))
    run = Scripted(file)
    assert run.failure is Failure.STOPPED
    assert run.sent == []
    strict = Scripted(file, Settings(strict=True))
    assert strict.succeeded
    assert strict.names == ["OPTIONS"]


def test_the_action_error_ends_its_call_with_its_text() -> None:
    run = Scripted(
        scenario(request("OPTIONS"), recv(200), recv(200, '<error message="not [last_CSeq:]"/>'), request("OPTIONS", 2))
    )
    run.answer(200)
    run.answer(200, "X: 1\r\n")
    assert run.failure is Failure.ERROR
    assert run.call.figures.detail.endswith("not CSeq: 1 OPTIONS")


@pytest.mark.parametrize("step", ["-1", "99"])
def test_a_jump_out_of_the_file_costs_its_call_only(step: str) -> None:
    run = Scripted(scenario(nop(f'<jump value="{step}"/>'), request("OPTIONS")))
    assert run.failure is Failure.SCENARIO_ERROR
    assert "jump to" in run.call.figures.detail


def test_a_jump_goes_on_at_its_step() -> None:
    run = Scripted(scenario(nop('<jump value="2"/>'), request("OPTIONS", 1), request("OPTIONS", 2)))
    assert [header(text, "CSeq") for _, text in run.sent] == ["2 OPTIONS"]


def test_a_jump_in_a_recv_moves_nothing() -> None:
    run = Scripted(scenario(request("OPTIONS", 1), recv(200, '<jump value="3"/>'), request("OPTIONS", 2), recv(200)))
    run.answer(200)
    assert [header(text, "CSeq") for _, text in run.sent] == ["1 OPTIONS", "2 OPTIONS"]


def test_a_challenge_is_kept_for_authentication() -> None:
    file = scenario(
        request("REGISTER", 1),
        recv(401, auth="true"),
        request("REGISTER", 2, "[authentication username=joe password=x]"),
        recv(200),
    )
    run = Scripted(file)
    run.answer(401, 'WWW-Authenticate: Digest realm="r", nonce="n"\r\n')
    run.answer(200)
    line = header(run.sent[1][1], "Authorization")
    assert line.startswith("Digest ")
    assert 'username="joe"' in line
    assert 'uri="sip:192.0.2.2:5060"' in line
    assert run.succeeded
    assert run.call.figures.code == 200, "a challenge that is answered is no outcome"
    without = Scripted(file)
    without.answer(401)
    assert without.failure is Failure.SCENARIO_ERROR
    early = Scripted(scenario(request("REGISTER", 1, "[authentication username=joe password=x]")))
    assert early.failure is Failure.SCENARIO_ERROR
    assert early.sent == []


def test_counters_rise_where_they_stand() -> None:
    run = Scripted(scenario(request("OPTIONS", counter="asked"), recv(200, counter="answered")))
    run.answer(200)
    assert [mark for mark in run.marks if isinstance(mark, Counted)] == [Counted("asked"), Counted("answered")]
