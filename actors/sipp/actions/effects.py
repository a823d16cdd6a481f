"""Actions that ask something of the call or its owner: `jump`, `log`, `exec`, `rtp_echo`, `setdest`, `closecon` …"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from ..markup import excerpt
from ..template import Template
from .action import Action, Nothing, Scene
from .given import Given, Operand
from .results import (
    CloseConnection,
    EchoMedia,
    Jump,
    Loudness,
    PlayCapture,
    PlayDigits,
    RestorePause,
    Result,
    RunCommand,
    Say,
    ScenarioFault,
    SetDestination,
    StreamControl,
    StreamFile,
)
from .stop import Stop

TRANSPORTS: Final = ("udp", "tcp", "tls")
"""`protocol` of `setdest`."""


@dataclass(frozen=True, slots=True)
class JumpTo:
    """`jump`: go on at a step by its number."""

    operand: Operand

    def run(self, scene: Scene) -> Jump:
        """Go there, see `Action`; the machine knows whether there is such a step."""
        return Jump(int(self.operand.number(scene.variables)))


def jump(given: Given) -> Action:
    """Read `jump`."""
    return JumpTo(given.operand("value", "variable"))


@dataclass(frozen=True, slots=True)
class RestoreBrokenPause:
    """`pauserestore`: go on with a pause."""

    operand: Operand

    def run(self, scene: Scene) -> RestorePause:
        """Go on with it; see `Action`."""
        return RestorePause(self.operand.number(scene.variables))


def pauserestore(given: Given) -> Action:
    """Read `pauserestore`."""
    return RestoreBrokenPause(given.operand("value", "variable"))


@dataclass(frozen=True, slots=True)
class Ask:
    """An action that always asks for the same."""

    result: Result

    def run(self, scene: Scene) -> Result:
        """Ask for it; see `Action`."""
        return self.result


@dataclass(frozen=True, slots=True)
class AskWithText:
    """An action that asks for something with a text."""

    make: Callable[[str], Result]
    text: Template

    def run(self, scene: Scene) -> Result:
        """Ask for it; see `Action`."""
        return self.make(scene.render(self.text))


def log(given: Given) -> Action:
    """Read `log`."""
    return AskWithText(_logged, given.text("message"))


def warning(given: Given) -> Action:
    """Read `warning`."""
    return AskWithText(_warned, given.text("message"))


def error(given: Given) -> Action:
    """Read `error`."""
    return AskWithText(ScenarioFault, given.text("message"))


def closecon(given: Given) -> Action:
    """Read `closecon`."""
    return Ask(CloseConnection())


@dataclass(frozen=True, slots=True)
class EchoByNumber:
    """`rtp_echo`: send received RTP back, or cease to."""

    operand: Operand

    def run(self, scene: Scene) -> EchoMedia:
        """Ask for it; see `Action`."""
        return EchoMedia(self.operand.number(scene.variables) != 0)


@dataclass(frozen=True, slots=True)
class Redirect:
    """`setdest`: another destination."""

    host: Template
    port: Template
    protocol: Template

    def run(self, scene: Scene) -> SetDestination | ScenarioFault:
        """Ask for it, see `Action`, when it is one."""
        host, port, protocol = [scene.render(each).strip() for each in (self.host, self.port, self.protocol)]
        if not (port.isascii() and port.isdigit() and len(port) < 6 and 0 < int(port) < 65536):
            return ScenarioFault(f"setdest: port is {excerpt(port)!r}; it must be 1 to 65535")
        if protocol.lower() not in TRANSPORTS:
            return ScenarioFault(f"setdest: protocol is {excerpt(protocol)!r}; it must be udp, tcp or tls")
        return SetDestination(host, int(port), protocol.lower())


def setdest(given: Given) -> Action:
    """Read `setdest`."""
    return Redirect(given.text("host"), given.text("port"), given.text("protocol"))


def rtp_echo(given: Given) -> Action:
    """Read `rtp_echo`: 0 ends the echo, any other number begins it."""
    return EchoByNumber(given.operand("value", "variable"))


def exec_(given: Given) -> Action:
    """Read `exec`; of several attributes the first one of `EXEC` counts, as in SIPp."""
    name = next((each for each in (*_UNSUPPORTED, *EXEC) if given.has(each)), "")
    if not name:
        given.attributes.fault(f"<exec> does nothing; write one of {', '.join(EXEC)}")
        return Nothing()
    if name in _UNSUPPORTED:
        return _unsupported(given, name, "…")
    return EXEC[name](given, name)


def _unsupported(given: Given, name: str, value: str) -> Action:
    given.attributes.fault(f'<exec {name}="{value}"> is not supported yet')
    return Nothing()


def _internal(given: Given, name: str) -> Action:
    text = given.attributes.needed(name)
    known = {each.value: each for each in Stop}
    if text not in known:
        given.attributes.tolerate(f'int_cmd="{excerpt(text)}"', Stop.CALL.value)
    return Ask(known.get(text, Stop.CALL))


def _command(given: Given, name: str) -> Action:
    return AskWithText(RunCommand, given.text(name))


def _digits(given: Given, name: str) -> Action:
    return AskWithText(PlayDigits, given.text(name))


def _capture(given: Given, name: str) -> Action:
    return Ask(PlayCapture(given.attributes.needed(name)))


def _stream(given: Given, name: str) -> Action:
    text = given.attributes.needed(name)
    if text in (StreamControl.PAUSE.value, StreamControl.RESUME.value):
        return Ask(StreamControl(text))
    path, loops, payload_type, codec, *more = [*[part.strip() for part in text.split(",")], "", "", ""]
    if path in _PATTERNS:
        return _unsupported(given, name, excerpt(text))
    if any(more) or not path:
        given.attributes.fault(
            f'exec rtp_stream="{excerpt(text)}" is not understood; write FILE,LOOPS,PAYLOAD_TYPE,CODEC, pause or resume'
        )
        return Nothing()
    try:
        return Ask(StreamFile(path, int(loops or 1), int(payload_type or -1), codec))
    except ValueError:
        given.attributes.fault(f'exec rtp_stream="{excerpt(text)}": write numbers for LOOPS and PAYLOAD_TYPE')
        return Nothing()


def _echo(given: Given, name: str) -> Action:
    text = given.attributes.needed(name)
    if "video" in text:
        return _unsupported(given, name, excerpt(text))
    command = text.partition(",")[0]
    if command in _ECHO:
        return Ask(EchoMedia(_ECHO[command]))
    return Ask(EchoMedia(given.attributes.number(name) != 0))


def _logged(text: str) -> Result:
    return Say(Loudness.LOG, text)


def _warned(text: str) -> Result:
    return Say(Loudness.WARNING, text)


EXEC: Final[Mapping[str, Callable[[Given, str], Action]]] = {
    "command": _command,
    "int_cmd": _internal,
    "play_pcap_audio": _capture,
    "play_dtmf": _digits,
    "rtp_stream": _stream,
    "rtp_echo": _echo,
}
"""What reads `exec`, by its attribute."""
_UNSUPPORTED: Final = ("play_pcap_video", "play_pcap_image")
_PATTERNS: Final = frozenset(
    ("apattern", "pauseapattern", "pausevpattern", "resumeapattern", "resumevpattern", "vpattern")
)
_ECHO: Final = {"startaudio": True, "updateaudio": True, "stopaudio": False}
