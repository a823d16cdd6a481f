"""A call of a scenario file with a time of its own, and a peer that is a list of messages."""

from random import Random
from typing import Final

from sipswarm.actors.sipp.call.context import CallContext, CallIdentity
from sipswarm.actors.sipp.call.defaults import Local
from sipswarm.actors.sipp.call.dialog import Dialog
from sipswarm.actors.sipp.call.machine import ScenarioCall
from sipswarm.actors.sipp.call.script import Script
from sipswarm.actors.sipp.call.settings import Settings
from sipswarm.actors.sipp.call.statistics import Failure, Mark
from sipswarm.actors.sipp.call.surroundings import Surroundings
from sipswarm.actors.sipp.injection import InjectionFiles
from sipswarm.actors.sipp.markup import read as read_markup
from sipswarm.actors.sipp.program_reader import read, runnable
from sipswarm.actors.sipp.variables import Variables

HEADERS: Final = """\
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:a@[local_ip]>;tag=a[call_number]
To: <sip:b@[remote_ip]>[peer_tag_param]
Call-ID: [call_id]"""
MADE_OF_LAST: Final = "[last_Via:]\n[last_From:]\n[last_To:];tag=b\n[last_Call-ID:]\n[last_CSeq:]"


def scenario(*commands: str) -> str:
    """A file of these commands."""
    return '<?xml version="1.0"?>\n<scenario name="test">\n' + "\n".join(commands) + "\n</scenario>\n"


def request(method: str, number: int | str = 1, more: str = "", **attributes: object) -> str:
    """A `send` of a request; `more` are further header lines."""
    lines = f"{method} sip:b@[remote_ip]:[remote_port] SIP/2.0\n{HEADERS}\nCSeq: {number} {method}\n{more}"
    return f"<send{_written(attributes)}><![CDATA[\n{lines}\nContent-Length: 0\n\n]]></send>"


def response(code: int, more: str = "", **attributes: object) -> str:
    """A `send` of a response to the last received message."""
    lines = f"SIP/2.0 {code} Some\n{MADE_OF_LAST}\n{more}"
    return f"<send{_written(attributes)}><![CDATA[\n{lines}\nContent-Length: 0\n\n]]></send>"


def recv(expected: int | str, actions: str = "", **attributes: object) -> str:
    """A `recv` of a status code or of a method."""
    kind = "response" if isinstance(expected, int) else "request"
    inside = f"<action>{actions}</action>" if actions else ""
    return f'<recv {kind}="{expected}"{_written(attributes)}>{inside}</recv>'


def nop(actions: str = "", **attributes: object) -> str:
    """A `nop`."""
    return f"<nop{_written(attributes)}><action>{actions}</action></nop>"


def _written(attributes: dict[str, object]) -> str:
    return "".join(f' {name}="{value}"' for name, value in attributes.items())


CALLER: Final = (
    request("INVITE", retrans=500),
    recv(100, optional="true"),
    recv(180, optional="true"),
    recv(183, optional="true"),
    recv(200, rtd=1),
    request("ACK"),
)
"""A call that is set up."""


class Scripted:
    """One call of a file from time 0 on.

    Args:
        file: its text.
        settings: the options of the run.
        is_reliable: whether the transport repeats lost messages itself.
    """

    def __init__(
        self, file: str, settings: Settings | None = None, *, is_reliable: bool = False, seed: int = 1
    ) -> None:
        program = runnable(read(read_markup(file.encode("latin-1"), "test.xml")))
        used = settings or Settings()
        self.script = Script(program, used)
        self.now = 0.0
        self.sent: list[tuple[float, str]] = []
        """When each message was sent, and the message."""
        self.repeated: list[bool] = []
        """Whether it was sent before."""
        self.marks: list[Mark] = []
        self.wishes: list[object] = []
        surroundings = Surroundings(
            texts={
                "service": "b",
                "remote_ip": "192.0.2.2",
                "local_ip": "192.0.2.1",
                "local_ip_type": "4",
                "media_ip": "192.0.2.1",
                "media_ip_type": "4",
                "transport": "UDP",
            },
            numbers={"remote_port": 5060, "local_port": 5061, "media_port": 6000},
            pid=77,
            wall=1_700_000_000.0,
            injection=InjectionFiles({}),
            file=_no_file,
        )
        context = CallContext(
            surroundings,
            CallIdentity(call_id="1-77@192.0.2.1", number=1),
            Dialog(used.base_cseq),
            Variables(self.script.layout),
            Random(seed),
        )
        self.call = ScenarioCall(
            self.script,
            context,
            is_reliable=is_reliable,
            local=Local("UDP", "192.0.2.1:5061", "z9hG4bK-77-1-end", "77-1"),
        )
        self.call.begin(0.0)
        self._drain()

    def hear(self, text: str, at: float | None = None) -> None:
        """Receive a message, at once or at a time."""
        if at is not None:
            self.pass_time(at)
        self.call.receive(text.encode("latin-1"), self.now)
        self._drain()

    def answer(self, code: int, more: str = "", at: float | None = None, to: int | None = None) -> None:
        """Receive a response to a message that was sent: to the last request, or to that of this number."""
        requests = [text for _, text in self.sent if not text.startswith("SIP/")]
        self.hear(response_to(requests[-1 if to is None else to], code, more), at)

    def ask(self, method: str, number: int = 1, at: float | None = None, call_id: str = "1-77@192.0.2.1") -> None:
        """Receive a request."""
        self.hear(request_of_peer(method, number, call_id), at)

    def give_up(self) -> None:
        """End the call from outside."""
        self.call.give_up(self.now)
        self._drain()

    def command(self, text: str, at: float | None = None) -> None:
        """Receive a command of the other file, at once or at a time."""
        if at is not None:
            self.pass_time(at)
        self.call.receive_command(text, self.now)
        self._drain()

    def left_alone(self) -> None:
        """The other file ends."""
        self.call.left_alone(self.now)
        self._drain()

    def pass_time(self, until: float) -> None:
        """Let the timers of the call run."""
        while (deadline := self.call.deadline) is not None and deadline <= until:
            self.now = max(self.now, deadline)
            self.call.handle_timer(self.now)
            self._drain()
        self.now = until

    @property
    def names(self) -> list[str]:
        """Method or status code of each message that was sent."""
        return [_name(text) for _, text in self.sent]

    @property
    def times(self) -> list[tuple[float, str]]:
        """When each message was sent, with its method or status code."""
        return [(round(at, 3), _name(text)) for at, text in self.sent]

    @property
    def failure(self) -> Failure | None:
        """Why the call has failed."""
        return self.call.figures.failure

    @property
    def succeeded(self) -> bool:
        """Whether it has ended without failure."""
        return self.call.finished and self.failure is None

    def _drain(self) -> None:
        messages, wishes, marks = self.call.drain()
        self.sent += [(self.now, each.data.decode("latin-1")) for each in messages]
        self.repeated += [each.repeated for each in messages]
        self.wishes += wishes
        self.marks += marks


def _name(text: str) -> str:
    words = text.split(" ", 2)
    return words[1] if words[0] == "SIP/2.0" else words[0]


def header(text: str, name: str) -> str:
    """The value of a header of a message."""
    return next(line.partition(":")[2].strip() for line in text.split("\r\n") if line.startswith(f"{name}:"))


def response_to(sent: str, code: int, more: str = "") -> str:
    """A response of the peer; `more` are further header lines, each with its line end."""
    to = header(sent, "To")
    tag = "" if ";tag=" in to else ";tag=peer"
    return (
        f"SIP/2.0 {code} Some\r\nVia: {header(sent, 'Via')}\r\nFrom: {header(sent, 'From')}\r\nTo: {to}{tag}\r\n"
        f"Call-ID: {header(sent, 'Call-ID')}\r\nCSeq: {header(sent, 'CSeq')}\r\n{more}"
        "Contact: <sip:b@192.0.2.2:5070>\r\nContent-Length: 0\r\n\r\n"
    )


def request_of_peer(method: str, number: int = 1, call_id: str = "1-77@192.0.2.1") -> str:
    """A request of the peer."""
    return (
        f"{method} sip:a@192.0.2.1:5061 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK{method}{number}\r\n"
        f"From: <sip:b@192.0.2.2>;tag=peer\r\nTo: <sip:a@192.0.2.1>\r\nCall-ID: {call_id}\r\n"
        f"CSeq: {number} {method}\r\nContent-Length: 0\r\n\r\n"
    )


def _no_file(name: str) -> str:
    raise ValueError("there are no files")
