"""The proxy of a load (`-rsa` of SIPp): messages go there, and the file speaks of the target, in both programs."""

from pathlib import Path

from sipswarm.actors.cli import main
from tests.e2e.test_command_line import was
from tests.e2e.test_scenario_files import QUIET

from .scripted_peer import ScriptedPeer, header
from .sipp import Sipp

FILE = """<?xml version="1.0"?>
<scenario name="options"><send><![CDATA[
OPTIONS sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:a@[local_ip]>;tag=[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 OPTIONS
X-Host: [remote_host]
Content-Length: 0

]]></send></scenario>
"""
TARGET = "127.0.0.2:5071"


def _sent(peer: ScriptedPeer) -> tuple[str, str, str]:
    """What speaks of the target in the message that came."""
    text = peer.expect()
    return text.partition("\r\n")[0], header(text, "To"), header(text, "X-Host")


def test_keywords_are_those_of_the_target_behind_a_proxy(tmp_path: Path) -> None:
    path = tmp_path / "options.xml"
    path.write_text(FILE)
    with ScriptedPeer() as peer:
        options = ["-rsa", f"127.0.0.1:{peer.port}"]
        verdict = Sipp(tmp_path, "sipp", remote=TARGET, scenario=path, calls=1, seconds=15, options=options).verdict()
        assert verdict.exit_code == 0, verdict.account
        by_sipp = _sent(peer)
    with ScriptedPeer() as peer:
        proxy = ["--proxy", f"sip:127.0.0.1:{peer.port}", "-sf", str(path), "-m", "1"]
        assert was(main(["load", TARGET, *proxy, *QUIET, "--out", str(tmp_path / "out")]), 0)
        by_us = _sent(peer)
    assert by_us == by_sipp
    assert by_us[0] == f"OPTIONS sip:service@{TARGET} SIP/2.0"
