"""Two call actors on a virtual wire as tests want them: users who answer, ring or refuse, and calls that are up."""

from collections.abc import Callable
from dataclasses import dataclass

from sipswarm.actors.call.notices import InviteReceived, Notice
from sipswarm.actors.call.state import State
from tests.actors.phones import ALICE, BOB, Line, Phone


def answers(phone: Phone, notice: Notice) -> None:
    """A user who takes every call and every re-INVITE."""
    if isinstance(notice, InviteReceived):
        phone.call.answer((), phone.now)


def rings(phone: Phone, notice: Notice) -> None:
    """A user who lets it ring."""
    if isinstance(notice, InviteReceived):
        phone.call.ring(180, (), phone.now)


def refuses(phone: Phone, notice: Notice) -> None:
    """A user who is busy."""
    if isinstance(notice, InviteReceived):
        phone.call.reject(486, "", (), phone.now)


@dataclass
class Scene:
    alice: Phone
    bob: Phone
    line: Line

    def invite(self) -> "Scene":
        self.alice.prepare(BOB).invite((("X-Test", "1"),), self.line.now)
        self.line.carry()
        return self

    def since(self, count: int) -> list[str]:
        return self.line.ladder[count:]

    def assert_all_over(self) -> None:
        """Nothing is left of the call on either side, and each user was told so exactly once."""
        self.line.run(self.line.now + 200)
        for phone in (self.alice, self.bob):
            if phone.actor is not None:
                assert phone.call.finished
                assert phone.call.deadline is None
                assert phone.told().count("Ended") == phone.told().count("Closed") == 1
                assert phone.told()[-1] == "Closed"
                assert phone.outbox.streams == {}
                opened = phone.commanded().count("OpenStream")
                assert phone.commanded().count("CloseStream") == (0 if phone.refuses else opened)


def scene(
    bob_reacts: Callable[[Phone, Notice], None] | None = answers, *, wanted: bool = True, alice_wanted: bool = True
) -> Scene:
    alice, bob = Phone(ALICE, wanted=alice_wanted), Phone(BOB, wanted=wanted, reacts=bob_reacts)
    return Scene(alice, bob, Line(alice, bob))


def established(*, wanted: bool = True, alice_wanted: bool = True) -> Scene:
    made = scene(wanted=wanted, alice_wanted=alice_wanted).invite()
    assert made.alice.call.state is made.bob.call.state is State.UP
    return made
