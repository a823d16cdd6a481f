"""`sipswarm registrar` and `sipswarm proxy` as processes, for tests. Not a test."""

import re
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from .test_command_line import Running

USERS = "user,password\nalice,secret\nbob,other\n"
BOTH = ("--listen", "udp:127.0.0.1:0", "--listen", "tcp:127.0.0.1:0")


class Server:
    """A verb that serves SIP: its ports by transport, and the address of its metrics."""

    def __init__(self, *arguments: str, metrics: str = "0") -> None:
        self.running = Running(*arguments, "--metrics", metrics)
        self.ports: dict[str, int] = {}
        self.url = ""
        wanted = max(1, arguments.count("--listen")) + (metrics != "off")
        for _ in range(wanted):
            line = self.running.line()
            found = re.fullmatch(r"listening on (udp|tcp|tls):\S+:(\d+)", line)
            if found:
                self.ports[found[1]] = int(found[2])
            else:
                self.url = line.removeprefix("metrics on ")

    def metric(self, name: str, *labels: str) -> float:
        """The sum over the series of a metric with these labels, each as name="value"."""
        with urllib.request.urlopen(self.url, timeout=10) as answer:
            text = answer.read().decode()
        lines = [line for line in text.splitlines() if re.match(rf"{name}[ {{]", line)]
        return sum(float(line.rpartition(" ")[2]) for line in lines if all(each in line for each in labels))


@contextmanager
def serving(*arguments: str, metrics: str = "0") -> Iterator[Server]:
    server = Server(*arguments, metrics=metrics)
    try:
        yield server
    finally:
        server.running.close()
