"""Calls that the file begins: what is sent when, and how the run is judged, as seen with SIPp 3.6.1."""

import pytest

from sipswarm.actors.sipp.call.settings import Behaviour, Settings
from sipswarm.actors.sipp.call.statistics import EndedBy, Failure, Repeated, ResponseTime, Unexpected

from .scripted import CALLER, Scripted, header, nop, recv, request, response, response_to, scenario

LABEL = '<label id="late"/>'
CANCEL = request("CANCEL")


def test_an_ordinary_call_succeeds_and_its_times_are_those_of_its_messages() -> None:
    run = Scripted(scenario(*CALLER, '<pause milliseconds="3000"/>', request("BYE", 2, retrans=500), recv(200)))
    run.answer(100, at=0.1)
    run.answer(180, at=0.2)
    run.answer(200, at=0.4)
    run.pass_time(3.5)
    run.answer(200, at=3.6)
    assert run.times == [(0.0, "INVITE"), (0.4, "ACK"), (3.4, "BYE")]
    assert run.succeeded
    figures = run.call.figures
    assert (figures.method, figures.code, figures.ended_by) == ("INVITE", 200, EndedBy.LOCAL)
    assert (figures.provisional_at, figures.answered_at) == (0.2, 0.4)
    assert figures.bye_at == pytest.approx(3.4)
    assert (figures.bye_answered_at, figures.ended_at) == (3.6, 3.6)
    assert [mark for mark in run.marks if isinstance(mark, ResponseTime)] == [ResponseTime("1", 0.4)]


def test_a_mandatory_provisional_response_that_does_not_come_fails_the_call() -> None:
    run = Scripted(scenario(request("INVITE"), recv(180), recv(200), request("ACK")))
    run.answer(200)
    assert run.failure is Failure.UNEXPECTED_MESSAGE
    assert "step 1, test.xml:" in run.call.figures.detail
    assert "expected 180, got 200 to INVITE" in run.call.figures.detail
    assert run.call.finished


def test_provisional_responses_come_in_any_order_and_more_than_once() -> None:
    run = Scripted(scenario(*CALLER))
    for tag, code in enumerate((100, 183, 180, 183, 180)):
        run.answer(code, f"X-N: {tag}\r\n")
    run.answer(200)
    assert run.names == ["INVITE", "ACK"]
    assert run.succeeded


def test_a_refused_invite_is_acknowledged_and_fails() -> None:
    run = Scripted(scenario(*CALLER))
    run.answer(486, at=0.1)
    assert run.names == ["INVITE", "ACK"]
    invite, ack = (text for _, text in run.sent)
    assert header(ack, "Via") == header(invite, "Via"), "RFC 3261 section 17.1.1.3"
    assert header(ack, "CSeq") == "1 ACK"
    assert header(ack, "To").endswith(";tag=peer")
    assert run.failure is Failure.UNEXPECTED_MESSAGE
    assert run.call.figures.code == 486


def test_an_unexpected_provisional_response_cancels_the_invite() -> None:
    run = Scripted(scenario(request("INVITE"), recv(200), request("ACK")))
    run.answer(183)
    assert run.names == ["INVITE", "CANCEL"]
    assert header(run.sent[1][1], "Via") == header(run.sent[0][1], "Via"), "RFC 3261 section 9.1"
    assert run.failure is Failure.UNEXPECTED_MESSAGE


def test_no_message_is_sent_when_nothing_has_come_and_a_recv_runs_out() -> None:
    run = Scripted(scenario(request("INVITE"), recv(200, timeout=1000), request("ACK")))
    run.pass_time(5)
    assert run.times == [(0.0, "INVITE")]
    assert run.failure is Failure.RECV_TIMEOUT
    assert "200 did not come within 1 s" in run.call.figures.detail


def test_a_recv_goes_on_at_its_label_when_nothing_comes() -> None:
    run = Scripted(
        scenario(request("INVITE"), recv(200, timeout=1000, ontimeout="late"), request("ACK"), LABEL, CANCEL)
    )
    run.pass_time(5)
    assert run.times == [(0.0, "INVITE"), (1.0, "CANCEL")]
    assert run.succeeded


BEHIND_OPTIONAL = scenario(
    request("INVITE"),
    recv(100, optional="true"),
    recv(180, optional="true"),
    recv(200, timeout=1000, ontimeout="late"),
    request("ACK"),
    LABEL,
    CANCEL,
)


@pytest.mark.parametrize("heard", [(), (100,), (180,), (100, 180), (180, 100)])
def test_a_timeout_behind_optional_ones_runs_from_the_first_of_them(heard: tuple[int, ...]) -> None:
    run = Scripted(BEHIND_OPTIONAL)
    for at, code in enumerate(heard, 1):
        run.answer(code, at=at / 10)
    run.pass_time(5)
    assert run.times == [(0.0, "INVITE"), (1.0, "CANCEL")]
    assert run.succeeded


@pytest.mark.parametrize(("heard", "late"), [((), None), ((100,), None), ((180,), 1.1)])
def test_with_sipp_strict_it_runs_from_the_last_of_them(heard: tuple[int, ...], late: float | None) -> None:
    run = Scripted(BEHIND_OPTIONAL, Settings(strict=True))
    for code in heard:
        run.answer(code, at=0.1)
    run.pass_time(60)
    assert run.times == [(0.0, "INVITE"), *([(late, "CANCEL")] if late else [])]
    assert run.call.finished is (late is not None)


def test_receive_timeout_is_for_commands_without_one_of_their_own() -> None:
    run = Scripted(scenario(request("INVITE"), recv(180, optional="true"), recv(200)), Settings(receive_timeout=2.0))
    run.answer(180, at=1.5)
    run.pass_time(1.9)
    assert not run.call.finished
    run.pass_time(2)
    assert run.failure is Failure.RECV_TIMEOUT


def test_an_invite_is_repeated_with_the_same_octets_until_it_is_answered() -> None:
    run = Scripted(scenario(*CALLER))
    run.answer(100, at=1.6)
    run.pass_time(20)
    assert run.times == [(0.0, "INVITE"), (0.5, "INVITE"), (1.5, "INVITE")]
    assert len({text for _, text in run.sent}) == 1
    assert run.repeated == [False, True, True]
    assert [mark for mark in run.marks if isinstance(mark, Repeated)] == [Repeated(1, 0)] * 2
    assert run.call.deadline is None


def test_a_request_that_is_repeated_too_often_fails_the_call() -> None:
    run = Scripted(scenario(request("BYE", retrans=100), recv(200)), Settings(other_repeats=3))
    run.pass_time(10)
    assert run.times == [(0.0, "BYE"), (0.1, "BYE"), (0.3, "BYE"), (0.7, "BYE")]
    assert run.failure is Failure.MAX_RETRANS
    assert run.call.figures.ended_at == pytest.approx(1.5)


def test_repetition_of_other_requests_is_at_most_t2_apart() -> None:
    run = Scripted(scenario(request("OPTIONS", retrans=500), recv(200)), Settings(t2=1.0))
    run.pass_time(4.6)
    assert [at for at, _ in run.times] == [0.0, 0.5, 1.5, 2.5, 3.5, 4.5]


def test_an_invite_is_repeated_five_times() -> None:
    run = Scripted(scenario(request("INVITE", retrans=500), recv(200)))
    run.pass_time(100)
    assert [at for at, _ in run.times] == [0.0, 0.5, 1.5, 3.5, 7.5, 15.5]
    assert run.failure is Failure.MAX_RETRANS


def test_a_send_goes_on_at_its_label_when_it_was_repeated_in_vain() -> None:
    run = Scripted(
        scenario(request("BYE", retrans=100, ontimeout="late"), recv(200), LABEL, request("OPTIONS", 2)),
        Settings(other_repeats=1),
    )
    run.pass_time(10)
    assert run.times == [(0.0, "BYE"), (0.1, "BYE"), (0.3, "OPTIONS")]
    assert run.succeeded


@pytest.mark.parametrize(("settings", "is_reliable"), [(Settings(), True), (Settings(repeats=False), False)])
def test_nothing_is_repeated_over_tcp_or_when_repetition_is_off(settings: Settings, is_reliable: bool) -> None:
    run = Scripted(scenario(*CALLER), settings, is_reliable=is_reliable)
    run.pass_time(100)
    assert run.times == [(0.0, "INVITE")]
    assert not run.call.finished


def test_a_send_waits_until_the_one_before_it_is_answered() -> None:
    run = Scripted(scenario(request("BYE", retrans=100), request("OPTIONS", 2), recv(200)), Settings(other_repeats=2))
    run.pass_time(0.2)
    assert run.names == ["BYE", "BYE"]


def test_a_repeated_200_gets_the_same_ack_and_the_pause_goes_on() -> None:
    run = Scripted(scenario(*CALLER, '<pause milliseconds="1000"/>', request("BYE", 2), recv(200)))
    run.answer(200, at=0.1)
    run.answer(200, at=0.6, to=0)
    run.pass_time(1.5)
    assert run.times == [(0.0, "INVITE"), (0.1, "ACK"), (0.6, "ACK"), (1.1, "BYE")]
    assert run.sent[1][1] == run.sent[2][1]
    assert run.failure is None


def test_a_200_of_other_octets_gets_the_ack_again() -> None:
    run = Scripted(scenario(*CALLER, '<pause milliseconds="1000"/>'))
    run.answer(200, at=0.1)
    run.answer(200, "X-Other: 1\r\n", at=0.6, to=0)
    assert run.names == ["INVITE", "ACK", "ACK"]
    assert run.failure is None


def test_loose_recognition_takes_a_200_with_another_via_as_the_same() -> None:
    file = scenario(request("OPTIONS", 1), recv(200), request("OPTIONS", 2), recv(200))
    for settings, names in (
        (Settings(), ["OPTIONS", "OPTIONS", "BYE"]),
        (Settings(loose=True), ["OPTIONS", "OPTIONS", "OPTIONS"]),
    ):
        run = Scripted(
            file.replace('recv response="200"></recv>\n</scenario', 'recv response="202"/>\n</scenario'), settings
        )
        run.answer(200)
        run.answer(200, "X-Other: 1\r\n", to=0)
        assert run.names == names


def test_bye_of_the_peer_in_a_pause_is_answered_and_fails_the_call() -> None:
    run = Scripted(scenario(*CALLER, '<pause milliseconds="1000"/>', request("BYE", 2), recv(200)))
    run.answer(200)
    run.ask("BYE", at=0.5)
    assert run.names == ["INVITE", "ACK", "200"]
    assert header(run.sent[2][1], "CSeq") == "1 BYE"
    assert run.failure is Failure.UNEXPECTED_MESSAGE
    assert run.call.figures.ended_by is EndedBy.REMOTE


IN_PAUSE = scenario(*CALLER, '<pause milliseconds="1000"/>', request("BYE", 2), recv(200))


@pytest.mark.parametrize("method", ["INFO", "NOTIFY", "OPTIONS", "UPDATE"])
def test_auto_answer_answers_requests_that_nobody_expected(method: str) -> None:
    run = Scripted(IN_PAUSE, Settings(auto_answer=True))
    run.answer(200)
    run.ask(method, 7, at=0.5)
    run.pass_time(1.0)
    run.answer(200)
    assert run.times == [(0.0, "INVITE"), (0.0, "ACK"), (0.5, "200"), (1.0, "BYE")]
    assert run.succeeded


def test_without_auto_answer_they_end_the_call_with_a_bye() -> None:
    run = Scripted(IN_PAUSE)
    run.answer(200)
    run.ask("OPTIONS", 7, at=0.5)
    assert run.names == ["INVITE", "ACK", "BYE"]
    bye = run.sent[2][1]
    assert (header(bye, "From"), header(bye, "To")) == ("<sip:a@192.0.2.1>", "<sip:b@192.0.2.2>;tag=peer")
    assert run.failure is Failure.UNEXPECTED_MESSAGE


def test_ping_is_answered_unless_that_is_switched_off() -> None:
    without = Settings(behaviours=frozenset(Behaviour) - {Behaviour.PING_REPLY})
    for settings, names in ((Settings(), ["INVITE", "ACK", "200"]), (without, ["INVITE", "ACK"])):
        run = Scripted(IN_PAUSE, settings)
        run.answer(200)
        run.ask("PING", at=0.5)
        assert run.names == names
        assert not run.call.finished


def test_without_default_behaviours_a_call_goes_on_and_can_succeed() -> None:
    run = Scripted(IN_PAUSE, Settings(behaviours=frozenset()))
    run.answer(200)
    run.ask("OPTIONS", 7, at=0.5)
    run.pass_time(1)
    run.answer(200)
    assert run.names == ["INVITE", "ACK", "BYE"]
    assert run.succeeded
    assert [mark for mark in run.marks if isinstance(mark, Unexpected)]


def test_a_200_that_is_not_acknowledged_yet_gets_ack_and_bye_when_the_call_is_given_up() -> None:
    run = Scripted(scenario(request("INVITE"), recv(200), '<pause milliseconds="1000"/>', request("ACK")))
    run.answer(200)
    run.hear(run.sent[0][1].replace("INVITE ", "OPTIONS ", 1).replace("1 INVITE", "2 OPTIONS"), at=0.5)
    assert run.names == ["INVITE", "ACK", "BYE"]


def test_cseq_rises_before_requests_but_ack_and_cancel() -> None:
    numbers = [request(method, "[cseq]") for method in ("OPTIONS", "ACK", "CANCEL", "OPTIONS", "OPTIONS")]
    run = Scripted(scenario(*numbers))
    assert [header(text, "CSeq").split()[0] for _, text in run.sent] == ["1", "1", "1", "2", "3"]


def test_cseq_goes_on_from_a_higher_number_that_was_received() -> None:
    run = Scripted(
        scenario(request("OPTIONS", "[cseq]"), recv("INFO"), request("OPTIONS", "[cseq]")), Settings(base_cseq=5)
    )
    run.ask("INFO", 40)
    assert [header(text, "CSeq") for _, text in run.sent] == ["5 OPTIONS", "41 OPTIONS"]


def test_branches_belong_to_process_call_and_step() -> None:
    ack = request("ACK").replace("[branch]", "[branch-2]")
    run = Scripted(scenario(request("INVITE"), recv(486), ack))
    run.answer(486)
    assert [header(text, "Via").partition("branch=")[2] for _, text in run.sent] == ["z9hG4bK-77-1-0"] * 2


def test_routes_of_a_response_are_reversed_and_its_contact_is_the_target() -> None:
    bye = request("BYE", 2, more="[routes]").replace("sip:b@[remote_ip]:[remote_port] SIP", "[next_url] SIP")
    run = Scripted(scenario(request("INVITE"), recv(200, rrs="true"), bye))
    routes = "Record-Route: <sip:p3;lr>, <sip:p2;lr>\r\nRecord-Route: <sip:p1;lr>\r\n"
    run.answer(200, routes)
    bye_sent = run.sent[1][1]
    assert bye_sent.startswith("BYE sip:b@192.0.2.2:5070 SIP/2.0\r\n")
    assert header(bye_sent, "Route") == "<sip:p1;lr>, <sip:p2;lr>, <sip:p3;lr>"


def test_a_message_without_record_route_makes_no_line() -> None:
    run = Scripted(scenario(request("INVITE"), recv(200, rrs="true"), request("ACK", more="[routes]")))
    run.answer(200)
    assert "Route" not in run.sent[1][1]
    assert "\r\n\r\n" in run.sent[1][1]
    assert run.sent[1][1].count("\r\n\r\n") == 1


def test_a_global_command_with_next_breaks_the_pause_off() -> None:
    run = Scripted(
        scenario(
            request("OPTIONS", 1),
            recv("INFO", optional="global", next="answer"),
            recv(200, next="wait"),
            '<label id="answer"/>',
            response(200),
            '<label id="wait"/>',
            '<pause milliseconds="1000"/>',
            request("OPTIONS", 2),
        )
    )
    run.answer(200)
    run.ask("INFO", at=0.5)
    run.pass_time(5)
    assert run.times == [(0.0, "OPTIONS"), (0.5, "200"), (1.5, "OPTIONS")]
    assert run.succeeded


def test_a_global_command_without_next_leaves_the_call_where_it_is() -> None:
    file = scenario(
        request("OPTIONS", 1),
        recv("INFO", optional="global"),
        recv(200),
        '<pause milliseconds="1000"/>',
        request("OPTIONS", 2),
    )
    run = Scripted(file)
    run.answer(200)
    run.ask("INFO", at=0.5)
    run.pass_time(5)
    assert run.times == [(0.0, "OPTIONS"), (1.0, "OPTIONS")]
    assert run.succeeded
    strict = Scripted(file, Settings(strict=True))
    strict.answer(200)
    strict.ask("INFO", at=0.5)
    strict.pass_time(500)
    assert strict.names == ["OPTIONS"], "it waits for the 200 once more"
    assert not strict.call.finished


def test_answers_find_their_transactions() -> None:
    file = scenario(
        request("INVITE", 1, start_txn="call"),
        request("OPTIONS", 2, start_txn="question"),
        recv(180, response_txn="question", optional="true"),
        recv(200, response_txn="question"),
        recv(200, response_txn="call"),
        request("ACK", 1, ack_txn="call"),
        '<pause milliseconds="1000"/>',
    )
    run = Scripted(file)
    run.answer(200, to=1)
    run.answer(180, to=1, at=0.1)
    run.answer(200, to=0, at=0.2)
    assert run.names == ["INVITE", "OPTIONS", "ACK"]
    run.answer(200, "X: 1\r\n", to=0, at=0.3)
    assert run.names == ["INVITE", "OPTIONS", "ACK", "ACK"], "the ACK of an old transaction again"
    run.pass_time(2)
    assert run.succeeded


def test_an_answer_to_the_other_transaction_is_unexpected() -> None:
    file = scenario(
        request("INVITE", 1, start_txn="call"),
        request("OPTIONS", 2, start_txn="question"),
        recv(200, response_txn="question"),
        recv(200, response_txn="call"),
        request("ACK", 1, ack_txn="call"),
    )
    run = Scripted(file)
    run.answer(200, to=0)
    assert run.failure is Failure.UNEXPECTED_MESSAGE


def test_pauses_have_their_lengths() -> None:
    run = Scripted(
        scenario(
            nop('<assign assign_to="ms" value="300"/>'),
            '<pause variable="ms"/>',
            request("OPTIONS", 1),
            '<pause distribution="uniform" min="100" max="200"/>',
            request("OPTIONS", 2),
            '<pause milliseconds="100"/>',
            request("OPTIONS", 3),
            "<pause/>",
            request("OPTIONS", 4),
        ),
        Settings(pause=0.7),
    )
    run.pass_time(10)
    first, second, third, fourth = (at for at, _ in run.sent)
    assert first == pytest.approx(0.3)
    assert 0.1 <= second - first <= 0.2
    assert third - second == pytest.approx(0.1)
    assert fourth - third == pytest.approx(0.7)
    assert run.succeeded


def test_a_loop_without_waiting_costs_its_call_only() -> None:
    run = Scripted(scenario('<label id="again"/>', nop('<log message="x"/>', next="again"), request("OPTIONS")))
    assert run.failure is Failure.SCENARIO_ERROR
    assert run.call.finished


def test_messages_behind_the_end_of_a_call_are_counted_and_change_nothing() -> None:
    run = Scripted(scenario(request("OPTIONS")))
    assert run.succeeded
    before = len(run.marks)
    run.answer(200)
    assert len(run.marks) == before + 1
    assert run.succeeded


@pytest.mark.parametrize("junk", ["", "\r\n\r\n", "\x00\xff", "SIP/2.0", "SIP/2.0 abc\r\n\r\n", "INVITE", " \r\n"])
def test_junk_is_unexpected_and_never_an_error_of_the_program(junk: str) -> None:
    run = Scripted(IN_PAUSE)
    run.answer(200)
    run.hear(junk, at=0.5)
    assert run.failure is Failure.UNEXPECTED_MESSAGE


@pytest.mark.parametrize(("name", "in_sipp"), [("To", True), ("From", False), ("CSeq", False)])
def test_a_response_without_a_header_that_each_has_fails_the_call(name: str, in_sipp: bool) -> None:
    for settings, fails in ((Settings(), True), (Settings(strict=True), in_sipp)):
        call = Scripted(scenario(request("OPTIONS"), recv(200)), settings)
        lines = response_to(call.sent[0][1], 200).split("\r\n")
        call.hear("\r\n".join(line for line in lines if not line.startswith(f"{name}:")))
        figures = call.call.figures
        assert (figures.failure is Failure.UNEXPECTED_MESSAGE) is fails
        assert (f"without {name}" in figures.detail) is fails
