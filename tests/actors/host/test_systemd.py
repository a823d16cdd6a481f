"""What a service manager hears, on a socket of the test."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from sipswarm.actors.host.systemd import Notifier


class Manager:
    """The socket that a service manager listens on."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self._socket.setblocking(False)

    def heard(self) -> list[str]:
        """Every message since the last time."""
        messages = []
        while True:
            try:
                messages.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return messages

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    made = Manager(str(tmp_path / "notify") if request.param == "path" else f"@sipswarm-test-{id(request)}")
    yield made
    made.close()


def test_each_word_is_a_datagram_of_its_own(manager: Manager) -> None:
    notifier = Notifier.of({"NOTIFY_SOCKET": manager.address}, 1)
    notifier.ready()
    notifier.reloading(12.5)
    notifier.alive()
    notifier.stopping()
    assert manager.heard() == ["READY=1", "RELOADING=1\nMONOTONIC_USEC=12500000", "WATCHDOG=1", "STOPPING=1"]


def test_a_status_is_one_line_and_said_when_it_changes(manager: Manager) -> None:
    notifier = Notifier.of({"NOTIFY_SOCKET": manager.address}, 1)
    for text in ("3 calls", "3 calls", "4\ncalls", "3 calls"):
        notifier.status(text)
    assert manager.heard() == ["STATUS=3 calls", "STATUS=4 calls", "STATUS=3 calls"]


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, 0.0),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}, 0.0),
        ({"WATCHDOG_USEC": "soon"}, 0.0),
        ({"WATCHDOG_USEC": "0"}, 0.0),
    ],
)
def test_the_watchdog_is_the_one_of_this_process(environment: dict[str, str], seconds: float) -> None:
    assert Notifier.of({"NOTIFY_SOCKET": "/nowhere", **environment}, 7).watchdog == seconds
    assert Notifier.of(environment, 7).watchdog == 0.0


def test_without_a_manager_nothing_happens(tmp_path: Path) -> None:
    for environment in ({}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": str(tmp_path / "nobody")}):
        before = len(os.listdir("/proc/self/fd"))
        notifier = Notifier.of(environment, 1)
        notifier.ready()
        notifier.status("well")
        assert notifier.watchdog == 0.0
        assert len(os.listdir("/proc/self/fd")) <= before
        assert list(tmp_path.iterdir()) == []


def test_a_manager_that_does_not_read_delays_nobody(manager: Manager) -> None:
    notifier = Notifier.of({"NOTIFY_SOCKET": manager.address}, 1)
    for _ in range(2000):
        notifier.alive()
    assert 0 < len(manager.heard()) < 2000
