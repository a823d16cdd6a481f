"""SIPp calls a listener on 0.0.0.0, and is called from one; what it received names no wildcard."""

from pathlib import Path

import pytest

from .conftest import Start
from .node import Answer, Side, load
from .processes import own_host
from .sipp import Sipp
from .wire_totals import Comparison


def received(file: Path) -> str:
    """The messages that SIPp wrote down."""
    text = file.read_text()
    assert "0.0.0.0" not in text
    return text


@pytest.mark.parametrize("advertise", [False, True])
@pytest.mark.parametrize("transport", ["u1", "t1"])
def test_sipp_calls_every_address(
    tmp_path: Path, start: Start, captured: Comparison, transport: str, advertise: bool
) -> None:
    kind = "udp" if transport == "u1" else "tcp"
    seen = own_host() if advertise else ""
    options = ["--advertise", seen] if advertise else []
    answer = start(Answer(tmp_path, ["--media", "echo", *options], transport=kind, host="0.0.0.0"))
    answer.ready()
    log = tmp_path / "messages"
    options = ["-r", "10", "-d", "200", "-trace_msg", "-message_file", str(log)]
    called = own_host()
    remote = f"{called}:{answer.port}"
    caller = start(
        Sipp(tmp_path, "uac", remote=remote, scenario="uac", calls=5, seconds=60, options=options, transport=transport)
    )
    verdict = caller.verdict()
    assert verdict.exit_code == 0, verdict.account + answer.program.account()
    seen = seen or called
    assert f"@{seen}:{answer.port}" in received(log)
    assert f"c=IN IP4 {seen}" in received(log)
    # Messages from the address that was called, audio from the one that the description names.
    captured.equals_metrics(answer, Side(called, answer.port, media_host=seen))


@pytest.mark.parametrize("advertise", ["", "127.0.0.2"])
def test_sipp_is_called(tmp_path: Path, start: Start, advertise: str) -> None:
    log = tmp_path / "messages"
    options = ["-trace_msg", "-message_file", str(log)]
    callee = start(Sipp(tmp_path, "uas", scenario="uas", calls=5, seconds=60, options=options))
    callee.ready()
    arguments = ["-r", "10", "-m", "5", "-d", "0.2s", "--media", "silence", "-i", "0.0.0.0"]
    arguments += ["--advertise", advertise] if advertise else []
    result = load(tmp_path, f"sip:service@{callee.address}", arguments, 80)
    assert result.verdict == 0, result.account
    seen = advertise or "127.0.0.1"
    for mark in ("Via: SIP/2.0/UDP ", "Contact: <sip:sipswarm@", "From: <sip:sipswarm@", "c=IN IP4 "):
        assert mark + seen in received(log)
    verdict = callee.verdict()
    assert verdict.exit_code == 0, verdict.account
