"""One call of a scenario file, sans I/O: it carries out the commands of the file one by one, as SIPp does.

The call stands at one command. `send`, `nop` and what is to be skipped are carried out at once; at a `recv` and in a
`pause` it waits, and a received message or a time moves it on. Order of the rules for a received message: a repetition,
a command that expects it (`matching`), the label `_unexp.main`, what a call answers by itself; else the call fails. A
`send` whose message is repeated over UDP holds the next `send` back until an expected message has come.

The call knows no transactions and no dialogs: what the file does not say is not sent, but for the few messages of
`defaults`. It never reads a clock and never sends: `drain` hands over what is to be sent, played and counted. A command
that cannot be carried out costs its call only.
"""

from collections import deque
from typing import Final, NamedTuple, final

from ..actions.results import TellOther
from ..program import Nop, Optionality, Pause, Receive, ReceiveCommand, Send, SendCommand, Step
from .context import CallContext
from .defaults import AUTO_ANSWERED, Local, farewell, ok
from .described import Descriptions
from .matching import Outcome, Transactions
from .received import Received
from .repetition import Recognition, Repetition
from .response_times import ResponseTimes
from .script import PAUSED, RETURN, Script, Wish
from .settings import Behaviour
from .statistics import AutoAnswered, Counted, Failure, Figures, Mark, Repeated, RunError, Unexpected

MOST_COMMANDS: Final = 10_000
"""Commands that a call carries out without waiting; with more, its file is taken to loop without an end."""
MOST_WAITING: Final = 100
"""Commands of the other file that wait for their `recvCmd`."""
_NO_RISE: Final = frozenset(("", "ACK", "CANCEL"))
"""Messages before which `[cseq]` does not rise: responses, and requests with the number of another one."""


class Outgoing(NamedTuple):
    """One message on its way out."""

    data: bytes
    """The whole message; it must be sent as it is."""
    step: int
    """Number of the step that made it; for a message of no step that of the step at which the call is."""
    repeated: bool
    """Whether it was sent before."""


class Drained(NamedTuple):
    """What a call has produced since the last time."""

    messages: list[Outgoing]
    """To be sent in this order."""
    wishes: list[Wish]
    """What its actions want of media, logs and connections, in order."""
    marks: list[Mark]
    """What is to be counted."""


class _Sent(NamedTuple):
    """The message of the last `send`."""

    text: str
    step: int
    """Number of the step."""


@final
class ScenarioCall:
    """One call.

    Args:
        script: the scenario file, with the options of the run.
        context: what its keywords stand for.
        is_reliable: whether its transport repeats lost messages itself: then nothing is repeated here.
        local: the local side, for messages that the file does not have.
    """

    __slots__ = (
        "_commands",
        "_context",
        "_index",
        "_is_alone",
        "_local",
        "_marks",
        "_messages",
        "_paused_until",
        "_queued",
        "_recognition",
        "_repeats",
        "_repetition",
        "_response_times",
        "_script",
        "_sent",
        "_transactions",
        "_waiting_since",
        "_wishes",
        "figures",
        "finished",
    )

    def __init__(self, script: Script, context: CallContext, *, is_reliable: bool, local: Local) -> None:
        self._script = script
        self._context = context
        self._local = local
        self._repeats = script.settings.repeats and not is_reliable
        self._repetition = Repetition(script.settings)
        self._recognition = Recognition(script.settings)
        self._transactions = Transactions()
        self._response_times = ResponseTimes()
        self._index = 0
        self._sent = _Sent("", 0)
        self._paused_until: float | None = None
        self._waiting_since: float | None = None
        self._queued: Received | None = None
        self._commands: deque[str] = deque()
        self._is_alone = False
        self._messages: list[Outgoing] = []
        self._wishes: list[Wish] = []
        self._marks: list[Mark] = []
        self.figures = Figures()
        """What the run is judged by; final when `finished`."""
        self.finished = False
        """Whether the run has ended: nothing more is sent, and messages are counted as unexpected."""

    @property
    def index(self) -> int:
        """Number of the step at which the call is; the number of all steps behind the last one."""
        return self._index

    @property
    def deadline(self) -> float | None:
        """When `handle_timer` is due, in monotonic seconds; None = it waits for a message only."""
        times = [each for each in (self._repetition.at, self._paused_until, self._patience) if each is not None]
        return min(times) if times else None

    @property
    def is_in_timewait(self) -> bool:
        """Whether the call has succeeded, and only waits for repetitions (`timewait`)."""
        here = self._here
        return isinstance(here, Pause) and here.timewait and self.figures.failure is None

    @property
    def descriptions(self) -> Descriptions | None:
        """The media that both sides have described; None without `read_media`."""
        return self._context.dialog.descriptions

    def read_media(self) -> None:
        """Keep from now on what both sides describe."""
        self._context.dialog.read_media()

    def begin(self, now: float) -> None:
        """Carry out the commands up to the first that waits.

        Args:
            now: monotonic seconds.
        """
        self._context.goes_on(now)
        self._response_times.begin(now)
        self._run(now)

    def receive(self, octets: bytes, now: float) -> None:
        """Take a received message, of any form.

        Args:
            octets: the whole message.
            now: monotonic seconds.
        """
        message = Received(octets.decode("latin-1"))
        if self.finished:
            self._marks.append(Unexpected(0, f"the call has ended, got {_name(message)}"))
            return
        self._context.goes_on(now)
        try:
            self._take(message, now)
        except RunError as error:
            self._give_up(Failure.SCENARIO_ERROR, self._here, str(error), now)
        self._run(now)

    def receive_command(self, text: str, now: float) -> None:
        """Take a command of the other file of the same call, which waits for its `recvCmd`.

        Args:
            text: of its `sendCmd`.
            now: monotonic seconds.
        """
        if self.finished:
            self._marks.append(Unexpected(0, "the call has ended, got a command of the other file"))
            return
        self._context.goes_on(now)
        if len(self._commands) < MOST_WAITING:
            self._commands.append(text)
        else:
            what = f"more than {MOST_WAITING} commands of the other file wait"
            self._give_up(Failure.COMMAND_LOST, self._here, what, now)
        self._run(now)

    def left_alone(self, now: float) -> None:
        """Note that the other file of the same call has ended: no further command comes.

        Args:
            now: monotonic seconds.
        """
        self._is_alone = True
        self._context.goes_on(now)
        self._run(now)

    def handle_timer(self, now: float) -> None:
        """Do what is due: repeat, end a pause, or give up waiting.

        Args:
            now: monotonic seconds.
        """
        self._context.goes_on(now)
        if self._repetition.at is not None and self._repetition.at <= now:
            self._repeat(now)
        if self._paused_until is not None and self._paused_until <= now:
            self._paused_until = None
            self._move(self._script.following(self._here, self._context))
        if (patience := self._patience) is not None and patience <= now:
            self._run_out_of_patience(now)
        self._run(now)

    def give_up(self, now: float) -> None:
        """End the call early, without a failure of its own: it is hung up, also one that the peer began and that is up.

        Args:
            now: monotonic seconds.
        """
        if not self.finished:
            self._context.goes_on(now)
            self._say_goodbye(now, up=self._is_up)
            self._end(now)

    def fail(self, failure: Failure, what: str, now: float, branch: str = "") -> None:
        """End the call because of what happened outside of it, such as a message that could not be sent.

        Args:
            failure: its class.
            what: for a person.
            now: monotonic seconds.
            branch: of the message that it happened to; empty = it is of none.
        """
        if not self.finished:
            is_of_last = branch and f"branch={branch}" in self._sent.text
            self._failed(failure, self._script.steps[self._sent.step] if is_of_last else self._here, what)
            self._end(now)

    def drain(self) -> Drained:
        """Return what was produced since the last time."""
        drained = Drained(self._messages, self._wishes, self._marks)
        self._messages, self._wishes, self._marks = [], [], []
        return drained

    def _run(self, now: float) -> None:
        """Carry out commands until one waits or the file ends."""
        steps = self._script.steps
        try:
            for _ in range(MOST_COMMANDS):
                if self.finished:
                    return
                if self._index >= len(steps):
                    self._end(now)
                    return
                if self._paused_until is not None or not self._carry_out(steps[self._index], now):
                    return
            self._give_up(Failure.SCENARIO_ERROR, self._here, f"{MOST_COMMANDS} commands without waiting", now)
        except RunError as error:
            self._give_up(Failure.SCENARIO_ERROR, self._here, str(error), now)

    def _carry_out(self, step: Step, now: float) -> bool:
        """Carry out one command. False when the call waits at it."""
        if step.condexec and self._context.variables.is_set(step.condexec) is step.condexec_inverse:
            self._move(self._script.following(step, self._context))
            return True
        if isinstance(step, Send):
            return self._send(step, now)
        if isinstance(step, Receive):
            return self._wait(now)
        if isinstance(step, Pause):
            return self._pause(step, now)
        if isinstance(step, SendCommand):
            return self._send_command(step, now)
        if isinstance(step, ReceiveCommand):
            return self._wait_for_command(step, now)
        if not isinstance(step, Nop):
            raise RunError(f"{type(step).__name__} is not carried out by a single call")
        self._note(step, now)
        if self._act(step, None, now):
            self._move(self._script.following(step, self._context))
        return True

    def _send(self, step: Send, now: float) -> bool:
        """Send a message. False while the one before it is repeated."""
        if self._repetition.at is not None:
            return False
        self._note(step, now)
        template, dialog = step.message, self._context.dialog
        method = template.method
        if method not in _NO_RISE:
            dialog.begins_request()
        text = self._made(step)
        if method == "ACK":
            dialog.acknowledged()
        if step.start_txn:
            self._transactions.started(step.start_txn, Received(text).branch)
        if step.ack_txn:
            self._transactions.acknowledged(step.ack_txn, step.index)
        self._sent = _Sent(text, step.index)
        if not self._script.is_lost(step, self._context):
            self._emit(text, step.index)
        to_method = dialog.last.cseq_method if not method and dialog.last is not None else method
        self.figures.sent(method, template.status, to_method, now)
        self._recognition.sent(step.index, is_response=not method)
        if step.retrans > 0 and self._repeats:
            self._repetition.start(text, step.index, step.retrans, now)
        if self._act(step, text, now):
            self._move(self._script.following(step, self._context))
        return True

    def _wait(self, now: float) -> bool:
        """Wait at a `recv`, unless a message is there already."""
        message, self._queued = self._queued, None
        if message is not None:
            self._take(message, now, was_queued=True)
            return True
        command = self._script.matching.command_behind(self._index) if self._commands else None
        if command is not None:
            self._move(command)
            return True
        if self._waiting_since is None:
            self._waiting_since = now
        return False

    def _pause(self, step: Pause, now: float) -> bool:
        """Begin a pause. False when it has a length."""
        self._note(step, now)
        length = self._script.length(step, self._context)
        if not self._act(step, None, now):
            return True
        if length > 0:
            self._paused_until = now + length
            return False
        self._move(self._script.following(step, self._context))
        return True

    def _send_command(self, step: SendCommand, now: float) -> bool:
        """Give a command to the other file of the same call."""
        self._note(step, now)
        self._context.comes_to(step.index)
        self._wishes.append(TellOther(step.command.render(self._context)))
        if self._act(step, None, now):
            self._move(self._script.following(step, self._context))
        return True

    def _wait_for_command(self, step: ReceiveCommand, now: float) -> bool:
        """Take the oldest command of the other file. False when there is none yet."""
        if not self._commands:
            if self._is_alone and step.optional is Optionality.FALSE:
                self._give_up(Failure.COMMAND_LOST, step, "the other file has ended without the command", now)
                return True
            if self._waiting_since is None:
                self._waiting_since = now
            return False
        text = self._commands.popleft()
        self._note(step, now)
        if self._act(step, text, now):
            self._move(self._script.following(step, self._context))
        return True

    def _move(self, index: int) -> None:
        """Go on at a command, and wait there anew."""
        self._paused_until = None
        self._waiting_since = None
        self._index = index

    def _act(self, step: Step, message: str | None, now: float, *, jumps: bool = True) -> bool:
        """Carry out the actions of a command. False when they have moved the call on, or ended it.

        Args:
            message: that was received or sent; None = the command has none.
            jumps: whether `jump` moves the call on; in a `recv` it does not, as in SIPp.
        """
        if not step.actions:
            return True
        acted = self._script.act(step, self._context, message)
        self._wishes.extend(acted.wishes)
        if acted.failure is not None and acted.ends:
            if acted.failure is Failure.STOPPED:
                self._failed(acted.failure, step, acted.detail)
                self._end(now)
            else:
                self._give_up(acted.failure, step, acted.detail, now)
            return False
        if acted.failure is not None:
            self._failed(acted.failure, step, acted.detail)
        if acted.jump is None:
            return True
        if not 0 <= acted.jump <= len(self._script.steps):
            raise RunError(f"jump to {acted.jump}: the file has the steps 0 to {len(self._script.steps) - 1}")
        if jumps:
            self._move(acted.jump)
        return not jumps

    def _take(self, message: Received, now: float, *, was_queued: bool = False) -> None:
        """Take a message by the rules in their order.

        Args:
            was_queued: it has been taken to `_unexp.main` already.
        """
        script, dialog = self._script, self._context.dialog
        if not was_queued:
            if script.settings.ignored_in_pause and isinstance(self._here, Pause):
                return
            if self._repeats and self._is_repetition(message):
                return
            self.figures.received(message.method, message.code, message.cseq_method, now)
        dialog.came(message)
        if lacking := message.lacking(strict=script.settings.strict):
            self._unexpected(message, now, f" without {lacking}")
            return
        match = script.matching.find(self._index, message, self._transactions)
        if match.outcome is Outcome.ACK_AGAIN:
            self._marks.append(Repeated(0, 1))
            self._emit(self._made(script.steps[match.step]), match.step, repeated=True)
        elif match.outcome is Outcome.EXPECTED and not self._is_stray(message):
            step = script.steps[match.step]
            assert isinstance(step, Receive)
            self._expected(step, message, now)
        elif match.outcome is not Outcome.IGNORED and (was_queued or not self._interrupt(message)):
            self._unexpected(message, now)

    def _is_repetition(self, message: Received) -> bool:
        """Whether a message came before: then its answer, if there is one, is sent again."""
        answer = self._recognition.answer_to(message)
        if answer is None and not self._recognition.is_last(message):
            return False
        self._marks.append(Repeated(0, 1))
        if answer is not None:
            self._emit(self._made(self._script.steps[answer]), answer, repeated=True)
        return True

    def _is_stray(self, message: Received) -> bool:
        """Whether a message is the ACK of another INVITE than the last (RFC 3261 section 13.2.2.4)."""
        if message.method != "ACK" or Behaviour.BAD_CSEQ not in self._script.settings.behaviours:
            return False
        expected = self._context.dialog.invite_cseq
        return expected is not None and message.cseq_number != expected

    def _expected(self, step: Receive, message: Received, now: float) -> None:
        """Take a message that a command waits for."""
        if self._script.is_lost(step, self._context):
            return
        dialog = self._context.dialog
        self._repetition.stop()
        if step.response_txn:
            self._transactions.answered(step.response_txn, message.text)
        self._note(step, now)
        if dialog.descriptions is not None and not step.ignoresdp:
            dialog.descriptions.came(message.text)
        # The texts of its actions speak of the message before it, as in SIPp: only `ereg` sees this one.
        self._act(step, message.text, now, jumps=False)
        if self.finished:
            return
        dialog.passed(message)
        if step.rrs:
            dialog.keep_routes(message)
        if step.auth:
            dialog.keep_challenge(message)
        if not step.advance_state:
            return
        dialog.remember(message)
        self._recognition.received(message)
        if self._moves_on(step):
            since = self._waiting_since if self._script.waits.goes_on(step, self._index) else None
            self._move(self._script.following(step, self._context))
            self._waiting_since = since

    def _moves_on(self, step: Receive) -> bool:
        """Whether a received message moves the call on to behind its command."""
        if step.optional is Optionality.FALSE:
            return True
        if step.test and not self._context.variables.is_set(step.test):
            return False
        return step.optional is Optionality.TRUE or step.next is not None or self._script.settings.strict

    def _unexpected(self, message: Received, now: float, lacking: str = "") -> None:
        """Take a message that no command expects.

        Args:
            lacking: what it lacks, for a person; empty = nothing.
        """
        settings = self._script.settings
        behaviours, method, step = settings.behaviours, message.method, self._here
        if method == "PING" or (settings.auto_answer and method in AUTO_ANSWERED):
            if method != "PING" or Behaviour.PING_REPLY in behaviours:
                self._marks.append(AutoAnswered(method))
                self._emit(ok(message, self._local), self._index)
            return
        what = f"expected {_expectation(step)}, got {_name(message)}{lacking}"
        ends = Behaviour.ABORT_UNEXPECTED in behaviours
        text, state = f"{self._script.place(step)}: {what}", f"while {_doing(step)} (index {self._index})"
        self._marks.append(Unexpected(step.line, text, message.code, state, message.text, ends))
        if not ends:
            return
        if method not in ("BYE", "CANCEL"):
            self._context.dialog.remember(message)
            self._give_up(Failure.UNEXPECTED_MESSAGE, step, what, now)
            return
        if Behaviour.BYE in behaviours:
            self._emit(ok(message, self._local), self._index)
        self._failed(Failure.UNEXPECTED_MESSAGE, step, what)
        self._end(now)

    def _interrupt(self, message: Received) -> bool:
        """Go on at the label `_unexp.main` with a message. False when there is none, or the call is there already."""
        script, variables = self._script, self._context.variables
        main = script.program.unexpected
        if main is None or (script.keeps_return and variables.number(RETURN)):
            return False
        if script.keeps_return:
            variables[RETURN] = float(self._index)
        if script.keeps_pause:
            variables[PAUSED] = (self._paused_until or 0.0) * 1000
        self._queued = message
        self._move(main)
        return True

    @property
    def _here(self) -> Step:
        """The command at which the call is; behind the last one that."""
        steps = self._script.steps
        return steps[min(self._index, len(steps) - 1)]

    @property
    def _patience(self) -> float | None:
        """When the call gives up waiting for a message."""
        if self._waiting_since is None:
            return None
        wait = self._script.waits.at(self._index)
        return None if wait is None else self._waiting_since + wait.seconds

    def _repeat(self, now: float) -> None:
        """Repeat a message that is due, or find that it was in vain."""
        repetition = self._repetition
        if repetition.again():
            self._emit(repetition.text, repetition.step, repeated=True)
            return
        step = self._script.steps[repetition.step]
        if step.ontimeout is not None and step.ontimeout < len(self._script.steps):
            self._move(step.ontimeout)
            return
        first_line = repetition.text.partition("\r\n")[0]
        self._failed(Failure.MAX_RETRANS, step, f"no answer to {first_line[:200]}")
        self._end(now)

    def _run_out_of_patience(self, now: float) -> None:
        """Go on at `ontimeout`, or give up, because no message came in time."""
        script = self._script
        wait = script.waits.at(self._index)
        assert wait is not None
        step = script.steps[wait.step]
        if step.ontimeout is not None and step.ontimeout < len(script.steps):
            self._move(step.ontimeout)
        else:
            what = f"{_expectation(step)} did not come within {wait.seconds:g} s"
            self._give_up(Failure.RECV_TIMEOUT, step, what, now)

    def _note(self, step: Step, now: float) -> None:
        """Count a command that is carried out."""
        if step.counter:
            self._marks.append(Counted(step.counter))
        if (step.rtd or step.start_rtd) and (time := self._response_times.passed(step, now)) is not None:
            self._marks.append(time)

    def _made(self, step: Step) -> str:
        """The message of a `send`."""
        assert isinstance(step, Send)
        self._context.comes_to(step.index)
        return step.message.render(self._context)

    def _emit(self, text: str, step: int, *, repeated: bool = False) -> None:
        """Put a message on its way."""
        if repeated:
            self._marks.append(Repeated(1, 0))
        elif (descriptions := self._context.dialog.descriptions) is not None:
            descriptions.sent(text)
        self._messages.append(Outgoing(text.encode("latin-1", "replace"), step, repeated))

    def _failed(self, failure: Failure, step: Step, what: str) -> None:
        """Take a failure; the call may go on."""
        self.figures.failed(failure, f"{self._script.place(step)}: {what}", step.line, self._script.settings.strict)

    def _give_up(self, failure: Failure, step: Step, what: str, now: float) -> None:
        """Take a failure, tell the peer, and end."""
        self._failed(failure, step, what)
        self._say_goodbye(now)
        self._end(now)

    @property
    def _is_up(self) -> bool:
        """Whether the peer began a call that was answered, and whose tag is known."""
        last = self._context.dialog.last
        if self._script.settings.strict or last is None or not last.method:
            return False
        return self.figures.is_up and bool(last.to_tag)

    def _say_goodbye(self, now: float, *, up: bool = False) -> None:
        """Tell the peer that the call is given up.

        Args:
            up: the peer is told although it began the call.
        """
        script, dialog = self._script, self._context.dialog
        # A call that the peer began says nothing when it fails, as in SIPp.
        begins = script.begins and self._index > 0
        if Behaviour.BYE in script.settings.behaviours and (begins or up):
            for text in farewell(self._sent.text, dialog, self._local):
                self._emit(text, self._index)
                method = text.partition(" ")[0]
                self.figures.sent(method, 0, method, now)

    def _end(self, now: float) -> None:
        """End the run."""
        self.finished = True
        self.figures.ended(now)
        self._repetition.stop()
        self._paused_until = None
        self._waiting_since = None


def _name(message: Received) -> str:
    """A received message, for a person."""
    if not message.code:
        return message.method[:40] or "what is no SIP message"
    method = message.cseq_method[:40]
    return f"{message.code} to {method}" if method else str(message.code)


def _doing(step: Step) -> str:
    """What a command does, in SIPp's words."""
    if isinstance(step, Receive):
        return f"expecting '{step.request or step.response}'"
    if isinstance(step, ReceiveCommand):
        return "expecting command"
    return "pausing" if isinstance(step, Pause) else "sending"


def _expectation(step: Step) -> str:
    """What a command expects, for a person."""
    if isinstance(step, Receive):
        return step.request or str(step.response)
    if isinstance(step, ReceiveCommand):
        return "a command of the other file"
    return "no message in a pause" if isinstance(step, Pause) else "no message"
