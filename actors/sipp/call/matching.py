"""Which command of a scenario file a received message is for.

First from the call's place on, through optional `recv`s up to the first mandatory one. Then backwards: the optional
ones directly before the place, any `optional="global"`, and what belongs to an old transaction. The tables are made
once per program. Nothing here changes a call.
"""

from enum import Enum
from typing import NamedTuple, final

from ..expressions.search import Expression
from ..program import Optionality, Program, Receive, ReceiveCommand, Send, Step
from .received import Received


class Outcome(Enum):
    """What a received message is to a call."""

    EXPECTED = "expected"
    """A command waits for it."""
    IGNORED = "ignored"
    """It belongs to an old transaction, and changes nothing."""
    ACK_AGAIN = "ack_again"
    """It is the response to an INVITE, whose ACK is to be sent again."""
    UNEXPECTED = "unexpected"
    """No command waits for it."""


class Match(NamedTuple):
    """Result of a search."""

    outcome: Outcome
    step: int
    """The command that waits for it, or the ACK that is sent again."""


_UNEXPECTED = Match(Outcome.UNEXPECTED, -1)
_IGNORED = Match(Outcome.IGNORED, -1)


@final
class Transactions:
    """The named transactions of one call: `start_txn`, `ack_txn`, `response_txn`."""

    __slots__ = ("_acks", "_branches", "_responses")

    def __init__(self) -> None:
        self._branches: dict[str, str] = {}
        self._acks: dict[str, int] = {}
        self._responses: dict[str, str] = {}

    def started(self, name: str, branch: str) -> None:
        """A request has begun it.

        Args:
            branch: of the request (RFC 3261 section 17.1.3).
        """
        self._branches[name] = branch
        self._acks.pop(name, None)
        self._responses.pop(name, None)

    def acknowledged(self, name: str, step: int) -> None:
        """Its ACK was sent by a step."""
        self._acks[name] = step

    def answered(self, name: str, text: str) -> None:
        """A response to it was taken."""
        self._responses[name] = text

    def has(self, name: str, branch: str) -> bool:
        """Whether a response with this branch belongs to it."""
        return self._branches.get(name) == branch

    def ack_of(self, name: str) -> int | None:
        """The step of its ACK; None = none was sent."""
        return self._acks.get(name)

    def response_of(self, name: str) -> str | None:
        """The response to it that was taken last."""
        return self._responses.get(name)


@final
class Matching:
    """The `recv` commands of a program, ready to be searched.

    Args:
        program: the scenario file.
    """

    __slots__ = ("_acks", "_commands", "_methods", "_passed", "_steps")

    def __init__(self, program: Program) -> None:
        self._steps: tuple[Receive | None, ...] = tuple(
            step if isinstance(step, Receive) else None for step in program.steps
        )
        self._methods = {
            step.index: Expression(step.request)
            for step in program.steps
            if isinstance(step, Receive) and step.request and step.regexp_match
        }
        self._commands = frozenset(step.index for step in program.steps if isinstance(step, ReceiveCommand))
        self._passed = frozenset(
            step.index
            for step in program.steps
            if isinstance(step, ReceiveCommand) and step.optional is not Optionality.FALSE
        )
        """Optional commands of the other file, which a message passes by."""
        self._acks = frozenset(step.index for step in program.steps if _is_ack(step))

    def find(self, index: int, message: Received, transactions: Transactions) -> Match:
        """Find the command that a message is for.

        Args:
            index: where the call is.
            message: what came.
            transactions: those of the call.
        """
        ahead = self._ahead(index, message, transactions)
        return ahead if ahead is not None else self._behind(index, message, transactions)

    def command_behind(self, index: int) -> int | None:
        """The `recvCmd` behind optional `recv`s that a call has come to; None = there is none.

        Args:
            index: where the call is.
        """
        for at in range(index, len(self._steps)):
            step = self._steps[at]
            if step is None:
                return at if at in self._commands else None
            if step.optional is Optionality.FALSE:
                return None
        return None

    def _ahead(self, index: int, message: Received, transactions: Transactions) -> Match | None:
        """Search from the place on."""
        steps = self._steps
        for at in range(index, len(steps)):
            step = steps[at]
            if step is None:
                if at in self._passed:
                    continue
                return None
            if self._is_for(step, message, transactions):
                return Match(Outcome.EXPECTED, at)
            if step.optional is Optionality.FALSE:
                return None
        return None

    def _behind(self, index: int, message: Received, transactions: Transactions) -> Match:
        """Search backwards from the place."""
        adjacent = True
        for at in range(min(index, len(self._steps)) - 1, -1, -1):
            step = self._steps[at]
            if step is None or step.optional is Optionality.FALSE:
                adjacent = False
            if step is None or not self._is_for(step, message, transactions):
                continue
            if adjacent or step.optional is Optionality.GLOBAL:
                return Match(Outcome.EXPECTED, at)
            old = self._old(step, message, transactions)
            if old is not None:
                return old
        return _UNEXPECTED

    def _old(self, step: Receive, message: Received, transactions: Transactions) -> Match | None:
        """What a message is to a command that the call has passed."""
        name = step.response_txn
        if not name:
            again = message.code and message.cseq_method == "INVITE" and step.index + 1 in self._acks
            return Match(Outcome.ACK_AGAIN, step.index + 1) if again else None
        if message.code < 200:
            return _IGNORED
        ack = transactions.ack_of(name)
        if ack is not None:
            return Match(Outcome.ACK_AGAIN, ack)
        return _IGNORED if transactions.response_of(name) == message.text else None

    def _is_for(self, step: Receive, message: Received, transactions: Transactions) -> bool:
        """Whether a message is what a command expects."""
        if step.request:
            if step.regexp_match:
                return bool(message.method) and self._methods[step.index].found_in(message.method)
            return message.method == step.request
        if step.response != message.code or not message.code:
            return False
        if step.response_txn:
            return transactions.has(step.response_txn, message.branch)
        if step.index == 0:
            return True
        method = message.cseq_method
        return any(method in each for each in step.methods)


def _is_ack(step: Step) -> bool:
    """Whether a step sends an ACK."""
    return isinstance(step, Send) and step.message.method == "ACK"
