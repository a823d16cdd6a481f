"""kamailio as a peer: a proxy that stays in the path of a call, a registrar, or both with passwords."""

import json
import re
import socket
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .peers import KAMAILIO, require
from .processes import LOOPBACK, Program, bound, free_port, wait_until

HERE = Path(__file__).parent


class Kamailio:
    """One run of it with a configuration of this folder."""

    def __init__(
        self, folder: Path, configuration: str, *defined: str, transports: tuple[str, ...], **words: str
    ) -> None:
        """Start it.

        defined: for its preprocessor. transports: on which it listens on its port. words: in the configuration, in
        capitals, and what takes their place.
        """
        kamailio = require(KAMAILIO)
        self.port = free_port()
        self._transports = transports
        text = (HERE / configuration).read_text()
        for word, value in {"PORT": str(self.port), **words}.items():
            text = text.replace(word, value)
        written = folder / configuration
        written.write_text(text)
        name = configuration.removesuffix(".cfg")
        places = ["-Y", str(folder), "-P", str(folder / f"{name}.pid"), *(f"-A{each}" for each in defined)]
        # In the foreground, errors on stderr, with little memory of its own.
        argv = [kamailio, "-f", str(written), "-DD", "-E", "-m", "32", "-M", "4", *places]
        self.program = Program(argv, folder, name)

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    def ready(self) -> None:
        """Wait until it listens."""
        wait_until(
            lambda: all(bound(self.port, each) for each in self._transports) or self.program.exit_code is not None,
            15,
            lambda: f"kamailio on port {self.port}\n{self.program.account()}",
        )
        assert self.program.exit_code is None, self.program.account()


class Proxy(Kamailio):
    """Sends every new call to one callee, and records its route."""

    def __init__(self, folder: Path, callee: str) -> None:
        """Start it; `callee` is `host:port`, reached over UDP."""
        super().__init__(folder, "proxy.cfg", transports=("udp", "tcp"), CALLEE=callee)


class Home(Kamailio):
    """Registrar and proxy of its users: NAME@home.test with the password PASSWORD-NAME, or none when it is `open`."""

    def __init__(self, folder: Path, *, open_: bool = False) -> None:
        """Start it."""
        super().__init__(folder, "home.cfg", *(("OPEN",) if open_ else ()), transports=("udp", "tcp"))

    def by_route(self) -> Counter[str]:
        """The requests within calls that came to it by its Record-Route, by method, as it says itself.

        Each counts once by its number and Call-ID: on a busy machine it comes again.
        """
        told = set(re.findall(r"by route: (\w+) (\d+) (\S+)", self.program.errors))
        return Counter(method for method, _, _ in told)


class Registrar(Kamailio):
    """Challenges every REGISTER; the password of NAME is PASSWORD-NAME."""

    def __init__(self, folder: Path) -> None:
        """Start it."""
        self._folder = folder
        super().__init__(folder, "registrar.cfg", transports=("udp",), FOLDER=str(folder))

    def users(self) -> int:
        """How many addresses are bound, as it says itself."""
        return int(self._ask("stats.fetch", "usrloc.registered_users")["usrloc.registered_users"])

    def accepted(self) -> int:
        """How many REGISTERs it has answered by 200, refreshes and removals included, as it says itself."""
        return int(self._ask("stats.fetch", "registrar.accepted_regs")["registrar.accepted_regs"])

    def request(self, method: str, uri: str, headers: Sequence[str] = (), body: str = "") -> int:
        """Have it send a request over UDP; the final status that it got."""
        own = f"<sip:kamailio@{self.address}>"
        lines = [f"From: {own}", f"To: <{uri}>", f"Contact: {own}", *headers]
        written = "".join(f"{line}\r\n" for line in lines)
        found = self._ask("tm.t_uac_wait_block", method, uri, ".", ".", written, *([body] if body else []))
        status = re.search(r"\b[2-6]\d\d\b", json.dumps(found))
        assert status is not None, found
        return int(status[0])

    def _ask(self, procedure: str, *arguments: str) -> Any:
        """Call a procedure by JSON-RPC over a socket of the system; its result."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asker:
            own = self._folder / "asker.sock"
            own.unlink(missing_ok=True)
            asker.bind(str(own))
            asker.settimeout(10)
            question = {"jsonrpc": "2.0", "id": 1, "method": procedure, "params": list(arguments)}
            asker.sendto(json.dumps(question).encode(), str(self._folder / "rpc.sock"))
            answer = json.loads(asker.recv(65536))
        assert "result" in answer, answer
        return answer["result"]
