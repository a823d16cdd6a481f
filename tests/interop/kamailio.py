"""kamailio as a peer: a proxy that stays in the path of a call, on one port for UDP and TCP."""

from pathlib import Path

from .peers import KAMAILIO, require
from .processes import LOOPBACK, Program, bound, free_port, wait_until

CONFIGURATION = Path(__file__).parent / "proxy.cfg"


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
