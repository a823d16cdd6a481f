"""Processes of `sipswarm answer` as a user meets them: they end when told to, and refuse what cannot work."""

import signal
import socket
import stat
from pathlib import Path

from .conftest import Start
from .node import Answer, NodeRun
from .processes import LOOPBACK, alive, descendants, free_port, wait_until


def test_sigterm_without_calls_ends_every_process_within_5_seconds_and_leaves_no_socket(
    tmp_path: Path, start: Start
) -> None:
    answer = start(Answer(tmp_path))
    answer.ready()
    children = descendants(answer.program.pid)
    assert len(children) >= 3, f"dispatcher, call worker and media worker are processes: {children}"
    answer.program.signal(signal.SIGTERM)
    assert answer.program.wait(5) == 0, answer.program.account()
    wait_until(lambda: not any(map(alive, children)), 5, f"the end of {children}")
    left = [file for file in answer.run_dir.rglob("*") if stat.S_ISSOCK(file.lstat().st_mode)]
    assert not left, f"socket files are left: {left}"
    assert "Traceback" not in answer.program.errors, answer.program.errors


def test_sigint_ends_it_like_sigterm(tmp_path: Path, start: Start) -> None:
    answer = start(Answer(tmp_path))
    answer.ready()
    answer.program.signal(signal.SIGINT)
    assert answer.program.wait(5) == 0, answer.program.account()
    assert "Traceback" not in answer.program.errors, answer.program.errors


def test_a_second_instance_with_the_same_run_directory_is_refused(tmp_path: Path, start: Start) -> None:
    first = start(Answer(tmp_path))
    first.ready()
    listen = ["--listen", f"udp:{LOOPBACK}:{free_port()}"]
    second = start(NodeRun(tmp_path, "answer", listen, "second", run_dir=first.run_dir))
    assert second.program.wait(15) == 2, second.program.account()
    assert str(first.run_dir) in second.program.errors, second.program.account()
    assert "Traceback" not in second.program.errors, second.program.errors
    assert first.metrics().total("sipswarm_process_up") >= 3, "the first one must not notice"


def test_a_busy_sip_port_is_refused_by_its_number(tmp_path: Path, start: Start) -> None:
    port = free_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as occupant:
        occupant.bind((LOOPBACK, port))
        node = start(NodeRun(tmp_path, "answer", ["--listen", f"udp:{LOOPBACK}:{port}"]))
        assert node.program.wait(15) == 2, node.program.account()
    assert str(port) in node.program.errors, node.program.account()
    assert "Traceback" not in node.program.errors, node.program.errors


def test_a_busy_metrics_port_is_refused_by_its_number(tmp_path: Path, start: Start) -> None:
    with socket.create_server((LOOPBACK, 0)) as occupant:
        port = occupant.getsockname()[1]
        listen = ["--listen", f"udp:{LOOPBACK}:{free_port()}"]
        node = start(NodeRun(tmp_path, "answer", listen, metrics_port=port))
        assert node.program.wait(15) == 2, node.program.account()
    assert str(port) in node.program.errors, node.program.account()
