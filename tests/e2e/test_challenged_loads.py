"""Loads of calls whose challenge stands: named by what was amiss with the credentials, as those of requests are."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sipswarm.actors.cli import main
from sipswarm.sipcore.message.messages import Request, Response
from tests.e2e.agents import Peer, gate, reply
from tests.e2e.in_thread import InThread
from tests.e2e.test_command_line import WORKERS, was

SCENARIO = """
async def scenario(ua, row):
    call = await ua.invite(ua.target)
    await call.bye()
"""
PLAN = ["-m", "2", "-r", "20", "--quiet", "--metrics", "off", *WORKERS]


class Guarded(Peer):
    """A callee that challenges each INVITE for the password of alice."""

    def __init__(self) -> None:
        super().__init__(self._take)
        self._judge = gate()

    def _take(self, request: Request) -> Sequence[Response]:
        if request.method == "ACK":
            return []
        refused = self._judge(request) if request.method == "INVITE" else None
        return [refused or reply(request, 200, peer=self)]


def load(peer: Peer, out: Path, *options: str) -> tuple[int, dict[str, Any], list[dict[str, str]]]:
    """Run a load; its exit code, summary and rows."""
    code = main(["load", peer.uri("bob"), *PLAN, *options, "--out", str(out)])
    summary: dict[str, Any] = json.loads((out / "summary.json").read_text())
    return code, summary, list(csv.DictReader((out / "calls.csv").read_text().splitlines()))


def password(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "password"
    file.write_text(text)
    file.chmod(0o600)
    return ["--auth-user", "alice", "--auth-password-file", str(file)]


@pytest.mark.parametrize("runs", ["calls", "a scenario"])
@pytest.mark.parametrize(
    ("given", "exit_code", "failure", "blame", "invites"),
    [
        ("secret", 0, "", "", 4),
        ("wrong", 1, "credentials_refused", "sut", 4),
        ("", 107, "no_credentials", "plan", 2),
    ],
)
def test_a_challenge_that_stands_has_its_name_in_row_and_verdict(
    tmp_path: Path, runs: str, given: str, exit_code: int, failure: str, blame: str, invites: int
) -> None:
    options = password(tmp_path, given) if given else []
    if runs == "a scenario":
        (tmp_path / "scenario.py").write_text(SCENARIO)
        options += ["--scenario", str(tmp_path / "scenario.py")]
    with InThread(Guarded()) as peer:
        code, summary, rows = load(peer, tmp_path / "out", *options)
    assert was(code, exit_code), summary
    assert peer.methods().count("INVITE") == invites
    assert [(row["failure"], row["blame"]) for row in rows] == [(failure, blame)] * 2
    assert [row["code"] for row in rows] == ["401" if failure else "200"] * 2
    assert {each["reason"]: each["calls"] for each in summary["failures"]} == ({failure: 2} if failure else {})


def test_a_challenge_can_be_what_is_expected(tmp_path: Path) -> None:
    with InThread(Guarded()) as peer:
        code, summary, rows = load(peer, tmp_path / "out", "--expect-code", "401")
    assert was(code, 0), summary
    assert [(row["outcome"], row["failure"]) for row in rows] == [("refused", "")] * 2
