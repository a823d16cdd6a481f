"""Why a call ends: the first cause counts, a failure on our side takes its place, and figures are final once."""

from sipswarm.actors.call.ending import Ending
from sipswarm.actors.diagnosis.request_loss import Loss


def test_the_first_cause_counts() -> None:
    ending = Ending()
    ending.because("drained")
    ending.because("bye", "local")
    assert (ending.cause, ending.by, ending.text) == ("drained", "local", "drained")


def test_a_failure_of_ours_takes_the_place_of_what_was_known() -> None:
    ending = Ending()
    ending.because("drained", "remote")
    ending.failed("media_refused", "no_file: /none")
    ending.because("bye", "local", "late")
    assert (ending.cause, ending.by, ending.text) == ("media_refused", "local", "media_refused: no_file: /none")


def test_of_several_failures_of_ours_the_first_counts_until_the_call_begins_anew() -> None:
    ending = Ending()
    ending.failed("worker_lost")
    ending.failed("bad_description", "no offer")
    assert ending.text == "worker_lost"
    ending.begin_anew()
    ending.failed("bad_description", "no offer")
    assert ending.text == "bad_description: no offer"


def test_a_bye_that_is_lost_says_why() -> None:
    ending = Ending()
    ending.because("bye", "local")
    ending.lost(Loss.UNREACHABLE)
    ending.bye_lost()
    assert (ending.cause, ending.cause_of_loss) == (Loss.UNREACHABLE.value, Loss.UNREACHABLE.value)


def test_figures_are_final_once_streams_are_closed_and_the_bye_is_over() -> None:
    ending = Ending()
    ending.bye_sent()
    assert not ending.settle(running=False)
    ending.bye_over()
    assert not ending.settle(running=True)
    assert [ending.settle(running=False) for _ in range(2)] == [True, False]
    ending.begin_anew()
    assert ending.settle(running=False)


def test_the_first_crash_is_kept_without_its_frames() -> None:
    ending = Ending()
    try:
        raise ValueError("first")
    except ValueError as error:
        ending.crashed(error, "internal_error")
    ending.crashed(OSError("second"), "internal_error")
    assert isinstance(ending.crash, ValueError)
    assert ending.crash.__traceback__ is None
    assert ending.cause == "internal_error"
