"""The files of `-trace_msg` and `-trace_shortmsg`: each message once, in SIPp's form, with secrets masked."""

import re
import stat
from pathlib import Path

import pytest

from sipswarm.actors.bus.messages import SipReceived
from sipswarm.actors.counting.totals import Totals
from sipswarm.actors.diagnosis.sipp_trace_options import SippTraceConfig
from sipswarm.actors.errors import ConfigurationError
from sipswarm.actors.load.sipp_files import message_files
from sipswarm.actors.load.sipp_files.trace_names import names_of
from sipswarm.actors.trace.recorder import SipTrace
from sipswarm.sipcore.message.hop import Hop

SECRET = 'Authorization: Digest username="alice", response="0123456789abcdef0123456789abcdef"\r\n'
INVITE = f"INVITE sip:b@127.0.0.1 SIP/2.0\r\nCall-ID: a\r\nCSeq: 1 INVITE\r\n{SECRET}\r\n".encode()
ANSWER = b"SIP/2.0 200 OK\r\nCall-ID: a\r\nCSeq: 1 INVITE\r\n\r\n"


def given(folder: Path) -> SippTraceConfig:
    return SippTraceConfig(
        trace_messages=True,
        trace_short_messages=True,
        message_file=str(folder / "messages.log"),
        short_message_file=str(folder / "short.log"),
    )


def test_each_message_stands_once_in_both_files(tmp_path: Path) -> None:
    options = given(tmp_path)
    paths = message_files.create(names_of(options, "uac", 7))
    assert paths == (options.message_file, options.short_message_file)
    assert {stat.S_IMODE(Path(path).stat().st_mode) for path in paths} == {0o600}
    trace = SipTrace([Hop("udp", "127.0.0.1", 5060)], now=lambda: 5.0, clock_offset=0.0, ladders=False)
    message_files.record(trace, options, Totals())
    trace.sent(0, INVITE, ("127.0.0.1", 5070))
    trace.received("a", SipReceived(0, 0, "127.0.0.1", 5070, ANSWER))
    trace.close()
    whole, short = (Path(path).read_bytes() for path in paths)
    assert f"UDP message sent ({len(INVITE)} bytes):\n\nINVITE sip:b@127.0.0.1 SIP/2.0\r\n".encode() in whole
    assert b"UDP message received [" in whole
    assert whole.count(ANSWER) == 1
    assert b"0123456789abcdef0123456789abcdef" not in whole
    lines = short.decode().splitlines()
    assert [re.sub(r"^.*\t(?=[SR]\t)", "", line) for line in lines] == [
        "S\ta\tCSeq:1 INVITE\tINVITE sip:b@127.0.0.1 SIP/2.0",
        "R\ta\tCSeq:1 INVITE\tSIP/2.0 200 OK",
    ]


def test_files_that_are_not_wanted_are_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert message_files.create(names_of(SippTraceConfig(), "uac", 7)) == ("", "")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_made_is_an_error_with_its_option(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"-trace_msg .*messages\.log: No such file or directory"):
        message_files.create(names_of(given(tmp_path / "no"), "uac", 7))
