"""What the texts and actions of a file stand for in one call: its place in the run, what it received, its variables.

Implements `template.Context`. Nothing here decides where a call goes on.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from random import Random
from typing import Final, final

from ..authentication import AuthenticationError, answer
from ..injection import InjectionFile, InjectionFiles
from ..template import Credentials
from ..variables import Variables, number_of
from .dialog import Dialog
from .received import uri_of
from .statistics import RunError
from .surroundings import Surroundings

PASSWORD: Final = "password"
"""Of `[authentication]` where none is given, as in SIPp."""
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True, kw_only=True)
class CallIdentity:
    """What keywords stand for in one call."""

    call_id: str
    """`[call_id]`."""
    number: int
    """`[call_number]`, from 1."""
    user: int = 0
    """`[userid]`; 0 = the call has no user."""
    numbers: Mapping[str, int] = field(default_factory=dict)
    """Numbers of this call alone, such as `media_port`."""
    rows: Mapping[InjectionFile, int] = field(default_factory=dict)
    """Its row in each file of `-inf`, from 0."""


@final
class CallContext:
    """What texts and actions stand for in one call.

    Args:
        surroundings: what all calls of the worker have.
        identity: what this one has.
        dialog: what it received.
        variables: its variables.
        random: for `sample`, and all else that is drawn in this call.
    """

    __slots__ = (
        "_answers",
        "_identity",
        "_surroundings",
        "dialog",
        "index",
        "now",
        "random",
        "variables",
    )

    def __init__(
        self, surroundings: Surroundings, identity: CallIdentity, dialog: Dialog, variables: Variables, random: Random
    ) -> None:
        self._surroundings = surroundings
        self._identity = identity
        self._answers = 0
        self.dialog = dialog
        """What the call received."""
        self.variables = variables
        """The variables that it sees."""
        self.random = random
        """Its randomness."""
        self.index = 0
        """Number of the step whose message is made, or whose actions are carried out."""
        self.now = 0.0
        """Monotonic seconds."""

    def goes_on(self, now: float) -> None:
        """Take the time, in monotonic seconds."""
        self.now = now

    def comes_to(self, index: int) -> None:
        """Make messages, or carry out actions, of a step from now on.

        Args:
            index: its number.
        """
        self.index = index

    @property
    def injection(self) -> InjectionFiles:
        """Files of `-inf`."""
        return self._surroundings.injection

    @property
    def clock(self) -> float:
        """Seconds since 1970, UTC."""
        return self.now + self._surroundings.wall

    def text(self, name: str) -> str:
        """See `template.Context`."""
        if name == "call_id":
            return self._identity.call_id
        of_dialog = _OF_DIALOG.get(name)
        if of_dialog is not None:
            return of_dialog(self.dialog)
        return self._changing(name) or self._surroundings.texts.get(name, "")

    def _changing(self, name: str) -> str:
        """A keyword that is another one in each call or message; empty = it is none of these."""
        match name:
            case "call_number":
                return str(self._identity.number)
            case "msg_index":
                return str(self.index)
            case "userid":
                return str(self._identity.user)
            case "pid":
                return str(self._surroundings.pid)
            case "clock_tick":
                return str(int(self.now * 1000))
            case "date":
                return date(datetime.fromtimestamp(self.clock, UTC))
            case "timestamp":
                return f"{datetime.fromtimestamp(self.clock, UTC).astimezone():%Y-%m-%d\t%H:%M:%S.%f}\t{self.clock:.6f}"
        return ""

    def number(self, name: str) -> int:
        """See `template.Context`."""
        if name == "cseq":
            return self.dialog.cseq
        if name == "last_cseq_number":
            return 0 if self.dialog.last is None else self.dialog.last.cseq_number
        own = self._identity.numbers.get(name)
        return self._surroundings.numbers.get(name, 0) if own is None else own

    def branch(self, offset: int) -> str:
        """See `template.Context`: a branch belongs to process, call and step, so that a repetition has the same."""
        return f"z9hG4bK-{self._surroundings.pid}-{self._identity.number}-{self.index + offset}"

    def last_header(self, name: str, value_only: bool) -> str:
        """See `template.Context`."""
        last = self.dialog.last
        if last is None or not (lines := last.lines(name)):
            return ""
        first = lines[0].partition(":")[2].strip() if value_only else lines[0].rstrip(" \t")
        return first if len(lines) == 1 else ", ".join([first, *last.values(name)[1:]])

    def variable(self, name: str) -> str:
        """See `template.Context`."""
        return self.variables.text(name)

    def length(self, name: str) -> int:
        """See `template.Context`."""
        return max(0, int(self.variables.number(name)))

    def field(self, number: int, file: str, row: str) -> str:
        """See `template.Context`."""
        found = self._surroundings.injection.get(file)
        if found is None:
            which = f" file={file}" if file else ""
            raise RunError(f"[field{number}{which}]: there is no such injection file; give it by -inf")
        if not row:
            return found.field(self._identity.rows.get(found, 0), number)
        line = number_of(row)
        if line is None:
            raise RunError(f"[field{number} line={row[:40]}]: this is no number of a row")
        return found.field(int(line), number)

    def file(self, name: str) -> str:
        """See `template.Context`."""
        try:
            return self._surroundings.file(name)
        except ValueError as error:
            raise RunError(f"[file name={name}]: {error}") from error

    def authentication(self, credentials: Credentials, method: str, body: str) -> str:
        """See `template.Context`."""
        dialog, surroundings = self.dialog, self._surroundings
        if not dialog.challenge:
            raise RunError('[authentication] without a challenge: write auth="true" at the recv of the 401 or 407')
        self._answers += 1
        try:
            return answer(
                self.random,
                dialog.challenge,
                dialog.challenge_header,
                self._completed(credentials),
                method=method,
                uri=f"sip:{surroundings.auth_uri or _target_of(surroundings)}",
                body=body,
                count=self._answers,
            )
        except AuthenticationError as error:
            raise RunError(f"[authentication]: {error}") from error

    def _completed(self, credentials: Credentials) -> Credentials:
        """Return the parameters of a keyword, with name and password of the run where it has none."""
        user, password = self._surroundings.credentials
        return replace(
            credentials,
            username=credentials.username or user or self._surroundings.texts.get("service", ""),
            password=credentials.password or password or PASSWORD,
        )


def _target_of(surroundings: Surroundings) -> str:
    """Address and port of the target."""
    return f"{surroundings.texts.get('remote_ip', '')}:{surroundings.numbers.get('remote_port', 0)}"


def _last_to(dialog: Dialog) -> str:
    """The URI of the To of the last received message."""
    return "" if dialog.last is None else uri_of(dialog.last.value("To"))


def _routes(dialog: Dialog) -> str:
    """The line of the route set."""
    return f"Route: {', '.join(dialog.routes)}" if dialog.routes else ""


_OF_DIALOG: Final[Mapping[str, Callable[[Dialog], str]]] = {
    "last_message": lambda dialog: "" if dialog.last is None else dialog.last.text,
    "last_Request_URI": _last_to,
    "next_url": lambda dialog: dialog.next_url,
    "peer_tag_param": lambda dialog: f";tag={dialog.peer_tag}" if dialog.peer_tag else "",
    "routes": _routes,
}


def date(at: datetime) -> str:
    """Return a time as a Date header has it (RFC 3261 section 20.17), which has English names.

    Args:
        at: in UTC.
    """
    return f"{_DAYS[at.weekday()]}, {at:%d} {_MONTHS[at.month - 1]} {at:%Y %H:%M:%S} GMT"
