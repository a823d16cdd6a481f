"""baresip as a peer: a phone without sound card, steered over its control port on loopback.

It plays a 16 bit WAV file (aufile), gives what it hears to nobody (aubridge) and records it (sndfile). Debian's baresip
1.0.0 leaves the loopback interface out of its addresses, but takes 127.0.0.1 when it is told to: the address in its SDP
is then where its media comes from, which our strict rule for sources asks for. From a hold of its own on it records
nothing more, although it counts the packets: its player is another one then.
"""

import asyncio
import json
import re
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from tests.certificates import Authority

from .peers import BARESIP, require
from .processes import LOOPBACK, Program, free_port, wait_until
from .speech import RATE, read_wav, write_wav

MODULES = ("g711", "aufile", "aubridge", "sndfile")
APPLICATIONS = ("account", "menu", "ctrl_tcp")


class Packets(NamedTuple):
    """What the phone counted of the RTP of its last call."""

    sent: int
    received: int
    errors: int


class Phone:
    """A phone with one account, that plays these samples in each call.

    account: the line of its account; by default it is reached at its own address.
    authority: signs its certificate, and those that it takes; TLS is at the port after its own.
    """

    def __init__(
        self,
        folder: Path,
        plays: NDArray[np.int16],
        name: str = "phone",
        account: str = "",
        authority: Authority | None = None,
    ) -> None:
        baresip = require(BARESIP)
        self.home = folder / name
        self.home.mkdir()
        # A file that ends ends what the phone sends: seconds of silence come after it.
        sound = write_wav(self.home / "sound.wav", np.concatenate((plays, np.zeros(RATE * 60, np.int16))))
        self.port, self._control, media = free_port(), free_port(), free_port()
        lines = [
            "module_path /usr/lib/baresip/modules",
            f"sip_listen {LOOPBACK}:{self.port}",
            f"net_interface {LOOPBACK}",
            f"ctrl_tcp_listen {LOOPBACK}:{self._control}",
            f"audio_source aufile,{sound}",
            "audio_player aubridge,nil",
            "audio_alert aubridge,nil",
            "audio_channels 1",
            f"audio_srate {RATE}",
            f"rtp_ports {media}-{media + 20}",
            "rtp_stats yes",
            f"snd_path {self.home}",
            *(f"module {each}.so" for each in MODULES),
            *(f"module_app {each}.so" for each in APPLICATIONS),
            "module_tmp uuid.so",
            *(_certified(self.home, authority) if authority is not None else ()),
        ]
        (self.home / "config").write_text("\n".join(lines) + "\n")
        (self.home / "accounts").write_text(f"{account or f'<{self.uri}>;regint=0'};answermode=manual\n")
        (self.home / "contacts").write_text("\n")
        self._events: list[dict[str, Any]] = []
        self._answers: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.program = Program([baresip, "-4", "-f", str(self.home)], folder, name)

    @property
    def uri(self) -> str:
        """Its SIP URI."""
        return f"sip:phone@{LOOPBACK}:{self.port}"

    async def __aenter__(self) -> Self:
        """Wait until it takes commands; they are taken until the end of the context."""
        wait_until(
            lambda: "baresip is ready" in self.program.output or self.program.exit_code is not None,
            10,
            lambda: f"a phone\n{self.program.account()}",
        )
        assert self.program.exit_code is None, self.program.account()
        reader, self._writer = await asyncio.open_connection(LOOPBACK, self._control)
        self._reading = asyncio.create_task(self._read(reader))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()
        self._reading.cancel()
        await asyncio.wait([self._reading])

    async def _read(self, reader: asyncio.StreamReader) -> None:
        """Netstrings of JSON: answers to commands, and events."""
        while True:
            try:
                size = int((await reader.readuntil(b":"))[:-1])
                word = json.loads((await reader.readexactly(size + 1))[:-1])
            except (asyncio.IncompleteReadError, ConnectionError):
                return
            if word.get("event"):
                self._events.append(word)
            else:
                self._answers.put_nowait(word)

    async def command(self, name: str, parameters: str = "") -> str:
        """Have it do something; what it says to that."""
        text = json.dumps({"command": name, "params": parameters}).encode()
        self._writer.write(b"%d:%s," % (len(text), text))
        async with asyncio.timeout(5):
            answer = await self._answers.get()
        assert answer["ok"], f"{name} {parameters}: {answer}\n{self.program.account()}"
        return str(answer.get("data", ""))

    def events(self, kind: str) -> list[str]:
        """The parameters of the events of one kind, in order: CALL_INCOMING, CALL_ESTABLISHED, CALL_DTMF_START …"""
        return [str(event.get("param", "")) for event in self._events if event["type"] == kind]

    async def event(self, kind: str, count: int = 1, seconds: float = 10) -> str:
        """Wait for an event of a kind, the first or a later one; its parameter."""
        deadline = asyncio.get_running_loop().time() + seconds
        while len(self.events(kind)) < count:
            kinds = [event["type"] for event in self._events]
            assert asyncio.get_running_loop().time() < deadline, f"no {kind} in {kinds}\n{self.program.account()}"
            await asyncio.sleep(0.02)
        return self.events(kind)[count - 1]

    def recorded(self) -> Path:
        """The WAV file of what it heard in its call, which is over."""
        found = list(self.home.glob("dump-*-dec.wav"))
        assert len(found) == 1, f"{len(found)} recordings\n{self.program.account()}"
        return found[0]

    def recording(self) -> NDArray[np.int16]:
        """What it heard in its call, which is over."""
        return read_wav(self.recorded())

    def packets(self) -> Packets:
        """Its counts of its call, which is over."""

        def counted(word: str) -> re.Match[str] | None:
            return re.search(rf"^{word}: +(\d+) +(\d+)", self.program.output + self.program.errors, re.MULTILINE)

        wait_until(lambda: None not in (counted("packets"), counted("errors")), 10, self.program.account)
        packets, errors = counted("packets"), counted("errors")
        assert packets
        assert errors
        return Packets(int(packets[1]), int(packets[2]), int(errors[1]) + int(errors[2]))


def _certified(home: Path, authority: Authority) -> list[str]:
    """Lines of the configuration with a certificate; baresip reads it and its key from one file."""
    pair = home / "pair.pem"
    pair.write_text("".join(Path(each).read_text() for each in authority.issue("phone", "IP:127.0.0.1")))
    return [f"sip_certificate {pair}", f"sip_cafile {authority.ca}"]
