"""Robots whose file is one of SIPp: which messages begin a call, what reaches the peer, and how each is reported."""

import json
import re
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sipswarm.actors.cli import main
from sipswarm.actors.sipp.scenario_file import text_of
from tests.e2e.test_command_line import SECONDS, Running, scraped, was
from tests.interop.processes import wait_until
from tests.interop.scenario_texts import ask, recv, say, scenario
from tests.interop.scripted_peer import ScriptedPeer, header, request

SHORT = text_of("uas").replace('milliseconds="4000"', 'milliseconds="200"')
"""A callee whose calls are over soon after their BYE."""


class Robot(NamedTuple):
    """A running robot."""

    running: Running
    port: int
    url: str
    records: Path

    def rows(self) -> list[dict[str, Any]]:
        """The records of ended calls so far."""
        return [json.loads(line) for line in self.records.read_text().splitlines()] if self.records.exists() else []

    def await_rows(self, number: int) -> list[dict[str, Any]]:
        """The records, when there are as many."""
        wait_until(lambda: len(self.rows()) >= number, SECONDS, lambda: f"{number} records, there are {self.rows()}")
        return self.rows()

    def unexpected(self, kind: str) -> float:
        """Counted messages of no call."""
        name = "sipswarm_sip_unexpected_messages_total"
        return sum(value for key, value in scraped(self.url).items() if key[0] == name and kind in key)


@contextmanager
def robot(folder: Path, file: str, *options: str) -> Iterator[Robot]:
    """Run a file as a robot."""
    path, records = folder / "callee.xml", folder / "calls.cdr"
    path.write_text(file)
    places = ["--listen", "udp:127.0.0.1:0", "--metrics", "0", "--media-workers", "1", "--cdr", str(records)]
    running = Running("robot", "-sf", str(path), *places, "--quiet", *options)
    try:
        port = int(running.line().rpartition(":")[2])
        yield Robot(running, port, running.line().removeprefix("metrics on "), records)
    finally:
        running.close()


def plays_call(peer: ScriptedPeer, call_id: str) -> None:
    """INVITE, ACK and BYE of one call."""
    peer.send(request("INVITE", 1, call_id=call_id))
    peer.expect()
    answer = peer.expect()
    tagged = f"To: {header(answer, 'To')}"
    for method, number in (("ACK", 1), ("BYE", 2)):
        peer.send(re.sub(r"To: [^\r]*", tagged, request(method, number, call_id=call_id)))
    peer.expect()


def test_calls_of_several_workers_are_answered_by_the_file_and_reported(tmp_path: Path) -> None:
    file = SHORT.replace('request="INVITE"', 'request="INVITE" counter="came"')
    with robot(tmp_path, file, "--call-workers", "3") as callee, ScriptedPeer() as peer:
        peer.to(callee.port)
        for number in range(12):
            plays_call(peer, f"call-{number}")
        rows = callee.await_rows(12)
        assert peer.names == ["180", "200", "200"] * 12
        assert {(row["scenario"], row["role"], row["outcome"], row["code"]) for row in rows} == {
            ("callee", "uas", "answered", 200)
        }
        assert {(row["closed"], row["ended_by"], row["failure"]) for row in rows} == {("confirmed", "remote", "")}
        assert {row["id"] for row in rows} == {f"call-{number}" for number in range(12)}
        wait_until(
            lambda: scraped(callee.url).get(("sipswarm_calls_finished_total", "answered", "uas", "callee")) == 12,
            SECONDS,
            "the count of all calls",
        )
        assert scraped(callee.url)["sipswarm_scenario_counts_total", "came", "callee"] == 12
        numbers = [re.search(r"tag=\d+s(\d+)$", header(text, "To")) for text in peer.messages[1::3]]
        assert len({each[1] for each in numbers if each is not None}) == 12, "each has a number of its own"


def test_another_request_than_the_file_expects_fails_its_call_without_an_answer(tmp_path: Path) -> None:
    with robot(tmp_path, SHORT) as callee, ScriptedPeer() as peer:
        peer.to(callee.port)
        peer.send(request("OPTIONS", call_id="other"))
        (row,) = callee.await_rows(1)
        assert (row["id"], row["failure"], row["code"]) == ("other", "unexpected_message", None)
        plays_call(peer, "next")
        assert peer.names == ["180", "200", "200"]
        assert [each["failure"] for each in callee.await_rows(2)] == ["unexpected_message", ""]


def test_what_begins_no_call_is_counted_and_gets_no_answer(tmp_path: Path) -> None:
    with robot(tmp_path, SHORT, "--call-workers", "1") as callee, ScriptedPeer() as peer:
        peer.to(callee.port)
        for method in ("ACK", "CANCEL"):
            peer.send(request(method, call_id=f"stray-{method}"))
        peer.send(request("INVITE").replace("INVITE sip:a@127.0.0.1 SIP/2.0", "SIP/2.0 200 OK"))
        wait_until(lambda: callee.unexpected("request") == 2, SECONDS, "two counted requests")
        wait_until(lambda: callee.unexpected("response") == 1, SECONDS, "a counted response")
        plays_call(peer, "a")
        callee.await_rows(1)
        peer.send(request("BYE", 2, call_id="a"))  # repeated, because its 200 was lost
        wait_until(lambda: callee.unexpected("request") == 3, SECONDS, "a counted BYE")
        assert peer.names == ["180", "200", "200"]
        assert len(callee.rows()) == 1


def test_a_message_that_no_parser_takes_is_for_the_file_to_judge(tmp_path: Path) -> None:
    file = scenario(recv("PUBLISH"), say(200), '<pause milliseconds="100"/>')
    odd = "PUBLISH here SIP/2.0\r\nVia: x\r\nFrom: a\r\nTo: b\r\nCall-ID: odd\r\nCSeq: one PUBLISH\r\n\r\n"
    with robot(tmp_path, file) as callee, ScriptedPeer() as peer:
        peer.to(callee.port)
        peer.send(odd)
        assert peer.expect().startswith("SIP/2.0 200 Some\r\nVia: x\r\nFrom: a\r\nTo: b;tag=b\r\n")
        (row,) = callee.await_rows(1)
        assert (row["code"], row["failure"]) == (200, "")


def test_a_request_without_to_gets_no_answer_and_is_a_failed_call(tmp_path: Path) -> None:
    with robot(tmp_path, SHORT) as callee, ScriptedPeer() as peer:
        peer.to(callee.port)
        lines = request("INVITE", 1).split("\r\n")
        peer.send("\r\n".join(line for line in lines if not line.startswith("To:")))
        (row,) = callee.await_rows(1)
        assert row["failure"] == "unexpected_message"
        peer.listen(0.1)
        assert peer.names == []


def test_strangers_get_no_answer_and_begin_no_call(tmp_path: Path) -> None:
    with robot(tmp_path, SHORT, "--allow", "10.0.0.0/8") as callee, ScriptedPeer() as peer:
        peer.to(callee.port)
        peer.send(request("INVITE"))
        wait_until(
            lambda: scraped(callee.url).get(("sipswarm_sip_refused_total", "stranger")) == 1, SECONDS, "its count"
        )
        assert peer.names == []
        assert callee.rows() == []


def test_a_drain_refuses_new_calls_and_hangs_up_those_that_are_up(tmp_path: Path) -> None:
    with robot(tmp_path, SHORT, "--call-workers", "1", "--drain", "60s") as callee, ScriptedPeer() as peer:
        peer.to(callee.port)
        peer.send(request("INVITE", 1, call_id="up"))
        peer.expect()
        answer = peer.expect()
        peer.send(re.sub(r"To: [^\r]*", f"To: {header(answer, 'To')}", request("ACK", 1, call_id="up")))
        wait_until(
            lambda: scraped(callee.url).get(("sipswarm_calls_active", "uas", "callee", "established")) == 1,
            SECONDS,
            "a live call",
        )
        callee.running.process.send_signal(signal.SIGTERM)

        attempts = count()

        def refused() -> bool:
            peer.send(request("INVITE", 1, call_id=f"late-{next(attempts)}"))
            peer.listen(0.2)
            return "503" in peer.names

        wait_until(refused, SECONDS, "a refusal")
        assert "Retry-After: " in peer.messages[peer.names.index("503")]
        callee.running.process.send_signal(signal.SIGTERM)

        def hung_up() -> bool:
            peer.listen(0.2)
            return "BYE" in peer.names

        wait_until(hung_up, SECONDS, "the BYE")
        assert header(peer.messages[peer.names.index("BYE")], "Call-ID") == "up"
        callee.running.process.wait(SECONDS)
        assert ["up", "drained"] in [[row["id"], row["cause"]] for row in callee.rows()]


def test_rows_keys_and_service_are_those_of_the_command_line(tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("SEQUENTIAL\none;1\ntwo;2\n")
    more = "X-Row: [field0] [field1] [tenant] [service] [call_number] <[remote_ip]> [remote_port]\n"
    file = scenario(recv("OPTIONS"), say(200, more), '<pause milliseconds="50"/>')
    options = ["-inf", str(rows), "-key", "tenant", "blue", "-s", "bob", "--call-workers", "1"]
    with robot(tmp_path, file, *options) as callee, ScriptedPeer() as peer:
        peer.to(callee.port)
        for number in range(3):
            peer.send(request("OPTIONS", call_id=f"row-{number}"))
            peer.expect()
        callee.await_rows(3)
        assert [header(each, "X-Row") for each in peer.messages] == [
            "one 1 blue bob 1 <> 5060",
            "two 2 blue bob 2 <> 5060",
            "one 1 blue bob 3 <> 5060",
        ]


def test_a_received_call_runs_programs_and_finds_rows_of_users_by_their_lines(tmp_path: Path) -> None:
    rows = tmp_path / "users.csv"
    rows.write_text("USER\nalice;1\nbob;2\n")
    numbers = tmp_path / "numbers"
    program = f'<exec command="echo [call_number] >> {numbers}"/>'
    file = scenario(recv("OPTIONS", actions=program), say(200, "X-Row: <[field0]> [field0 line=1]\n"))
    options = ["-inf", str(rows), "--allow-exec", "--call-workers", "1"]
    with robot(tmp_path, file, *options) as callee, ScriptedPeer() as peer:
        peer.to(callee.port)
        for number in range(3):
            peer.send(request("OPTIONS", call_id=f"row-{number}"))
            peer.expect()
        assert [header(each, "X-Row") for each in peer.messages] == ["<> bob"] * 3
        wait_until(lambda: numbers.exists() and len(numbers.read_text().split()) == 3, SECONDS, "each program")
    assert sorted(numbers.read_text().split()) == ["1", "2", "3"]


@pytest.mark.parametrize("transport", ["udp", pytest.param("tcp", marks=pytest.mark.slow)])
def test_the_built_in_caller_calls_the_built_in_callee(tmp_path: Path, transport: str) -> None:
    listen = [
        "--listen",
        f"{transport}:127.0.0.1:0",
        "--metrics",
        "off",
        "--media-workers",
        "1",
        "--quiet",
        "--drain",
        "0s",
    ]
    callee = Running("robot", "-sn", "uas", *listen)
    try:
        port = int(callee.line().rpartition(":")[2])
        out = tmp_path / "out"
        load = ["load", f"127.0.0.1:{port}", "-sn", "uac", "-m", "20", "-r", "50", "-d", "100ms", "-t", transport]
        code = main([*load, "--quiet", "--metrics", "off", "--media-workers", "1", "--out", str(out)])
        summary = json.loads((out / "summary.json").read_text())
        assert was(code, 0), summary
        assert summary["calls"]["failed"] == 0
        assert "uac" in (out / "calls.csv").read_text()
    finally:
        callee.close()


def test_an_init_that_fails_keeps_the_robot_from_starting(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "callee.xml"
    init = '<init><nop><action><error message="no tenant"/></action></nop></init>'
    path.write_text(scenario(init, recv("OPTIONS"), say(200)))
    assert main(["robot", "-sf", str(path), "--listen", "udp:127.0.0.1:0", "--metrics", "off", "--quiet"]) == 1
    assert "init failed at step 0" in capfd.readouterr().err


def said(arguments: Sequence[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The error of a command that cannot be carried out."""
    assert main(list(arguments)) == 2
    return capsys.readouterr().err


def test_a_file_that_sends_first_is_no_robot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "uac.xml"
    path.write_text(scenario(ask("OPTIONS"), recv(200)))
    assert "the first message of its calls is sent; a robot needs" in said(["robot", "-sf", str(path)], capsys)
    assert "the first message of its calls is received; a load needs" in said(
        ["load", "127.0.0.1", "-m", "1", "-sn", "uas"], capsys
    )


def test_commands_of_a_robot_run_where_they_are_allowed_and_a_call_can_end_it(tmp_path: Path) -> None:
    numbers = tmp_path / "numbers"
    start = f'<init><nop><action><exec command="echo init >> {numbers}"/></action></nop></init>'
    write = f'<action><exec command="echo [call_number] >> {numbers}"/></action>'
    stop = '<nop><action><exec int_cmd="stop_now"/></action></nop>'
    file = SHORT.replace('<recv request="BYE"/>', f'{start}<recv request="BYE">{write}</recv>')
    file = file.replace("<timewait ", f"{stop}<timewait ")
    with robot(tmp_path, file, "--allow-exec") as callee, ScriptedPeer() as peer:
        peer.to(callee.port)
        plays_call(peer, "a")
        assert callee.running.process.wait(SECONDS) == 105
        assert [row["failure"] for row in callee.await_rows(1)] == [""]
    wait_until(lambda: len(numbers.read_text().split()) == 2, SECONDS, "each command")
    assert sorted(numbers.read_text().split()) == ["1", "init"]


def test_a_robot_ends_after_its_number_of_calls_and_says_whether_they_failed(tmp_path: Path) -> None:
    with robot(tmp_path, SHORT, "-m", "2", "--call-workers", "1") as callee, ScriptedPeer() as peer:
        peer.to(callee.port)
        plays_call(peer, "good")
        callee.await_rows(1)
        assert callee.running.process.poll() is None
        peer.send(request("OPTIONS", call_id="bad"))
        code, said = callee.running.end()
        assert code == 1
        assert "sipswarm robot: 1 of 2 calls have failed" in said


def test_a_robot_writes_the_files_of_sipp(tmp_path: Path) -> None:
    names = [tmp_path / name for name in ("stat.csv", "errors.log", "messages.log")]
    files = [
        text for pair in zip(("-stf", "-error_file", "-message_file"), map(str, names), strict=True) for text in pair
    ]
    with robot(tmp_path, SHORT, "-trace_stat", "-trace_err", "-trace_msg", *files) as callee, ScriptedPeer() as peer:
        peer.to(callee.port)
        plays_call(peer, "good")
        peer.send(request("OPTIONS", call_id="bad"))
        callee.await_rows(2)
        callee.running.end(signal.SIGTERM)
    head, *rows = (line.split(";") for line in names[0].read_text().splitlines())
    last = dict(zip(head, rows[-1], strict=True))
    columns = ("IncomingCall(C)", "OutgoingCall(C)", "SuccessfulCall(C)", "FailedCall(C)", "FailedUnexpectedMessage(C)")
    assert [last[name] for name in columns] == ["2", "0", "1", "1", "1"]
    assert "Aborting call on unexpected message for Call-Id 'bad'" in names[1].read_text()
    messages = names[2].read_text()
    assert messages.count("INVITE sip:a@127.0.0.1 SIP/2.0") == 1
    assert messages.count("UDP message sent") == 3
