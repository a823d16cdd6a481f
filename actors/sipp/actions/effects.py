"""Actions that ask something of the call or its owner: `jump`, `pauserestore`, `log`, `exec`, `setdest`, `closecon` …"""

from collections.abc import Callable
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
    Stop,
    StreamControl,
    StreamFile,
)

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


def exec_(given: Given) -> Action:
    """Read `exec`."""
    name = given.exactly_one(*_EXEC)
    return _EXEC[name](given, name) if name else Nothing()


def _internal(given: Given, name: str) -> Action:
    return Ask(Stop(given.one_of(name, tuple([each.value for each in Stop]))))


def _command(given: Given, name: str) -> Action:
    return AskWithText(RunCommand, given.text(name))


def _digits(given: Given, name: str) -> Action:
    return AskWithText(PlayDigits, given.text(name))


def _capture(given: Given, name: str) -> Action:
    return Ask(PlayCapture(given.attributes.needed(name)))


def _only_audio(given: Given, name: str) -> Action:
    given.attributes.fault(f"exec {name} is not supported: only audio is sent; drop it, or use play_pcap_audio")
    return Nothing()


def _stream(given: Given, name: str) -> Action:
    text = given.attributes.needed(name)
    if text in (StreamControl.PAUSE.value, StreamControl.RESUME.value):
        return Ask(StreamControl(text))
    path, loops, payload_type, codec, *more = [*[part.strip() for part in text.split(",")], "", "", ""]
    if any(more) or not path or "pattern" in path:
        given.attributes.fault(
            f'exec rtp_stream="{excerpt(text)}" is not supported; write FILE,LOOPS,PAYLOAD_TYPE,CODEC, pause or resume'
        )
        return Nothing()
    try:
        return Ask(StreamFile(path, int(loops or 1), int(payload_type or -1), codec))
    except ValueError:
        given.attributes.fault(f'exec rtp_stream="{excerpt(text)}": write numbers for LOOPS and PAYLOAD_TYPE')
        return Nothing()


def _echo(given: Given, name: str) -> Action:
    return Ask(EchoMedia(given.attributes.number(name) != 0))


def _logged(text: str) -> Result:
    return Say(Loudness.LOG, text)


def _warned(text: str) -> Result:
    return Say(Loudness.WARNING, text)


_EXEC: Final[dict[str, Callable[[Given, str], Action]]] = {
    "command": _command,
    "int_cmd": _internal,
    "play_dtmf": _digits,
    "play_pcap_audio": _capture,
    "play_pcap_image": _only_audio,
    "play_pcap_video": _only_audio,
    "rtp_echo": _echo,
    "rtp_stream": _stream,
}
