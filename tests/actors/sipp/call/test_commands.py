"""`sendCmd` and `recvCmd`: what a call gives to the other file, and how it waits for it."""

import pytest

from sipswarm.actors.sipp.actions.results import TellOther
from sipswarm.actors.sipp.call.machine import MOST_WAITING
from sipswarm.actors.sipp.call.settings import Settings
from sipswarm.actors.sipp.call.statistics import Failure, Unexpected

from .scripted import Scripted, recv, request, scenario

TICKET = '<action><ereg regexp="Ticket: ([a-z0-9]+)" search_in="msg" check_it="true" assign_to="all,ticket"/></action>'
WAIT = f"<recvCmd>{TICKET}</recvCmd>"
TELL = "<sendCmd><![CDATA[\n  Call-ID: [call_id]\n  Ticket: [call_number]\n]]></sendCmd>"
USED = "X: [$ticket] [$all]"


def test_a_command_has_its_keywords_filled_in() -> None:
    run = Scripted(scenario(request("OPTIONS"), recv(200), TELL))
    assert run.wishes == []
    run.answer(200)
    (told,) = run.wishes
    assert isinstance(told, TellOther)
    assert told.text.splitlines()[:2] == ["Call-ID: 1-77@192.0.2.1", "Ticket: 1"]
    assert run.succeeded


def test_a_call_waits_for_a_command_and_its_actions_see_the_text() -> None:
    run = Scripted(scenario(WAIT, request("OPTIONS", 1, USED), recv(200)))
    assert run.sent == []
    run.command("Call-ID: x\nTicket: 4711", at=5.0)
    assert "\r\nX: 4711 Ticket: 4711\r\n" in run.sent[0][1]
    run.answer(200)
    assert run.succeeded


def test_a_command_that_comes_early_waits_for_its_turn() -> None:
    run = Scripted(scenario(request("OPTIONS"), recv(200), WAIT, request("OPTIONS", 2, USED), recv(200)))
    run.command("Ticket: 7")
    assert run.names == ["OPTIONS"]
    run.answer(200)
    assert run.names == ["OPTIONS", "OPTIONS"]


def test_a_check_of_a_command_fails_the_call() -> None:
    run = Scripted(scenario(WAIT, request("OPTIONS", 1, USED), recv(200)))
    run.command("nothing")
    run.answer(200)
    assert run.call.finished
    assert run.failure is Failure.REGEXP


@pytest.mark.parametrize(("attribute", "settings"), [(' timeout="500"', 0.0), ("", 0.5)])
def test_a_command_must_come_in_time(attribute: str, settings: float) -> None:
    file = scenario(f"<recvCmd{attribute}>{TICKET}</recvCmd>", request("OPTIONS", 1, USED), recv(200))
    run = Scripted(file, Settings(receive_timeout=settings))
    run.pass_time(0.4)
    assert not run.call.finished
    run.pass_time(0.6)
    assert run.failure is Failure.RECV_TIMEOUT
    assert run.call.figures.detail.endswith("a command of the other file did not come within 0.5 s")


def test_without_the_other_file_no_command_comes_any_more() -> None:
    early = Scripted(scenario(request("OPTIONS"), recv(200), WAIT, WAIT))
    early.command("Ticket: 1")
    early.left_alone()
    assert not early.call.finished
    early.answer(200)
    assert early.failure is Failure.COMMAND_LOST
    waiting = Scripted(scenario(WAIT, request("OPTIONS", 1, USED), recv(200)))
    waiting.left_alone()
    assert waiting.failure is Failure.COMMAND_LOST
    assert waiting.sent == []


def test_a_call_that_waited_for_a_command_hangs_up_what_it_began_when_it_is_given_up() -> None:
    run = Scripted(scenario(WAIT, request("INVITE", 1, USED), recv(200)))
    run.command("Ticket: 1")
    run.answer(180)
    assert run.failure is Failure.UNEXPECTED_MESSAGE
    assert run.names == ["INVITE", "CANCEL"]


def test_commands_that_nobody_takes_are_bounded() -> None:
    run = Scripted(scenario(request("OPTIONS"), recv(200), WAIT))
    for _ in range(MOST_WAITING):
        run.command("Ticket: 1")
    assert not run.call.finished
    run.command("Ticket: 1")
    assert run.failure is Failure.COMMAND_LOST


def test_a_command_after_the_end_is_counted() -> None:
    run = Scripted(scenario(request("OPTIONS"), recv(200)))
    run.answer(200)
    run.command("Ticket: 1")
    assert isinstance(run.marks[-1], Unexpected)


def test_a_message_that_comes_instead_of_a_command_is_unexpected() -> None:
    run = Scripted(scenario(request("OPTIONS"), recv(200), WAIT))
    run.answer(200)
    run.ask("INFO")
    assert run.failure is Failure.UNEXPECTED_MESSAGE
    assert "expected a command of the other file, got INFO" in run.call.figures.detail


PERHAPS = f'<recvCmd optional="true">{TICKET}</recvCmd>'


@pytest.mark.parametrize("comes", [True, False])
def test_a_message_passes_an_optional_command_by(comes: bool) -> None:
    run = Scripted(scenario(request("OPTIONS"), PERHAPS, recv(200), request("OPTIONS", 2, USED), recv(200)))
    if comes:
        run.command("Ticket: 7")
    run.answer(200)
    assert f"\r\nX: {'7 Ticket: 7' if comes else ' '}\r\n" in run.sent[1][1]
    run.answer(200)
    assert run.succeeded


def test_the_end_of_the_other_file_fails_no_call_that_waits_for_an_optional_command() -> None:
    run = Scripted(scenario(request("OPTIONS"), PERHAPS, recv(200)))
    run.left_alone()
    assert not run.call.finished
    run.answer(200)
    assert run.succeeded


def test_a_mandatory_message_behind_an_optional_command_must_come_in_time() -> None:
    run = Scripted(scenario(request("OPTIONS"), PERHAPS, recv(200, timeout=500)))
    run.pass_time(0.6)
    assert run.failure is Failure.RECV_TIMEOUT


def test_a_command_passes_optional_messages_by() -> None:
    run = Scripted(
        scenario(request("OPTIONS"), recv(100, optional="true"), WAIT, request("OPTIONS", 2, USED), recv(200))
    )
    run.command("Ticket: 7")
    assert run.names == ["OPTIONS", "OPTIONS"]
    run.answer(200)
    assert run.succeeded
