"""A scenario file as a program: steps, labels, variables, and what it needs. One for all calls of a worker.

Steps are numbered from 0, as SIPp numbers commands in `[msg_index]` and `[branch]`; labels are no steps. A place to go
on at is the number of a step, and the number of all steps is the end.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

from .actions.action import Action
from .distributions import Distribution
from .faults import Fault
from .markup import Element, Toleration
from .template import Template


class Role(Enum):
    """Who sends the first message of a call."""

    SENDS = "sends"
    """The file: `load` runs it."""
    RECEIVES = "receives"
    """The peer: `robot` runs it."""


class Optionality(Enum):
    """The attribute `optional` of `recv` and `recvCmd`."""

    FALSE = "false"
    TRUE = "true"
    GLOBAL = "global"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What all commands have."""

    index: int
    """Number of the step."""
    line: int
    """Line of the file, from 1."""
    next: int | None = None
    """Where the call goes on behind it; None = at the next step. See `test` and `chance`."""
    test: str = ""
    """Variable that must be set for `next` to be taken; empty = it always is."""
    chance: float = 1.0
    """Probability of `next`, 0 to 1, where `test` allows it."""
    condexec: str = ""
    """Variable that must be set for the step to be carried out; empty = it always is."""
    condexec_inverse: bool = False
    """Whether the variable of `condexec` must not be set."""
    ontimeout: int | None = None
    """Where the call goes on when its time is over; None = it has failed."""
    lost: float = 0.0
    """Probability with which the message is dropped, 0 to 1."""
    start_rtd: str = ""
    """Name of the response time that begins here; empty = none."""
    rtd: str = ""
    """Name of the response time that ends here; empty = none."""
    repeat_rtd: bool = False
    """Whether `rtd` counts each time, and not only once per call."""
    counter: str = ""
    """Name of the counter that rises here; empty = none."""
    actions: tuple[Element, ...] = ()
    """The elements of its `action`, in order."""
    compiled: tuple[Action, ...] = ()
    """The same, ready to be carried out."""
    display: str = ""
    """What SIPp shows for it; empty = nothing of its own."""
    hide: bool = False
    """Whether SIPp shows it at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Send(Step):
    """`send`: a message to the peer."""

    message: Template
    retrans: float = 0.0
    """T1 of its repetition over UDP, in seconds; 0 = it is not repeated."""
    timeout: float = 0.0
    """Seconds in which the connection must take it; 0 = no limit."""
    start_txn: str = ""
    """Name of the transaction that it begins."""
    ack_txn: str = ""
    """Name of the transaction that this ACK belongs to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receive(Step):
    """`recv`: a message of the peer."""

    response: int = 0
    """Status code that is expected; 0 = a request is."""
    request: str = ""
    """Method that is expected, or a regular expression of it; empty = a response is."""
    regexp_match: bool = False
    """Whether `request` is a regular expression."""
    methods: tuple[str, ...] = ()
    """The methods of the requests that stand before it in the file, outside of named transactions, each once. A
    response must be to one of them, unless `response_txn` names its transaction."""
    response_txn: str = ""
    """Name of the transaction that the response belongs to."""
    optional: Optionality = Optionality.FALSE
    advance_state: bool = True
    """Whether an optional one moves the call on."""
    timeout: float = 0.0
    """Seconds in which it must come; 0 = `-recv_timeout`."""
    rrs: bool = False
    """Whether its Record-Route and Contact are kept for `[routes]` and `[next_url]`."""
    auth: bool = False
    """Whether its challenge is kept for `[authentication]`."""
    ignoresdp: bool = False
    """Whether its session description changes nothing of the media."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause(Step):
    """`pause` and `timewait`."""

    variable: str = ""
    """Variable that has its length in milliseconds; empty = see `distribution`."""
    distribution: Distribution | None = None
    """Of its length in milliseconds; None without `variable` = the default pause, `-d`."""
    timewait: bool = False
    """Whether the call has succeeded, and only waits for repetitions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nop(Step):
    """`nop`: actions without a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendCommand(Step):
    """`sendCmd`: a command to the other file of the same call."""

    command: Template
    dest: str = ""
    """Name of the other file; empty = the only one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiveCommand(Step):
    """`recvCmd`: a command of the other file of the same call."""

    src: str = ""
    """Name of the other file; empty = any."""
    optional: Optionality = Optionality.FALSE
    timeout: float = 0.0
    """Seconds in which it must come; 0 = `-recv_timeout`."""


@dataclass(frozen=True, slots=True)
class Use:
    """One thing of SIPp's language that the file uses: a keyword, an action, a variable, a file."""

    name: str
    """As SIPp spells it, or as the file does."""
    line: int
    """Line of its first use, from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a file uses, each once with the line of its first use, in the order of the file."""

    commands: tuple[Use, ...] = ()
    """Elements, such as `recv`."""
    keywords: tuple[Use, ...] = ()
    """Such as `len`, without brackets, offset and parameters; `last_*`, `$`, and `field` for their kinds."""
    actions: tuple[Use, ...] = ()
    """Such as `ereg`; those of `exec` with their attribute: `exec play_pcap_audio`."""
    keys: tuple[Use, ...] = ()
    """Keywords that `-key` must give a value to."""
    fields: tuple[Use, ...] = ()
    """Injection files by the names that the file has for them; an empty name is the first of `-inf`."""
    media: tuple[Use, ...] = ()
    """Files of media that actions play."""
    files: tuple[Use, ...] = ()
    """Files that `[file name=…]` names."""
    programs: tuple[Use, ...] = ()
    """Commands of the shell that `exec command=` runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One scenario file, ready to be run."""

    file: str
    """Its path as the user wrote it."""
    name: str
    """Its attribute `name`: free text."""
    role: Role
    steps: tuple[Step, ...]
    labels: Mapping[str, int]
    """Numbers of steps by the names of labels."""
    unexpected: int | None
    """The step of the label `_unexp.main`; None = there is none."""
    init: tuple[Step, ...]
    """The steps of `init`, numbered by themselves; see `initialization`."""
    global_variables: frozenset[str]
    """One value for all calls: `Global`."""
    user_variables: frozenset[str]
    """One value for each user: `User`."""
    call_variables: frozenset[str]
    """One value for each call: every other."""
    transactions: tuple[str, ...]
    """Names of `start_txn`, each once."""
    counters: tuple[str, ...]
    """Names of `counter`, each once."""
    response_times: tuple[str, ...]
    """Names of `rtd` and `start_rtd`, each once."""
    needs: Needs
    tolerations: tuple[Toleration, ...]
    """Mistakes that do not keep it from being run, in the order of the file."""
    unsupported: tuple[Fault, ...]
    """What cannot be run, in the order of the file. With any, the file must not be run."""

    def bound(self, constants: Mapping[str, str]) -> "Program":
        """Return the same, with keywords of its messages replaced that are the same for all calls of a worker.

        A bound message has a third of the parts, so that it is rendered in half the time.

        Args:
            constants: texts of keywords by their names.
        """
        steps = (
            replace(step, message=step.message.bound(constants)) if isinstance(step, Send) else step
            for step in self.steps
        )
        return replace(self, steps=tuple(steps))

    @property
    def initialization(self) -> "Program | None":
        """The program that must be run once before the first call: that of `init`; None = there is none."""
        if not self.init:
            return None
        return replace(self, steps=self.init, labels={}, unexpected=None, init=())
