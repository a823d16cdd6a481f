"""The choices of a proxy among bindings: for how long they are kept, and how many."""

from sipswarm.sipcore.message.fields import NameAddr
from sipswarm.sipcore.server.choices import Choices
from sipswarm.sipcore.server.location import Binding

BINDING, OTHER = (Binding(NameAddr.parse(f"<sip:bob@192.0.2.{each}>"), 60.0, "one", 1) for each in (1, 2))


def test_the_choice_of_an_invite_is_kept_longer_than_that_of_another_request() -> None:
    choices = Choices()
    choices.keep("call", "INVITE", BINDING, 0.0)
    choices.keep("text", "MESSAGE", OTHER, 0.0)
    assert (choices.find("call", 31.0), choices.find("text", 31.0)) == (BINDING, OTHER)
    assert (choices.find("call", 299.0), choices.find("text", 32.0)) == (BINDING, None)
    assert choices.find("call", 300.0) is None
    assert choices.find("unknown", 0.0) is None


def test_an_ack_and_a_cancel_choose_nothing() -> None:
    choices = Choices()
    for method in ("ACK", "CANCEL"):
        choices.keep("call", method, BINDING, 0.0)
    assert len(choices) == 0


def test_what_is_over_goes_and_beyond_the_bound_the_oldest() -> None:
    choices = Choices(most=2)
    for number in range(3):
        choices.keep(f"text {number}", "MESSAGE", BINDING, float(number))
    assert [choices.find(f"text {number}", 3.0) for number in range(3)] == [None, BINDING, BINDING]
    choices.keep("call", "INVITE", OTHER, 100.0)
    assert (len(choices), choices.find("call", 100.0)) == (1, OTHER)
