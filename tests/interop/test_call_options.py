"""What the command line says about our calls stands in what leaves: SIPp and kamailio read it."""

import csv
import json
from pathlib import Path

from .conftest import Start
from .kamailio import Home
from .node import Answer, load
from .sipp import Sipp
from .wire_totals import Comparison


def account(folder: Path, name: str, password: str = "") -> list[str]:
    """The options of somebody with a password; not given = the one that kamailio knows."""
    file = folder / f"{name}.password"
    file.write_text(f"{password or f'PASSWORD-{name}'}\n")
    file.chmod(0o600)
    return ["--auth-user", name, "--auth-password-file", str(file)]


def test_sipp_finds_every_call_option_in_the_invite(tmp_path: Path, start: Start, captured: Comparison) -> None:
    callee = start(Sipp(tmp_path, "callee", scenario="uas_expects_options.xml", calls=5, seconds=40))
    callee.ready()
    arguments = ["-r", "5", "-m", "5", "-d", "0.2s", "--media", "silence", "--from", "alice@example.org"]
    arguments += ["--proxy", callee.address, "--codec", "pcma,pcmu"]
    arguments += ["--header", "X-First: first; a=1", "--header", "X-Second: second"]
    result = load(tmp_path, "sip:peer@192.0.2.9", arguments, 60)
    verdict = callee.verdict()
    assert verdict.exit_code == 0, verdict.account + result.account
    assert result.verdict == 0, result.account
    assert result.summary["calls"]["completed"] == verdict.calls("SuccessfulCall(C)") == 5
    captured.equals_summary(result)


def test_a_load_calls_a_registered_robot_through_kamailio_until_it_is_gone(
    tmp_path: Path, start: Start, captured: Comparison
) -> None:
    home = start(Home(tmp_path))
    home.ready()
    records = tmp_path / "answer.cdr"
    robot = ["--register", "sip:bob@home.test", "--proxy", home.address, *account(tmp_path, "bob")]
    robot += ["--call-workers", "2", "--cdr", str(records)]
    answer = start(Answer(tmp_path, robot))
    answer.ready()
    answer.counted("sipswarm_registrations_total", 1, result="ok")
    caller = ["--from", "sip:alice@home.test", "--proxy", home.address, *account(tmp_path, "alice")]
    arguments = ["-r", "10", "-m", "10", "-d", "0.5s", "--media", "silence", *caller]
    result = load(tmp_path, "sip:bob@home.test", arguments, 60)
    assert result.verdict == 0, result.account + answer.program.account() + home.program.account()
    assert result.summary["calls"]["completed"] == 10
    captured.read(answer.side, result.side)
    captured.equals_summary(result)
    captured.equals_metrics(answer, answer.side)
    assert home.by_route() == {"ACK": 10, "BYE": 10}
    answer.program.end()
    assert answer.program.exit_code == 0, answer.program.account()
    lines = [json.loads(line) for line in records.read_text().splitlines()]
    assert [(each["role"], each["outcome"], each["ended_by"]) for each in lines] == [("uas", "answered", "remote")] * 10
    gone = load(tmp_path, "sip:bob@home.test", ["-m", "1", *caller], 60, "gone")
    assert gone.summary["calls"]["outcomes"] == {"refused": 1}, gone.account
    with (tmp_path / "gone.results" / "calls.csv").open(newline="") as file:
        assert [row["code"] for row in csv.DictReader(file)] == ["404"]


def test_a_wrong_password_registers_nobody_and_says_so(tmp_path: Path, start: Start) -> None:
    home = start(Home(tmp_path))
    home.ready()
    robot = ["--register", "sip:bob@home.test", "--proxy", home.address, *account(tmp_path, "bob", "wrong")]
    answer = start(Answer(tmp_path, robot))
    answer.ready()
    answer.counted("sipswarm_registrations_total", 1, result="challenged_twice")
    answer.program.end()
    assert answer.program.exit_code == 0, answer.program.account()
    assert "registrations fail, the last one <sip:bob@home.test>: 401" in answer.program.errors
