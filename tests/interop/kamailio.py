"""kamailio as a peer: a proxy that stays in the path of a call, on one port for UDP and TCP; or a registrar on UDP."""

import json
import socket
from pathlib import Path

from .peers import KAMAILIO, require
from .processes import LOOPBACK, Program, bound, free_port, wait_until

CONFIGURATION = Path(__file__).parent / "proxy.cfg"
REGISTRAR = Path(__file__).parent / "registrar.cfg"


class Proxy:
    """Sends every new call to one callee, and records its route."""

    def __init__(self, folder: Path, callee: str) -> None:
        """Start it; `callee` is `host:port`, reached over UDP."""
        kamailio = require(KAMAILIO)
        self.port = free_port()
        text = CONFIGURATION.read_text().replace("PORT", str(self.port)).replace("CALLEE", callee)
        written = folder / "proxy.cfg"
        written.write_text(text)
        places = ["-Y", str(folder), "-P", str(folder / "proxy.pid")]
        # In the foreground, errors on stderr, with little memory of its own.
        argv = [kamailio, "-f", str(written), "-DD", "-E", "-m", "32", "-M", "4", *places]
        self.program = Program(argv, folder, "proxy")

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    def ready(self) -> None:
        """Wait until it listens."""
        wait_until(
            lambda: (bound(self.port, "udp") and bound(self.port, "tcp")) or self.program.exit_code is not None,
            15,
            lambda: f"kamailio on port {self.port}\n{self.program.account()}",
        )
        assert self.program.exit_code is None, self.program.account()


class Registrar:
    """Challenges every REGISTER; the password of NAME is PASSWORD-NAME."""

    def __init__(self, folder: Path) -> None:
        """Start it."""
        kamailio = require(KAMAILIO)
        self.port = free_port()
        self._folder = folder
        text = REGISTRAR.read_text().replace("PORT", str(self.port)).replace("FOLDER", str(folder))
        written = folder / "registrar.cfg"
        written.write_text(text)
        places = ["-Y", str(folder), "-P", str(folder / "registrar.pid")]
        argv = [kamailio, "-f", str(written), "-DD", "-E", "-m", "32", "-M", "4", *places]
        self.program = Program(argv, folder, "registrar")

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    def ready(self) -> None:
        """Wait until it listens."""
        wait_until(
            lambda: bound(self.port, "udp") or self.program.exit_code is not None,
            15,
            lambda: f"kamailio on port {self.port}\n{self.program.account()}",
        )
        assert self.program.exit_code is None, self.program.account()

    def users(self) -> int:
        """How many addresses are bound, as it says itself."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asker:
            own = self._folder / "asker.sock"
            own.unlink(missing_ok=True)
            asker.bind(str(own))
            asker.settimeout(5)
            question = {"jsonrpc": "2.0", "id": 1, "method": "stats.fetch", "params": ["usrloc.registered_users"]}
            asker.sendto(json.dumps(question).encode(), str(self._folder / "rpc.sock"))
            answer = json.loads(asker.recv(65536))
        return int(answer["result"]["usrloc.registered_users"])
