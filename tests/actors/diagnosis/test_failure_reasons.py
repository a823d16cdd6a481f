"""The one list of reasons: each way in which a call ends by itself has its own, with who is to blame."""

from sipswarm.actors.diagnosis.failure_reasons import OF_CAUSE, REASONS
from sipswarm.actors.diagnosis.request_loss import Loss
from sipswarm.sipcore.session.events import Cause

JUDGED_BY_WHAT_CAME = {
    Cause.BYE,  # by its duration
    Cause.CANCELLED,  # by the final response, as all that follow
    Cause.REJECTED,
    Cause.REDIRECTED,
    Cause.UNAUTHORIZED,
    Cause.NO_ANSWER,
    Cause.TIMEOUT,
    Cause.NO_PRACK,
    Cause.GLARE,
    Cause.REPLACED,  # a transfer, which a scenario may want
}


def test_each_cause_of_an_end_has_its_reason_or_is_judged_otherwise() -> None:
    assert {each.value for each in Cause} - OF_CAUSE.keys() == {each.value for each in JUDGED_BY_WHAT_CAME}
    assert {each.value for each in Loss} <= OF_CAUSE.keys()


def test_each_reason_of_a_cause_is_in_the_list() -> None:
    assert set(OF_CAUSE.values()) <= REASONS.keys()
