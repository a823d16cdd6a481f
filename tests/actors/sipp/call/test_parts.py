"""The parts of a call by themselves: received messages, recognition, response times, figures."""

import pytest

from sipswarm.actors.sipp.call.dialog import Dialog
from sipswarm.actors.sipp.call.received import Received, tag_of, uri_of
from sipswarm.actors.sipp.call.repetition import Recognition, Repetition
from sipswarm.actors.sipp.call.response_times import ResponseTimes
from sipswarm.actors.sipp.call.settings import Settings
from sipswarm.actors.sipp.call.statistics import Figures, ResponseTime
from sipswarm.actors.sipp.program import Nop

RESPONSE = Received(
    "SIP/2.0 200 OK\r\nv: SIP/2.0/UDP h:5060 ;branch=z9hG4bK1, SIP/2.0/UDP g;branch=z2\r\nFROM: <sip:a@h>;tag=1\r\n"
    'To: "x;tag=no" <sip:b@h;tag=no>;tag=2\r\nCSeq: 7  INVITE\r\nX-A: 1\r\nx-a: 2\r\nSubject: a\r\n  b\r\ns: c\r\n'
    "\r\nbody\r\n\r\nx"
)


def test_fields_of_a_response() -> None:
    assert (RESPONSE.code, RESPONSE.method, RESPONSE.start_line) == (200, "", "SIP/2.0 200 OK")
    assert (RESPONSE.cseq_number, RESPONSE.cseq_method) == (7, "INVITE")
    assert (RESPONSE.branch, RESPONSE.to_tag) == ("z9hG4bK1", "2")
    assert RESPONSE.body == "body\r\n\r\nx"
    assert RESPONSE.request_uri == ""


def test_headers_are_found_without_case_and_compact_forms_only_without_the_long_one() -> None:
    assert RESPONSE.values("x-A") == ["1", "2"]
    assert RESPONSE.lines("x-A") == ["X-A: 1", "x-a: 2"]
    assert RESPONSE.value("Subject") == "a\n  b"
    assert RESPONSE.value("Via").startswith("SIP/2.0/UDP h")
    assert RESPONSE.values("None") == []


@pytest.mark.parametrize(
    ("text", "method", "code"),
    [
        ("", "", 0),
        ("INVITE", "INVITE", 0),
        ("\r\n\r\n", "", 0),
        ("SIP/2.0", "", 0),
        ("SIP/2.0 2000 OK", "", 0),
        ("SIP/2.0 99 OK", "", 0),
        ("OPTIONS sip:a SIP/2.0\n\n", "OPTIONS", 0),
    ],
)
def test_any_text_has_a_method_and_a_code(text: str, method: str, code: int) -> None:
    message = Received(text)
    assert (message.method, message.code) == (method, code)
    assert message.cseq_number == 0
    assert message.branch == message.to_tag == message.body == ""


def test_a_number_of_many_digits_is_none() -> None:
    assert Received(f"SIP/2.0 200 OK\r\nCSeq: {'9' * 5000} INVITE\r\n\r\n").cseq_number == 0


@pytest.mark.parametrize(
    ("address", "uri"),
    [("<sip:a@h;lr>;tag=1", "sip:a@h;lr"), ("sip:a@h;tag=1", "sip:a@h"), ('"n" <sip:a@h>', "sip:a@h"), ("", "")],
)
def test_uri_of_an_address(address: str, uri: str) -> None:
    assert uri_of(address) == uri


def test_a_strict_router_is_the_target_and_the_contact_the_last_route() -> None:
    dialog = Dialog(1)
    dialog.keep_routes(Received("SIP/2.0 200 OK\r\nRecord-Route: <sip:p2;lr>, <sip:p1>\r\nContact: <sip:b@h>\r\n\r\n"))
    assert dialog.next_url == "sip:p1"
    assert dialog.routes == ("<sip:p2;lr>", "<sip:b@h>")
    dialog.keep_routes(Received("SIP/2.0 200 OK\r\nContact: <sip:other@h>\r\n\r\n"))
    assert dialog.next_url == "sip:p1", "kept once"


def test_the_last_response_answers_a_repeated_request() -> None:
    recognition = Recognition(Settings())
    first, second = Received("INVITE 1"), Received("INVITE 2")
    recognition.received(first)
    assert recognition.is_last(first)
    assert recognition.answer_to(first) is None
    recognition.sent(4, is_response=True)
    assert recognition.answer_to(first) == 4
    recognition.sent(5, is_response=True)
    recognition.sent(6, is_response=False)
    assert recognition.answer_to(first) == 5, "RFC 3261 section 17.2.1: the last response"
    assert recognition.answer_to(second) is None
    assert not recognition.is_last(first)


def test_a_response_is_answered_by_the_first_message_behind_it() -> None:
    recognition = Recognition(Settings())
    recognition.received(RESPONSE)
    recognition.sent(4, is_response=False)
    recognition.sent(5, is_response=False)
    recognition.sent(6, is_response=True)
    assert recognition.answer_to(RESPONSE) == 4


def test_with_sipp_strict_a_second_message_makes_it_unknown() -> None:
    recognition = Recognition(Settings(strict=True))
    recognition.received(RESPONSE)
    recognition.sent(4, is_response=True)
    recognition.sent(5, is_response=True)
    assert recognition.answer_to(RESPONSE) is None


def test_intervals_count_from_when_a_repetition_was_due() -> None:
    repetition = Repetition(Settings())
    repetition.start("INVITE sip:a SIP/2.0", 3, 0.5, 10.0)
    assert repetition.at == 10.5
    due = []
    while repetition.again():
        due.append(repetition.at)
    assert due == [11.5, 13.5, 17.5, 25.5, 41.5]
    assert repetition.at is None


def test_a_response_time_ends_once_unless_it_is_repeated() -> None:
    times = ResponseTimes()
    times.begin(1.0)
    end = Nop(index=0, line=1, rtd="a")
    again = Nop(index=0, line=1, rtd="b", repeat_rtd=True)
    assert times.passed(end, 3.0) == ResponseTime("a", 2.0)
    assert times.passed(end, 4.0) is None
    assert times.passed(Nop(index=0, line=1, start_rtd="a"), 5.0) is None
    assert times.passed(end, 5.5) == ResponseTime("a", 0.5)
    assert [times.passed(again, at) for at in (3.0, 4.0)] == [ResponseTime("b", 2.0), ResponseTime("b", 3.0)]


def test_an_answered_challenge_is_no_outcome_but_an_unanswered_one_is() -> None:
    figures = Figures()
    figures.sent("REGISTER", 0, "REGISTER", 1.0)
    figures.received("", 100, "REGISTER", 1.1)
    figures.received("", 401, "REGISTER", 1.2)
    assert (figures.code, figures.answered_at, figures.provisional_at) == (401, 1.2, None)
    figures.received("", 200, "REGISTER", 1.3)
    figures.received("", 500, "REGISTER", 1.4)
    assert (figures.code, figures.answered_at, figures.first_at) == (200, 1.3, 1.0)


@pytest.mark.parametrize(
    ("address", "uri", "tag"),
    [
        ('"A, <b>" <sip:u@h>;expires=5;tag=t', "sip:u@h", "t"),
        ('"say \\"<x>\\"; tag=no" <sip:u@h;ob>;tag=t', "sip:u@h;ob", "t"),
        ("Bob <sip:bob@h;ob>", "sip:bob@h;ob", ""),
        ("sip:u@h;tag=t", "sip:u@h", "t"),
        ('"no end <sip:u@h>', "sip:u@h", ""),
    ],
)
def test_a_display_name_in_quotes_is_no_part_of_the_address(address: str, uri: str, tag: str) -> None:
    assert (uri_of(address), tag_of(address)) == (uri, tag)
