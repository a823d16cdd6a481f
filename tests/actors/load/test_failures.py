"""Folders of failed calls: at most twenty, named by digests, private, with a ladder and a capture in each."""

import hashlib
import re
import stat
from pathlib import Path

import pytest

from sipswarm.actors.bus.messages import CallTraced
from sipswarm.actors.load.failures import MOST, Failures
from tests.actors.rows import REFUSED, ROW

INVITE = b"INVITE sip:b@127.0.0.1:5070 SIP/2.0\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n\r\n"
RUNGS = (
    (100.0, True, "udp", ("127.0.0.1", 5060), ("127.0.0.1", 5070), INVITE, ""),
    (100.5, False, "udp", ("127.0.0.1", 5060), ("127.0.0.1", 5070), INVITE.replace(b"INVITE sip", b"BYE sip"), ""),
)


def add(failures: Failures, call_id: str, failure: str = "code") -> None:
    failures.trace(CallTraced(call_id, 3, RUNGS))
    failures.add(REFUSED._replace(call_id=call_id, started=101.0), failure, 100.0)
    assert failures.waiting <= 1
    assert failures.write() == ""
    assert failures.waiting == 0


def test_a_failed_call_gets_a_private_folder_that_tells_its_story(tmp_path: Path) -> None:
    failures = Failures(tmp_path, 1_700_000_000.0)
    add(failures, "call-1@host")
    call = failures.calls[0]
    assert call[1:] == ("call-1@host", "code", REFUSED.outcome, REFUSED.code, 1.0, "")
    folder = tmp_path / call.folder
    assert {each.name for each in folder.iterdir()} == {"ladder.txt", "sip.pcap"}
    text = (folder / "ladder.txt").read_text()
    assert text.startswith(f"call call-1@host\nmissed: code; outcome busy, final status {REFUSED.code}\nbegun 1.000 s ")
    assert "(3 earlier messages are left out)" in text
    assert "|-- INVITE sip:b@127.0.0.1:5070 " in text
    assert (folder / "sip.pcap").read_bytes().count(INVITE) == 1
    assert {stat.S_IMODE(each.stat().st_mode) for each in (folder, folder.parent)} == {0o700}
    assert {stat.S_IMODE(each.stat().st_mode) for each in folder.iterdir()} == {0o600}


@pytest.mark.parametrize("call_id", ["../../etc/passwd", "/tmp/x", "a\x1b[2J\r\nb", "", "x" * 5000, "\udcff"])
def test_no_call_id_gets_into_the_name_of_a_folder_or_moves_a_terminal(tmp_path: Path, call_id: str) -> None:
    failures = Failures(tmp_path, 0.0)
    add(failures, call_id, "what\x1b[2J")
    assert re.fullmatch(r"failures/[0-9a-f]{16}", failures.calls[0].folder)
    digest = hashlib.sha256(call_id.encode("utf-8", "surrogateescape")).hexdigest()
    assert [each.name for each in (tmp_path / "failures").iterdir()] == [digest[:16]]
    assert "\x1b" not in (tmp_path / failures.calls[0].folder / "ladder.txt").read_text()


def test_only_the_first_twenty_get_a_folder(tmp_path: Path) -> None:
    failures = Failures(tmp_path, 0.0)
    for number in range(50):
        add(failures, str(number))
    assert [each.call_id for each in failures.calls] == [str(number) for number in range(MOST)]
    assert len(list((tmp_path / "failures").iterdir())) == MOST == 20


def test_a_call_whose_messages_nobody_told_has_no_folder(tmp_path: Path) -> None:
    failures = Failures(tmp_path, 0.0)
    failures.add(ROW, "code", 0.0)
    assert failures.calls == []
    assert list(tmp_path.iterdir()) == []


def test_what_an_earlier_run_left_is_cleared_and_nothing_else_is(tmp_path: Path) -> None:
    earlier = Failures(tmp_path, 0.0)
    add(earlier, "1")
    add(earlier, "2")
    (tmp_path / "failures" / "notes").mkdir()
    kept = tmp_path / earlier.calls[1].folder / "mine.txt"
    kept.write_text("mine")
    Failures(tmp_path, 0.0).clear()
    assert not (tmp_path / earlier.calls[0].folder).exists()
    assert kept.exists()
    assert (tmp_path / "failures" / "notes").exists()
    (tmp_path / "other").mkdir()
    Failures(tmp_path / "other", 0.0).clear()


def test_a_folder_that_cannot_be_written_is_said_and_the_run_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "failures").symlink_to(tmp_path / "elsewhere")
    failures = Failures(tmp_path, 0.0)
    add(failures, "1")
    assert failures.calls == []
    assert "failures/" in caplog.text
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_the_ladder_says_where_in_a_scenario_file_a_call_has_failed(tmp_path: Path) -> None:
    failures = Failures(tmp_path, 0.0)
    failures.trace(CallTraced("x", 0, RUNGS))
    detail = "step 7, uac.xml:93: expected 200, got 486\x1b[2J"
    failures.add(REFUSED._replace(call_id="x", started=101.0, detail=detail), "unexpected_message", 100.0)
    assert failures.write() == ""
    text = (tmp_path / failures.calls[0].folder / "ladder.txt").read_text()
    assert text.splitlines()[2] == "step 7, uac.xml:93: expected 200, got 486\\x1b[2J"
